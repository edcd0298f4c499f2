-- The profiles of a shelf that are not in memory, as JSON; a change that is taken back takes its own back too.
CREATE TEMP TABLE IF NOT EXISTS shelved_profiles (
    customer_id uuid PRIMARY KEY,
    version integer NOT NULL,
    profile text NOT NULL
);
TRUNCATE shelved_profiles
