-- Let merged customers point at another survivor, so that every redirect stays one hop.
UPDATE customers AS customer
SET merged_into_id = pair.target
FROM unnest(%(sources)s::uuid[], %(targets)s::uuid[]) AS pair (source, target)
WHERE customer.merged_into_id = pair.source
