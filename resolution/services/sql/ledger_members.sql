-- Keep each absorbed customer's row as it is.
INSERT INTO merge_members (merge_id, customer_id, pre_image, live, undone_by)
SELECT pair.merge_id, customer.id, to_jsonb(customer), true, ''
FROM customers AS customer
JOIN unnest(%(merges)s::bigint[], %(absorbed)s::uuid[]) AS pair (merge_id, absorbed)
  ON customer.id = pair.absorbed
