// use.cpp - C++17: the same structs, the _with functions, no macros of C.
#include "blog.h"
#include "lists.h"
#include "social.h"
#include <memory>

static_assert(sizeof(prax_f_i64) == 24 && sizeof(prax_w_bool) == 2 && sizeof(prax_time) == 8,
              "the layout of C");

struct close_session {
    void operator()(prax_session *s) const { prax_session_close(s); }
};

int64_t adults(prax_db *db)
{
    std::unique_ptr<prax_session, close_session> s(prax_session_open_with(db, nullptr));
    blog_user_query q = {};
    q.size = sizeof q; // forgotten: EINVAL, not garbage
    q.where.age.op = PRAX_OP_GE;
    q.where.age.bound = 18;
    q.order_by[0] = BLOG_USER_ID_ASC;
    blog_user_fetch f = {};
    f.size = sizeof f;
    f.select.email = true;
    const blog_user *u = blog_user_get_with(s.get(), blog_user_by_email("ada@example.org"), &f);
    return u ? blog_user_count_with(s.get(), &q) : prax_error_code(s.get());
}

/* Relations: the query of the target is a pointer in .include; its rows are a list, or one row. */
size_t posts_of(prax_session *s)
{
    social_post_query posts = {};
    posts.size = sizeof posts;
    posts.take = 3;
    social_tag_where label = {};
    label.label.op = PRAX_OP_EQ;
    label.label.v = "new";
    posts.where.tags.some = &label;
    social_person_fetch f = {};
    f.size = sizeof f;
    f.include.posts = &posts;
    f.select.mentor = true;
    const social_person *p = social_person_get_with(s, social_person_by_id(1), &f);
    social_top_authors_args args = {};
    args.size = sizeof args;
    args.take = 1;
    const social_top_authors_list *l = social_top_authors_with(s, &args);
    return p && p->mentor && l ? p->posts.count + l->count : 0;
}

size_t texts_of(const lists_row *row)
{
    return row->texts.count + row->days.count;
}
