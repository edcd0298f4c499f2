-- What one import keeps for itself while it runs. `import_seen` outlives the batches: a source id counts once a file.
CREATE TEMP TABLE IF NOT EXISTS import_seen (
    source_key text PRIMARY KEY,
    fingerprint text NOT NULL
);
CREATE TEMP TABLE IF NOT EXISTS staged_identifiers (
    place bigint PRIMARY KEY,
    id uuid NOT NULL,
    customer_id uuid NOT NULL,
    identifier_type text NOT NULL,
    channel_identifier text NOT NULL,
    normalised text NOT NULL,
    confidence_score numeric NOT NULL,
    verified boolean NOT NULL
) ON COMMIT DELETE ROWS;
