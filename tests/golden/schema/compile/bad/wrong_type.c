// Text against an integer column.
// gcc: error: initialization of 'long int' from 'char *' makes integer from pointer without a cast
// clang: error: incompatible pointer to integer conversion initializing 'int64_t'
#include "blog.h"
int64_t f(prax_session *s);
int64_t f(prax_session *s)
{
    return blog_user_count(s, .where = { .age = prax_eq("18") });
}
