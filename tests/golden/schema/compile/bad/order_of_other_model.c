// Another model's order id.
// gcc: error: implicit conversion from 'enum blog_post_order' to 'enum blog_user_order'
// clang: error: implicit conversion from enumeration type 'enum blog_post_order'
#include "blog.h"
int f(prax_session *s);
int f(prax_session *s)
{
    return blog_user_find_many(s, .order_by = { BLOG_POST_ID_ASC }) != NULL;
}
