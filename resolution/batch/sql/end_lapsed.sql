-- in: links with the owners whose they were seen to be, types, since, now. out: every link that ended, as it was.
UPDATE customer_identity_mapping AS m
SET status = 'ended', valid_to = greatest(%(now)s, m.valid_from), updated_at = %(now)s
FROM unnest(%(types)s::text[], %(since)s::timestamptz[]) AS valid (type, since),
    unnest(%(links)s::uuid[], %(owners)s::uuid[]) AS seen (link, owner)
WHERE m.id = seen.link AND m.customer_id = seen.owner AND m.status = 'active'
  AND valid.type = m.identifier_type AND m.last_seen_at < valid.since
RETURNING m.id, m.customer_id, m.identifier_type, m.channel_identifier, m.normalised, m.confidence_score, m.verified
