-- Give every row of one customer to another, except the rows to keep.
UPDATE {table} AS record
SET customer_id = pair.target
FROM unnest(%(sources)s::uuid[], %(targets)s::uuid[]) AS pair (source, target)
WHERE record.customer_id = pair.source
  AND record.id <> ALL (%(keep)s::uuid[])
