-- name: model_name :many
SELECT id FROM item;
-- name: far :many
SELECT id FROM warehouses;
-- name: joined :many
SELECT i.id FROM items i JOIN sale s ON s.item_id = i.id;
-- name: inner_one :many
SELECT id FROM items WHERE id IN (SELECT item_id FROM slaes);
-- name: right :many
-- table: warehouses
-- column id: Int
WITH old AS (SELECT 1 AS id) SELECT w.id FROM warehouses w, old, json_each('[]') j
WHERE extract(year FROM w.since) > 2000;
