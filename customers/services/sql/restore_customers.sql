UPDATE customers
SET status = 'active', merged_into_id = NULL, version = version + 1, updated_at = clock_timestamp()
WHERE id = ANY (%(ids)s::uuid[])
