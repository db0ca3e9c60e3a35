// A misspelt column.
// gcc: error: 'blog_user_where' has no member named 'emial'
// clang: error: field designator 'emial' does not refer to any field in type 'blog_user_where'
#include "blog.h"
int64_t f(prax_session *s);
int64_t f(prax_session *s)
{
    return blog_user_count(s, .where = { .emial = prax_eq("a") });
}
