UPDATE customers AS customer
SET status = 'merged', merged_into_id = pair.target, version = version + 1, updated_at = clock_timestamp()
FROM unnest(%(sources)s::uuid[], %(targets)s::uuid[]) AS pair (source, target)
WHERE customer.id = pair.source
