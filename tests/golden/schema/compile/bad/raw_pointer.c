// A pointer must not become a number; NULL is spelt prax_null_v.
// gcc: error: '_Generic' selector of type 'void *' is not compatible with any association
// clang: error: controlling expression type 'void *' not compatible
#include "blog.h"
int64_t f(prax_session *s);
int64_t f(prax_session *s)
{
    return prax_sql_exec(s, "DELETE FROM users WHERE id = ?", NULL);
}
