-- The keys most customers share, whether compared by or skipped, with one of those customers. in: rows.
SELECT top.key, top.customers, (SELECT b.customer_id FROM blocking_keys b WHERE b.key = top.key LIMIT 1)
FROM (
    SELECT key, count(*) AS customers FROM blocking_keys GROUP BY key ORDER BY 2 DESC, 1 LIMIT %(rows)s
) AS top
ORDER BY 2 DESC, 1
