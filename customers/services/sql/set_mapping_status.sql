UPDATE customer_identity_mapping AS mapping
SET status = pair.status
FROM unnest(%(rows)s::uuid[], %(statuses)s::text[]) AS pair (id, status)
WHERE mapping.id = pair.id
