-- Let merges that stand remember what they found and wrote as it is without those that have left.
UPDATE merges AS merge
SET pre_image = page.pre_image, plan = page.plan
FROM jsonb_to_recordset(%(pages)s::jsonb) AS page (merge bigint, pre_image jsonb, plan jsonb)
WHERE merge.id = page.merge
