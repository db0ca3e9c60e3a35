// An outcome nobody looks at.
// gcc: error: ignoring return value of 'blog_user_update_with'
// clang: error: ignoring return value of function declared with 'warn_unused_result' attribute
#include "blog.h"
void f(prax_session *s);
void f(prax_session *s)
{
    blog_user_update(s, blog_user_by_id(1), .age = prax_add(1));
}
