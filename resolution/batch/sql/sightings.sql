-- in: channel, source keys, types, before. out: links of these records' customers on this channel last seen before.
SELECT s.source_key, m.id, m.identifier_type, m.channel_identifier, m.normalised
FROM source_records s
JOIN customer_identity_mapping m ON m.customer_id = s.customer_id AND m.channel_id = s.channel_id
WHERE s.channel_id = %(channel)s AND s.source_key = ANY(%(keys)s)
  AND m.identifier_type = ANY(%(types)s) AND m.status IN ('active', 'shared') AND m.last_seen_at < %(before)s
