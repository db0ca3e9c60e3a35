/* validate.c - the rules of @validate: what a value must be, before a statement is sent.
 *
 * Rules see the values that a call gives: of create, create_many, and prax_set of update. NULL
 * meets every rule; what prax_add and prax_mul make is the database's to check. Regular expressions
 * are compiled at their first use and kept for the life of the program, found by the address of
 * their rule: a chain a bucket that only grows, so a look-up takes no lock.
 */
#include "orm/base/value.h"
#include "orm/client/client.h"
#include <regex.h>
#include <stdlib.h>
#include <string.h>

/* ---- regular expressions ---- */

struct compiled {
    const prax_rule *rule;
    struct compiled *next;
    regex_t re;
};
enum { BUCKETS = 64 };
static struct compiled *buckets[BUCKETS]; /* atomic */

static struct compiled *find(struct compiled *c, const prax_rule *rule)
{
    while (c && c->rule != rule)
        c = c->next;
    return c;
}

/* NULL: out of memory, for the schema's checker has compiled it, too. */
static const regex_t *regex_of(const prax_rule *rule)
{
    struct compiled **bucket = &buckets[(uintptr_t)rule / sizeof *rule % BUCKETS];
    struct compiled *first = __atomic_load_n(bucket, __ATOMIC_ACQUIRE);
    struct compiled *c = find(first, rule), *mine;
    if (c)
        return &c->re;
    mine = calloc(1, sizeof *mine);
    if (!mine || regcomp(&mine->re, rule->pattern, REG_EXTENDED | REG_NOSUB) != 0) {
        free(mine);
        return NULL;
    }
    mine->rule = rule;
    do {
        if ((c = find(first, rule)) != NULL) { /* another thread was faster */
            regfree(&mine->re);
            free(mine);
            return &c->re;
        }
        mine->next = first;
    } while (!__atomic_compare_exchange_n(bucket, &first, mine, false, __ATOMIC_ACQ_REL,
                                          __ATOMIC_ACQUIRE));
    return &mine->re;
}

/* ---- kinds ---- */

static bool is_word(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Labels of letters, digits and inner hyphens, 63 at most, with points between: HTML's rule. */
static bool is_host(const char *p, size_t size)
{
    size_t label = 0;
    for (size_t i = 0; i < size; i++) {
        if (p[i] == '.') {
            if (label == 0 || p[i - 1] == '-')
                return false;
            label = 0;
        } else if ((!is_word(p[i]) && (p[i] != '-' || label == 0)) || ++label > 63) {
            return false;
        }
    }
    return label > 0 && p[size - 1] != '-';
}

/* As HTML's input type email takes it. */
static bool is_email(const char *text)
{
    size_t local = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                ".!#$%&'*+/=?^_`{|}~-");
    return local > 0 && text[local] == '@' && is_host(text + local + 1, strlen(text + local + 1));
}

/* http or https, a host, maybe a port, and no blanks or controls. */
static bool is_url(const char *text)
{
    size_t scheme = strncmp(text, "http://", 7) == 0    ? 7
                    : strncmp(text, "https://", 8) == 0 ? 8
                                                        : 0;
    const char *host = text + scheme;
    size_t size = strcspn(host, ":/?#");
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p <= ' ' || *p == 0x7f)
            return false;
    }
    if (!scheme || !is_host(host, size))
        return false;
    if (host[size] != ':')
        return true;
    size_t digits = strspn(host + size + 1, "0123456789");
    return digits >= 1 && digits <= 5 && strchr("/?#", host[size + 1 + digits]);
}

static bool is_one_of(const char *text, const char *const *words)
{
    for (; *words; words++) {
        if (strcmp(text, *words) == 0)
            return true;
    }
    return false;
}

/* Characters of UTF-8: bytes that continue none. */
static int64_t characters(const char *text)
{
    int64_t n = 0;
    for (; *text; text++)
        n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

static int64_t length_of(const prax_column *c, const void *src)
{
    if (c->flags & PRAX_C_LIST)
        return (int64_t)((const prax_list_i64 *)src)->count;
    if (c->type == PRAX_T_Bytes)
        return (int64_t)((const prax_bytes *)src)->size;
    return characters(*(const char *const *)src);
}

static bool is_blank(const prax_column *c, const void *src)
{
    if (c->flags & PRAX_C_LIST || c->type == PRAX_T_Bytes)
        return length_of(c, src) == 0;
    const char *text = *(const char *const *)src;
    return text[strspn(text, " \t\r\n\v\f")] == '\0';
}

static int check_length(struct pxi_shape *sh, const prax_column *c, const prax_rule *r,
                        const void *src)
{
    const char *of = c->flags & PRAX_C_LIST    ? "items"
                     : c->type == PRAX_T_Bytes ? "bytes"
                                               : "characters";
    int64_t n = length_of(c, src);
    if (n < r->min)
        return pxi_shape_fail(sh, c, PRAX_ECHECK, "shorter than %lld %s", (long long)r->min, of);
    if (n > r->max)
        return pxi_shape_fail(sh, c, PRAX_ECHECK, "longer than %lld %s", (long long)r->max, of);
    return 0;
}

static int check_range(struct pxi_shape *sh, const prax_column *c, const prax_rule *r,
                       const void *src)
{
    int64_t x;
    bool exact, good = true;
    if (c->type == PRAX_T_Decimal) {
        good =
            pxi_decimal_rescale(*(const prax_decimal *)src, c->scale, PXI_ROUND_NEAR, &x, &exact);
    } else {
        memcpy(&x, src, sizeof x);
    }
    if (good && x >= r->min && x <= r->max)
        return 0;
    return pxi_shape_fail(sh, c, PRAX_ECHECK, "outside of its range");
}

static int check_rule(struct pxi_shape *sh, const prax_column *c, const prax_rule *r,
                      const void *src)
{
    const char *text = *(const char *const *)src;
    const regex_t *re;
    switch (r->kind) {
    case PRAX_RULE_LENGTH:
        return check_length(sh, c, r, src);
    case PRAX_RULE_RANGE:
        return check_range(sh, c, r, src);
    case PRAX_RULE_REAL: {
        double x = *(const double *)src;
        return x >= r->low && x <= r->high
                   ? 0
                   : pxi_shape_fail(sh, c, PRAX_ECHECK, "outside of its range");
    }
    case PRAX_RULE_REGEX:
        re = regex_of(r);
        if (!re)
            return pxi_shape_fail(sh, NULL, PRAX_ENOMEM, "out of memory");
        return regexec(re, text, 0, NULL, 0) == 0
                   ? 0
                   : pxi_shape_fail(sh, c, PRAX_ECHECK, "does not match %s", r->pattern);
    case PRAX_RULE_EMAIL:
        return is_email(text) ? 0 : pxi_shape_fail(sh, c, PRAX_ECHECK, "no e-mail address");
    case PRAX_RULE_URL:
        return is_url(text) ? 0 : pxi_shape_fail(sh, c, PRAX_ECHECK, "no URL of http or https");
    case PRAX_RULE_ONE_OF:
        return is_one_of(text, r->words)
                   ? 0
                   : pxi_shape_fail(sh, c, PRAX_ECHECK, "none of its allowed values");
    default:
        return is_blank(c, src) ? pxi_shape_fail(sh, c, PRAX_ECHECK, "empty") : 0;
    }
}

int pxi_validate(struct pxi_shape *sh, const prax_column *c, const void *src)
{
    const void *p;
    memcpy(&p, src, sizeof p);
    if (!(c->flags & PRAX_C_LIST) && pxi_layouts[c->type].opt_val == 0 && !p)
        return 0; /* a NULL pointer: refused where it is bound */
    for (unsigned i = 0; i < c->n_rules; i++) {
        int rc = check_rule(sh, c, &c->rules[i], src);
        if (rc < 0)
            return rc;
    }
    return 0;
}

int pxi_validate_set(struct pxi_shape *sh, const void *set)
{
    const prax_model *m = sh->m;
    for (unsigned i = 0; i < m->n_columns && m->traits & PRAX_M_RULES; i++) {
        const prax_column *c = &m->columns[i];
        if (c->n_rules == 0 || c->set_off == PRAX_NO_OFF)
            continue;
        const char *w = (const char *)set + c->set_off;
        if (*(const uint8_t *)w != PRAX_WR_SET)
            continue;
        int rc = pxi_validate(sh, c, w + pxi_layout_of(c)->write_v);
        if (rc < 0)
            return rc;
    }
    return 0;
}
