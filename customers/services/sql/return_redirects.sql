UPDATE customers AS customer
SET merged_into_id = pair.target
FROM unnest(%(sources)s::uuid[], %(targets)s::uuid[]) AS pair (source, target)
WHERE customer.id = pair.source
