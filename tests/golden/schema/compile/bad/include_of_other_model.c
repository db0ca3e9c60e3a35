// The query of an include is one of the relation's target.
// gcc: incompatible pointer type
// clang: incompatible pointer types
#include "social.h"
const social_person *f(prax_session *s);
const social_person *f(prax_session *s)
{
    return social_person_find_first(s, .include.posts = social_tag_q(.take = 1));
}
