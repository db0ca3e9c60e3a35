// A view has no create.
// gcc: implicit declaration of function 'social_author_create'
// clang: social_author_create
#include "social.h"
int f(prax_session *s);
int f(prax_session *s)
{
    return social_author_create(s, .name = "x") != 0;
}
