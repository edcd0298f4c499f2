-- staged_identifiers → mappings. First come owns; a value that somebody else owns on this channel is noted as shared.
-- in: channel, now. out: id of every row written, with the status it got.
WITH new AS (
    SELECT DISTINCT ON (s.customer_id, s.identifier_type, s.normalised) s.*
    FROM staged_identifiers s
    WHERE NOT EXISTS (
        SELECT 1 FROM customer_identity_mapping m
        WHERE m.customer_id = s.customer_id AND m.channel_id = %(channel)s AND m.identifier_type = s.identifier_type
          AND m.normalised = s.normalised AND m.status IN ('active', 'shared')
    )
    ORDER BY s.customer_id, s.identifier_type, s.normalised, s.place
), owned AS (
    INSERT INTO customer_identity_mapping (
        id, customer_id, channel_id, identifier_type, channel_identifier, normalised, confidence_score, verified,
        status, first_seen_at, last_seen_at, valid_from, created_at, updated_at
    )
    SELECT id, customer_id, %(channel)s, identifier_type, channel_identifier, normalised, confidence_score, verified,
           'active', %(now)s, %(now)s,
           greatest(%(now)s, (  -- another clock may have ended the last owner's time a little later
               SELECT max(m.valid_to) FROM customer_identity_mapping m
               WHERE m.channel_id = %(channel)s AND m.identifier_type = new.identifier_type
                 AND m.normalised = new.normalised AND m.status = 'ended'
           )), %(now)s, %(now)s
    FROM new ORDER BY place
    ON CONFLICT (channel_id, identifier_type, normalised) WHERE status = 'active' DO NOTHING
    RETURNING id
), shared AS (
    INSERT INTO customer_identity_mapping (
        id, customer_id, channel_id, identifier_type, channel_identifier, normalised, confidence_score, verified,
        status, first_seen_at, last_seen_at, valid_from, created_at, updated_at
    )
    SELECT id, customer_id, %(channel)s, identifier_type, channel_identifier, normalised, confidence_score, false,
           'shared', %(now)s, %(now)s, %(now)s, %(now)s, %(now)s
    FROM new WHERE id NOT IN (SELECT id FROM owned)
    RETURNING id
)
SELECT id, 'link' FROM owned UNION ALL SELECT id, 'share' FROM shared
