-- name: none :many
-- nothing but a comment
;
-- name: two :many
SELECT id FROM items; SELECT id FROM sales;
-- name: marks :many
SELECT id FROM items WHERE id = $1;
-- name: rows :exec
SELECT id FROM items;
-- name: no_rows :many
DELETE FROM items;
-- name: unclosed :many
SELECT id FROM items WHERE title = 'x;
