// More than 16 values: use prax_sql_exec_with.
// gcc: error: implicit declaration of function 'PRAX_A_TOO_MANY'
// clang: error: implicit declaration of function 'PRAX_A_TOO_MANY'
#include "blog.h"
int64_t f(prax_session *s);
int64_t f(prax_session *s)
{
    return prax_sql_exec(s, "?", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17);
}
