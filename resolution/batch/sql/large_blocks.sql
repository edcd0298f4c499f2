-- How many keys are skipped for their size. in: most (limit + 1), most_by_chance (that of keys strangers share by chance, which are odd).
SELECT count(*) FROM (
    SELECT FROM blocking_keys GROUP BY key
    HAVING count(*) >= CASE WHEN key & 1 = 1 THEN %(most_by_chance)s ELSE %(most)s END
) AS large
