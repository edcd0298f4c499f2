-- How many keys are skipped for their size. in: most (limit + 1).
SELECT count(*) FROM (SELECT FROM blocking_keys GROUP BY key HAVING count(*) >= %(most)s) AS large
