-- Strike out of the ledger what a merge moved of the members that leave it, wherever the rows are by now.
UPDATE merge_moves AS move
SET live = false
WHERE move.merge_id = %(merge)s
  AND move.owner_before_id = ANY (%(leaving)s::uuid[])
  AND move.live
