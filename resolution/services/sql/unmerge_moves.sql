-- Write down what merges that stand moved or folded of identifier links, as it is without those that leave.
INSERT INTO merge_moves (merge_id, relation, row_id, owner_before_id, before, live)
SELECT move.merge_id, 'mappings', move.row_id, move.owner_id, jsonb_build_object('status', move.status), true
FROM unnest(%(merges)s::bigint[], %(rows)s::uuid[], %(owners)s::uuid[], %(statuses)s::text[])
    AS move (merge_id, row_id, owner_id, status)
ON CONFLICT (merge_id, relation, row_id)
DO UPDATE SET owner_before_id = excluded.owner_before_id, before = excluded.before, live = true
