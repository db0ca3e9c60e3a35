// Arithmetic on text.
// gcc: error: 'prax_w_text' has no member named 'delta'
// clang: error: field designator 'delta' does not refer to any field in type 'prax_w_text'
#include "blog.h"
int f(prax_session *s);
int f(prax_session *s)
{
    return blog_user_update(s, blog_user_by_id(1), .name = prax_add("x"));
}
