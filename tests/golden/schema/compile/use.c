/* use.c - every verb as users write it, with the members that they write. */
#include "blog.h"
#include <time.h>

int use(prax_db *db, prax_session *s);
int use(prax_db *db, prax_session *s)
{
    if (blog_create_tables(db) < 0)
        return prax_error_code(s);
    const blog_user *u = blog_user_create(s, .email = "ada@example.org", .age = prax_set(36),
                                          .role = prax_set(BLOG_ROLE_ADMIN));
    const blog_user_new rows[2] = { { .email = "a" }, { .email = "b", .name = "B" } };
    int64_t n = blog_user_create_many(s, rows, 2, .skip_duplicates = true);
    u = blog_user_get(s, blog_user_by_email("a"), .select = { .id = 1, .name = 1 });
    u = blog_user_get(s, blog_user_by_id(u ? u->id : 0));
    const blog_post_list *list = blog_post_find_many(
        s,
        .where = { .title = prax_icontains("c"),
                   .views = prax_between(1, 9),
                   .price = prax_ge(prax_decimal_of(5, 0)),
                   .meta = prax_path_eq("$.a", "5"),
                   .published_at = prax_le(prax_time_unix(time(NULL))),
                   .category_id = prax_null,
                   .author_id = prax_in(int64_t, 1, 2) },
        .order_by = { BLOG_POST_VIEWS_DESC, BLOG_POST_CATEGORY_ID_ASC_NULLS_FIRST }, .take = 10,
        .total = PRAX_TOTAL_ALSO);
    const blog_post *first = blog_post_find_first(s, .select = { .title = 1 });
    n += blog_user_count(s, .where = { .any_of = PRAX_LIST(blog_user_where, { .age = prax_lt(9) },
                                                           { .role = prax_ne(BLOG_ROLE_USER) }) });
    n += blog_tag_exists(s, .where = { .label = prax_eq("c") });
    n += blog_user_update(s, blog_user_by_id(1), .age = prax_add(1), .name = prax_set_null);
    n += blog_user_update_many(s, .all = true, .set = { .role = prax_set(BLOG_ROLE_USER) });
    n += blog_membership_delete(s, blog_membership_by_user_id_team(1, "core"));
    n += blog_post_delete_many(s, .where = { .published = prax_eq(false) });
    blog_post_each(p, s, .where = { .cover = prax_not_null }) n +=
        p->cover.size > 0 && p->loaded.cover;
    blog_user_where w = { 0 };
    PRAX_LET(s, w.id, prax_in(int64_t, 1, 2, 3));
    w.created_at = (prax_f_time)prax_ge(prax_time_now());
    return blog_user_where_keep(s, &w) && first && list ? (int)n : prax_error_code(s);
}
