-- How many keys are skipped for their size. in: most (limit + 1), most_rare (that of keys whose prefix is in `rare`).
SELECT count(*) FROM (
    SELECT FROM blocking_keys GROUP BY key
    HAVING count(*) >= CASE WHEN split_part(key, ':', 1) = ANY(%(rare)s) THEN %(most_rare)s ELSE %(most)s END
) AS large
