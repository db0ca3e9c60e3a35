-- name: unknown :many
SELECT id FROM items WHERE length(title) > :n;
-- name: two_types :many
SELECT id FROM items WHERE title = :x OR id = :x;
-- name: not_there :many
-- param min: Int
-- column posts: Int
SELECT id FROM items;
-- name: types :many
-- param a: Integer
-- param b: Decimal
-- param c: Decimal(19, 2)
-- param d: Int[]
-- param e: Kind??
-- param f: kind
SELECT id FROM items WHERE id IN (:a, :b, :c, :d, :e, :f);
