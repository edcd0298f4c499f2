-- Note every earlier redirect that is about to point at the new survivor.
INSERT INTO merge_moves (merge_id, relation, row_id, owner_before_id, before)
SELECT pair.merge_id, 'redirects', customer.id, customer.merged_into_id, '{}'
FROM customers AS customer
JOIN unnest(%(merges)s::bigint[], %(absorbed)s::uuid[]) AS pair (merge_id, absorbed)
  ON customer.merged_into_id = pair.absorbed
