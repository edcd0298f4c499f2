-- Whoever's acts bear on a customer's past: merged with it or parted from it until a moment, also through others.
-- in: customer, moment. out: their ids, the customer's own among them. Walks by the index audit_of_customer.
WITH RECURSIVE kin (id) AS (
    SELECT %(customer)s::uuid
    UNION
    SELECT other.id
    FROM kin
    JOIN customer_identity_audit AS entry
      ON entry.customer_id = kin.id
     AND entry.action IN ('merge', 'unmerge', 'note')
     AND entry.created_at <= %(moment)s
    CROSS JOIN LATERAL (
        SELECT (entry.metadata ->> 'survivor')::uuid
        UNION ALL
        SELECT (entry.metadata ->> 'merged_into')::uuid
        UNION ALL
        SELECT entry.old_value::uuid WHERE entry.action = 'unmerge' AND entry.old_value <> ''
        UNION ALL
        SELECT jsonb_array_elements_text(entry.metadata -> 'absorbed')::uuid
        UNION ALL
        SELECT jsonb_array_elements_text(entry.metadata -> 'returned')::uuid
    ) AS other (id)
    WHERE other.id IS NOT NULL
)
SELECT id FROM kin
