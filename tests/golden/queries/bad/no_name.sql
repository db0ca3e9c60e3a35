SELECT id FROM items;
-- name: all_items :many
SELECT id FROM items
