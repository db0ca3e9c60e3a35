// A filter needs its operator.
// gcc: when initializing type 'unsigned char' using type 'struct say_prax_eq'
// clang: error: initializer for aggregate with no elements requires explicit braces
#include "blog.h"
int64_t f(prax_session *s);
int64_t f(prax_session *s)
{
    return blog_user_count(s, .where = { .age = 18 });
}
