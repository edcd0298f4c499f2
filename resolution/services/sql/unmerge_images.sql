-- Let the ledger remember an absorbed customer as it was without those that have left it.
UPDATE merge_members AS member
SET pre_image = member.pre_image || image.fields
FROM jsonb_to_recordset(%(images)s::jsonb) AS image (merge bigint, customer uuid, fields jsonb)
WHERE member.merge_id = image.merge AND member.customer_id = image.customer
