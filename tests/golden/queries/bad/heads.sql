-- name: all_items
SELECT id FROM items;
-- name: :one
SELECT id FROM items;
-- name: some_items :some
SELECT id FROM items;
-- name: dear_items :many
-- param min
-- column : Int
SELECT id FROM items WHERE price_eur > :min;
