-- Give single rows to the customer named beside them.
UPDATE {table} AS record
SET customer_id = pair.owner
FROM unnest(%(rows)s::uuid[], %(owners)s::uuid[]) AS pair (id, owner)
WHERE record.id = pair.id
