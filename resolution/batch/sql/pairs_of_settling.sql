-- settling_blocks → pairs of candidates with at least one of them in `settling`, each pair once; without those
-- whom an import that is a step ahead has made since. in: after (the last id of the step, or null), channel.
SELECT DISTINCT least(one.id, other.id), greatest(one.id, other.id)
FROM settling_blocks b
CROSS JOIN LATERAL unnest(b.members) AS one (id)
JOIN settling s ON s.customer_id = one.id
CROSS JOIN LATERAL unnest(b.members) AS other (id)
WHERE NOT b.large AND one.id <> other.id
  AND NOT (other.id > %(after)s::uuid AND EXISTS (
      SELECT FROM source_records r WHERE r.customer_id = other.id AND r.channel_id = %(channel)s::uuid
  )) IS TRUE
