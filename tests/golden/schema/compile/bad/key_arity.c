// Half of a composite key.
// gcc: error: too few arguments to function 'blog_membership_by_user_id_team'
// clang: error: too few arguments to function call, expected 2, have 1
#include "blog.h"
int f(prax_session *s);
int f(prax_session *s)
{
    return blog_membership_delete(s, blog_membership_by_user_id_team(7));
}
