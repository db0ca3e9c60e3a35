// An id where the key is a text; and no column that is not unique has a _by_ function at all.
// gcc: error: passing argument 1 of 'blog_user_by_email' makes pointer from integer without a cast
// clang: error: incompatible integer to pointer conversion passing 'int'
#include "blog.h"
int f(prax_session *s);
int f(prax_session *s)
{
    return blog_user_get(s, blog_user_by_email(7)) != NULL;
}
