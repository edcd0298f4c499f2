-- staged_identifiers → the owners out of their type's window, each with the first staged link that claims its value.
-- in: channel, types, since. out: owner's link and customer, claiming link and customer.
SELECT DISTINCT ON (m.id) m.id, m.customer_id, s.id, s.customer_id
FROM staged_identifiers s
JOIN unnest(%(types)s::text[], %(since)s::timestamptz[]) AS valid (type, since) ON valid.type = s.identifier_type
JOIN customer_identity_mapping m ON m.channel_id = %(channel)s AND m.identifier_type = s.identifier_type
    AND m.normalised = s.normalised AND m.status = 'active'
WHERE m.last_seen_at < valid.since AND NOT EXISTS (
    SELECT 1 FROM customer_identity_mapping own
    WHERE own.customer_id = s.customer_id AND own.channel_id = m.channel_id
      AND own.identifier_type = m.identifier_type AND own.normalised = m.normalised
      AND own.status IN ('active', 'shared')
)
ORDER BY m.id, s.place
