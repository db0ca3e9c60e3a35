-- name: item :many
SELECT id FROM items;
-- name: item_find_many :many
SELECT id FROM items;
-- name: item_by_title :one
SELECT id FROM items;
-- name: kind_label :one
SELECT id FROM items;
-- name: create_tables :exec
DELETE FROM items;
-- name: 2nd :exec
DELETE FROM items;
-- name: words :many
SELECT id AS int, title AS "a b" FROM items ;
-- name: sizes :many
SELECT id FROM items WHERE id = :size;
-- name: twice :exec
DELETE FROM items;
-- name: twice :exec
DELETE FROM sales;
-- name: twice_args :exec
DELETE FROM sales;
