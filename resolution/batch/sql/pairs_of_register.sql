-- blocking_keys → pairs of candidates over the whole register, each pair once.
-- in: most (limit + 1), most_by_chance (that of keys strangers share by chance, which are odd).
SELECT DISTINCT least(one.id, other.id), greatest(one.id, other.id)
FROM (
    SELECT array_agg(customer_id) AS members FROM blocking_keys
    GROUP BY key
    HAVING count(*) > 1 AND count(*) < CASE WHEN key & 1 = 1 THEN %(most_by_chance)s ELSE %(most)s END
) AS b
CROSS JOIN LATERAL unnest(b.members) AS one (id)
CROSS JOIN LATERAL unnest(b.members) AS other (id)
WHERE one.id < other.id
ORDER BY 1
