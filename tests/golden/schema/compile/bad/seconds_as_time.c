// time(NULL) is seconds; say prax_time_unix(time(NULL)).
// gcc: when initializing type 'long int' using type 'struct say_prax_time_unix'
// clang: error: initializer for aggregate with no elements requires explicit braces
#include "blog.h"
#include <time.h>
int64_t f(prax_session *s);
int64_t f(prax_session *s)
{
    return blog_user_count(s, .where = { .created_at = prax_ge(time(NULL)) });
}
