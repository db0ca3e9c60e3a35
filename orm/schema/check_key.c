/* check_key.c - primary key, unique keys and indexes of a model.
 *
 * The tree gets them in one list: the primary key, then the unique ones in the order they were
 * written, fields before @@unique, then the indexes. Names in the database are those that
 * PostgreSQL would choose: TABLE_FIELDS_key and TABLE_FIELDS_idx.
 */
#include "orm/schema/check.h"
#include <string.h>

static struct pxi_key *add_key(struct pxi_checker *k, struct pxi_model *m, enum pxi_key_kind kind,
                               struct pxi_span at)
{
    if (m->keys.count == PXI_KEYS_MAX) {
        pxi_diag(k->diags, TOO_MANY, at, "64", "keys and indexes in a model");
        return NULL;
    }
    struct pxi_key *key = pxi_list_add(k->arena, &m->keys);
    if (key)
        *key = (struct pxi_key){ .kind = kind, .at = at };
    return key;
}

static void add_key_column(struct pxi_checker *k, struct pxi_key *key, uint32_t column)
{
    uint16_t *room = pxi_list_add(k->arena, &key->columns);
    if (room)
        *room = (uint16_t)column;
}

/* A key of one field, from @id or @unique. */
static void add_field_key(struct pxi_checker *k, struct pxi_model *m, uint32_t column,
                          const char *attr, enum pxi_key_kind kind)
{
    const struct pxi_column *c = &m->columns.items[column];
    for (uint32_t i = 0; i < c->attrs.count; i++) {
        const struct pxi_attr *a = &c->attrs.items[i];
        if (strcmp(a->name.text, attr) != 0)
            continue;
        if (c->type == PRAX_T_Json)
            pxi_diag(k->diags, KEY_TYPE, a->at, "Json");
        struct pxi_key *key = add_key(k, m, kind, a->at);
        if (key)
            add_key_column(k, key, column);
        return;
    }
}

uint32_t pxi_check_find_column(const struct pxi_model *m, const char *name)
{
    uint32_t i = 0;
    while (i < m->columns.count && strcmp(m->columns.items[i].name.text, name) != 0)
        i++;
    return i;
}

void pxi_check_unknown_column(struct pxi_checker *k, const struct pxi_model *m,
                              const struct pxi_value *v)
{
    struct pxi_suggest s = { .word = v->text };
    for (uint32_t i = 0; i < m->columns.count; i++)
        pxi_suggest_offer(&s, m->columns.items[i].name.text);
    pxi_diag(k->diags, KEY_FIELD, v->at, m->name.text, v->text, s.best);
}

static bool holds(const struct pxi_key *key, uint32_t column)
{
    for (uint32_t i = 0; i < key->columns.count; i++) {
        if (key->columns.items[i] == column)
            return true;
    }
    return false;
}

static void list_column(struct pxi_checker *k, struct pxi_model *m, struct pxi_key *key,
                        const struct pxi_value *v)
{
    uint32_t column = pxi_check_find_column(m, v->text);
    const struct pxi_column *c = &m->columns.items[column];
    if (column == m->columns.count && m->damaged)
        return;
    if (column == m->columns.count) {
        pxi_check_unknown_column(k, m, v);
    } else if (holds(key, column)) {
        pxi_diag(k->diags, KEY_FIELD_TWICE, v->at, v->text);
    } else if (c->type == PRAX_T_Json) {
        pxi_diag(k->diags, KEY_TYPE, v->at, "Json");
    } else if (key->kind == PXI_KEY_ID && c->optional) {
        pxi_diag(k->diags, OPTIONAL_ID, c->type_at);
    } else {
        add_key_column(k, key, column);
    }
}

static bool is_field_list(const pxi_values *args)
{
    if (args->count < 2 || args->items[0].kind != PXI_VALUE_LIST ||
        args->items[0].items != args->count - 1)
        return false;
    for (uint32_t i = 1; i < args->count; i++) {
        if (args->items[i].kind != PXI_VALUE_WORD)
            return false;
    }
    return true;
}

static void add_list_key(struct pxi_checker *k, struct pxi_model *m, const struct pxi_attr *a,
                         enum pxi_key_kind kind)
{
    if (!is_field_list(&a->args)) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name.text,
                 "a list of fields, such as [userId, team]");
        return;
    }
    if (a->args.count - 1 > PXI_KEY_COLUMNS_MAX) {
        pxi_diag(k->diags, TOO_MANY, a->args.items[0].at, "32", "fields in a key");
        return;
    }
    struct pxi_key *key = add_key(k, m, kind, a->at);
    for (uint32_t i = 1; key && i < a->args.count; i++)
        list_column(k, m, key, &a->args.items[i]);
}

static void add_list_keys(struct pxi_checker *k, struct pxi_model *m, const char *attr,
                          enum pxi_key_kind kind)
{
    for (uint32_t i = 0; i < m->attrs.count; i++) {
        if (!strcmp(m->attrs.items[i].name.text, attr))
            add_list_key(k, m, &m->attrs.items[i], kind);
    }
}

static bool same_columns(const struct pxi_key *a, const struct pxi_key *b)
{
    return a->columns.count == b->columns.count && a->columns.count > 0 &&
           !memcmp(a->columns.items, b->columns.items, a->columns.count * sizeof *a->columns.items);
}

static const char *kind_text(const struct pxi_key *key)
{
    static const char *const single[] = { "@id", "@unique", "@@index" };
    static const char *const many[] = { "@@id", "@@unique", "@@index" };
    return key->columns.count > 1 ? many[key->kind] : single[key->kind];
}

static bool is_twice(struct pxi_checker *k, const struct pxi_model *m, uint32_t i)
{
    const struct pxi_key *key = &m->keys.items[i];
    for (uint32_t j = 0; j < i; j++) {
        const struct pxi_key *other = &m->keys.items[j];
        if (!same_columns(key, other))
            continue;
        pxi_diag(k->diags, KEY_TWICE, key->at, kind_text(key), kind_text(other),
                 pxi_check_line(k, other->at.start));
        return true;
    }
    return false;
}

/* "user_id_team" from the C names of the fields, or the columns' names for the database. */
static const char *key_name(struct pxi_checker *k, const struct pxi_model *m,
                            const struct pxi_key *key, bool db)
{
    const char *name = NULL;
    for (uint32_t i = 0; i < key->columns.count; i++) {
        const struct pxi_column *c = &m->columns.items[key->columns.items[i]];
        const char *part = db ? c->db_name : c->c_name;
        name = i == 0 ? part : pxi_concat(k->arena, name, "_", part);
    }
    return name;
}

static void name_key(struct pxi_checker *k, const struct pxi_model *m, struct pxi_key *key)
{
    key->c_name = key_name(k, m, key, false);
    if (key->kind == PXI_KEY_ID)
        return;
    const char *suffix = key->kind == PXI_KEY_INDEX ? "_idx" : "_key";
    key->db_name = pxi_concat(k->arena, m->table, "_", key_name(k, m, key, true), suffix);
    const char *owner = key->kind == PXI_KEY_INDEX ? "an index" : NULL;
    pxi_check_object(k, key->db_name, owner, key->at);
}

static void check_primary(struct pxi_checker *k, const struct pxi_model *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->keys.count; i++) {
        const struct pxi_key *key = &m->keys.items[i];
        if (key->kind == PXI_KEY_ID && n++ > 0)
            pxi_diag(k->diags, ID_TWICE, key->at, pxi_check_line(k, m->keys.items[0].at.start));
    }
    if (n == 0 && !m->damaged)
        pxi_diag(k->diags, NO_ID, m->name.at, m->name.text);
}

void pxi_check_keys(struct pxi_checker *k, struct pxi_model *m)
{
    for (uint32_t i = 0; i < m->columns.count; i++)
        add_field_key(k, m, i, "@id", PXI_KEY_ID);
    add_list_keys(k, m, "@@id", PXI_KEY_ID);
    check_primary(k, m);
    for (uint32_t i = 0; i < m->columns.count; i++) {
        if (!m->columns.items[i].id)
            add_field_key(k, m, i, "@unique", PXI_KEY_UNIQUE);
    }
    add_list_keys(k, m, "@@unique", PXI_KEY_UNIQUE);
    m->unique_keys = m->keys.count;
    add_list_keys(k, m, "@@index", PXI_KEY_INDEX);
    for (uint32_t i = 0; i < m->keys.count; i++) {
        if (!is_twice(k, m, i))
            name_key(k, m, &m->keys.items[i]);
    }
}
