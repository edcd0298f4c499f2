-- Note every identifier that is about to move or to fold, with its owner and status.
INSERT INTO merge_moves (merge_id, relation, row_id, owner_before_id, before, live)
SELECT pair.merge_id, 'mappings', mapping.id, mapping.customer_id, jsonb_build_object('status', mapping.status),
    true
FROM customer_identity_mapping AS mapping
JOIN unnest(%(merges)s::bigint[], %(absorbed)s::uuid[]) AS pair (merge_id, absorbed)
  ON mapping.customer_id = pair.absorbed
UNION ALL
SELECT pair.merge_id, 'mappings', mapping.id, mapping.customer_id, jsonb_build_object('status', mapping.status),
    true
FROM customer_identity_mapping AS mapping
JOIN unnest(%(folding_merges)s::bigint[], %(folding)s::uuid[]) AS pair (merge_id, mapping_id)
  ON mapping.id = pair.mapping_id
WHERE mapping.customer_id <> ALL (%(absorbed)s::uuid[])
