-- in: links, now. Whoever is changing one of them just now is not waited for.
UPDATE customer_identity_mapping SET last_seen_at = %(now)s
WHERE id IN (
    SELECT id FROM customer_identity_mapping WHERE id = ANY(%(links)s) ORDER BY id FOR UPDATE SKIP LOCKED
)
