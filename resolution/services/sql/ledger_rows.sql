-- Note every row that is about to move, with its owner.
INSERT INTO merge_moves (merge_id, relation, row_id, owner_before_id, before, live)
SELECT pair.merge_id, %(relation)s, record.id, record.customer_id, '{}', true
FROM {table} AS record
JOIN unnest(%(merges)s::bigint[], %(absorbed)s::uuid[]) AS pair (merge_id, absorbed)
  ON record.customer_id = pair.absorbed
