-- Typed SQL of the tests.

-- name: top_authors :many
-- Authors by the number of their posts.
SELECT p.id, p.name, p.mood, count(*) AS posts, CAST(sum(w.views) AS bigint) AS views
FROM people p
JOIN posts AS w ON w.author_id = p.id
WHERE w.views >= :min
GROUP BY p.id, p.name, p.mood
ORDER BY count(*) DESC, p.id
LIMIT :take;

-- name: editor_of :one
SELECT w.title, e.name AS editor, e.id AS editor_id
FROM posts w LEFT JOIN people e ON e.name = w.editor_name
WHERE w.id = :id

-- name: all_tags :many
SELECT * FROM tags ORDER BY label

-- name: rename_person :exec
UPDATE people SET name = :name, mood = :mood WHERE name = :was AND id BETWEEN :low AND :high;

-- name: add_tag :exec
INSERT INTO tags (id, label) VALUES (:id, :label)

-- name: loud :many
-- param factor: Float
-- param a: Int
-- param b: Int
-- column id: Int
-- column loudness: Float
WITH top AS (SELECT id, views FROM posts WHERE views > 0)
SELECT id, views * :factor AS loudness FROM top WHERE id IN (:a, :b);

-- name: priced :many
-- The type of a parameter that may be NULL is written down; a name may be used twice.
-- param price: Decimal(8, 2)?
SELECT i.id, i.price, i.kind, i.opens, i.since, i.at, i.raw, i.ref
FROM items i
WHERE i.price = :price OR (:kind = kind AND i.version < :version AND '?' <> i.code AND ':x' <> kind)

-- name: make_post :one
INSERT INTO posts (title, author_id, editor_name) VALUES (:title, :author, :editor)
RETURNING id, title
