// The library counts versions; an update asks for one with if_version.
// gcc: has no member named 'version'
// clang: field designator 'version' does not refer to any field
#include "social.h"
int f(prax_session *s);
int f(prax_session *s)
{
    return social_item_update(s, social_item_by_id(1), .version = prax_set(2));
}
