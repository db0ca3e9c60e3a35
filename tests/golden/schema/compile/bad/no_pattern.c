// A pattern on a number.
// gcc: error: 'prax_f_i64' has no member named 'pattern'
// clang: error: field designator 'pattern' does not refer to any field in type 'prax_f_i64'
#include "blog.h"
int64_t f(prax_session *s);
int64_t f(prax_session *s)
{
    return blog_user_count(s, .where = { .age = prax_contains("1") });
}
