-- settling_blocks → pairs of candidates with at least one of them in `settling`, each pair once.
SELECT DISTINCT least(one.id, other.id), greatest(one.id, other.id)
FROM settling_blocks b
CROSS JOIN LATERAL unnest(b.members) AS one (id)
JOIN settling s ON s.customer_id = one.id
CROSS JOIN LATERAL unnest(b.members) AS other (id)
WHERE NOT b.large AND one.id <> other.id
