-- The customers whose candidates are wanted. in: ids.
CREATE TEMP TABLE IF NOT EXISTS settling (customer_id uuid PRIMARY KEY);
TRUNCATE settling;
INSERT INTO settling SELECT DISTINCT unnest(%(ids)s::uuid[]);
ANALYZE settling
