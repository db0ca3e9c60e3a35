-- name: field_name :many
SELECT price FROM items;
-- name: behind_a_name :many
SELECT i.id FROM items i WHERE i.titel = 'x';
-- name: joined :many
SELECT i.title, s.item FROM items i JOIN sales s ON s.item_id = i.id;
-- name: expression :many
SELECT max(id) AS highest, length(title) FROM items;
-- name: double :many
SELECT i.id, s.id FROM items i JOIN sales s ON s.item_id = i.id;
-- name: star :many
SELECT * FROM items i JOIN sales s ON s.item_id = i.id;
-- name: cast_to_date :many
SELECT CAST(at AS date) AS day FROM sales;
