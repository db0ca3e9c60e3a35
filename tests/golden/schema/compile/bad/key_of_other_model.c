// The key of another model.
// gcc: error: incompatible type for argument 2 of 'blog_user_get_with'
// clang: error: passing 'blog_post_key' (aka 'struct blog_post_key') to parameter
#include "blog.h"
int f(prax_session *s);
int f(prax_session *s)
{
    return blog_user_get(s, blog_post_by_id(7)) != NULL;
}
