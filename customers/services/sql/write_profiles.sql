-- Write the fields of many customers at once; each row holds all of them.
UPDATE customers AS customer
SET name = row.name, given_name = row.given_name, family_name = row.family_name,
    email = row.email, phone = row.phone, company = row.company, birth_date = row.birth_date,
    address = row.address, postcode = row.postcode, city = row.city, region = row.region, country = row.country,
    attributes = row.attributes, last_interaction_at = row.last_interaction_at,
    version = customer.version + 1, updated_at = clock_timestamp()
FROM jsonb_to_recordset(%(profiles)s::jsonb) AS row (
    id uuid, name text, given_name text, family_name text, email text, phone text, company text, birth_date date,
    address text, postcode text, city text, region text, country text,
    attributes jsonb, last_interaction_at timestamptz
)
WHERE customer.id = row.id
