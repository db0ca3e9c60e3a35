// An enum has no order (its labels would sort differently on the two databases).
// gcc: error: 'blog_f_role' has no member named 'bound'
// clang: error: field designator 'bound' does not refer to any field in type 'blog_f_role'
#include "blog.h"
int64_t f(prax_session *s);
int64_t f(prax_session *s)
{
    return blog_user_count(s, .where = { .role = prax_gt(BLOG_ROLE_USER) });
}
