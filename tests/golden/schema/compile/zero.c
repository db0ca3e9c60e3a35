/* zero.c - what generated structs promise: their sizes, and = {0} on all that users declare. */
#include "blog.h"
#include "lists.h"
#include "social.h"
#define IS_24(T) _Static_assert(sizeof(T) == 24, #T)
IS_24(prax_f_i64);
IS_24(prax_f_f64);
IS_24(prax_f_text);
IS_24(prax_f_time);
IS_24(prax_f_date);
IS_24(prax_f_uuid);
IS_24(prax_f_bytes);
IS_24(prax_f_json);
_Static_assert(sizeof(prax_f_bool) == 16 && sizeof(blog_f_role) == 16, "no order, no second value");
_Static_assert(sizeof(prax_f_dec) == 40 && sizeof(prax_time) == 8, "guards are free");
_Static_assert(sizeof(prax_w_i64) == 16 && sizeof(blog_user_fields) == 1, "writes, field bits");
extern const blog_user_where w;
extern const blog_user_query q;
extern const blog_user_fetch f;
extern const blog_user_new n;
extern const blog_user_set u;
extern const blog_user_key k;
extern const blog_membership_new m;
extern const blog_membership_set s;
const blog_user_where w = { 0 };
const blog_user_query q = { 0 };
const blog_user_fetch f = { 0 };
const blog_user_new n = { 0 };
const blog_user_set u = { 0 };
const blog_user_key k = { 0 };
const blog_membership_new m = { 0 };
const blog_membership_set s = { 0 };
extern const social_post_where rw;
extern const social_post_query rq;
extern const social_post_fetch rf;
extern const social_item_set rs;
extern const social_top_authors_args ra;
extern const lists_row_new ln;
const social_post_where rw = { 0 };
const social_post_query rq = { 0 };
const social_post_fetch rf = { 0 };
const social_item_set rs = { 0 };
const social_top_authors_args ra = { 0 };
const lists_row_new ln = { 0 };
