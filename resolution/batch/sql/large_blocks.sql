-- How many keys are skipped for their size. in: most (limit + 1), most_by_chance (that of keys whose prefix is in `by_chance`).
SELECT count(*) FROM (
    SELECT FROM blocking_keys GROUP BY key
    HAVING count(*) >= CASE WHEN split_part(key, ':', 1) = ANY(%(by_chance)s) THEN %(most_by_chance)s ELSE %(most)s END
) AS large
