-- The keys most customers share, whether compared by or skipped. in: rows.
SELECT key, count(*) AS customers FROM blocking_keys GROUP BY key ORDER BY 2 DESC, 1 LIMIT %(rows)s
