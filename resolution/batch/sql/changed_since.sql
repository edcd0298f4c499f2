-- The customers that changed after an entry of the trail, and the trail's last entry; what an import made is left
-- out, since its profiles are known as they were made. in: sequence.
SELECT array_agg(DISTINCT customer_id) FILTER (
           WHERE customer_id IS NOT NULL
             AND NOT (action IN ('create', 'link', 'share') AND resolution_method = 'import')
       ),
       max(sequence)
FROM customer_identity_audit WHERE sequence > %(sequence)s
