// A column with a default wants prax_set: a bare false could not be told from "not given".
// gcc: when initializing type 'unsigned char' using type 'struct say_prax_set'
// clang: error: initializer for aggregate with no elements requires explicit braces
#include "blog.h"
int f(prax_session *s);
int f(prax_session *s)
{
    return blog_post_create(s, .title = "t", .published = false, .author_id = 1) != NULL;
}
