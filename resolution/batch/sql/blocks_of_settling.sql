-- The blocks of the customers in `settling`, cut one above the limit so that a large one shows by its size.
-- Those whom an import that is a step ahead has made since are not there yet.
-- in: most (limit + 1), most_by_chance (that of keys strangers share by chance, which are odd), after (the last id
-- of the step, or null), channel.
CREATE TEMP TABLE IF NOT EXISTS settling_blocks (members uuid[] NOT NULL, large boolean NOT NULL);
TRUNCATE settling_blocks;
INSERT INTO settling_blocks
SELECT block.members,
       cardinality(block.members) >= CASE WHEN wanted.key & 1 = 1 THEN %(most_by_chance)s ELSE %(most)s END
FROM (SELECT DISTINCT k.key FROM blocking_keys k JOIN settling s ON s.customer_id = k.customer_id) AS wanted
CROSS JOIN LATERAL (
    SELECT array_agg(found.customer_id) AS members
    FROM (
        SELECT b.customer_id FROM blocking_keys b
        WHERE b.key = wanted.key
          AND NOT (b.customer_id > %(after)s::uuid AND EXISTS (
              SELECT FROM source_records r
              WHERE r.customer_id = b.customer_id AND r.channel_id = %(channel)s::uuid
          )) IS TRUE
        LIMIT CASE WHEN wanted.key & 1 = 1 THEN %(most_by_chance)s ELSE %(most)s END
    ) AS found
) AS block
WHERE cardinality(block.members) > 1
