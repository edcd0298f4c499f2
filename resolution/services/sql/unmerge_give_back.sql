-- Strike out of the ledger that these merges moved the rows of customers that leave.
UPDATE merge_moves AS move
SET live = false
FROM unnest(%(rows)s::uuid[]) AS leaving (row_id)
WHERE move.row_id = leaving.row_id
  AND move.merge_id = ANY (%(merges)s::bigint[])
  AND move.relation = %(relation)s
  AND move.live
