/* check_key.c - primary key, unique keys, indexes and checks of a model.
 *
 * The tree gets the keys in one list: the primary key, then the unique ones in the order they were
 * written, fields before @@unique, then the indexes, fields before @@index. Names in the database,
 * unless map: says another, are those that PostgreSQL would choose: TABLE_FIELDS_key,
 * TABLE_FIELDS_idx, TABLE_check. Tables, indexes and unique keys share one space of names there.
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
    struct pxi_key *key = pxi_list_add(&k->scratch, &m->keys);
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

/* ---- arguments ---- */

enum { FIELDS, MAP, NAME, TYPE, WHERE, SORT, KEY_ARGS };
static const char *const arg_names[KEY_ARGS] = { "fields", "map", "name", "type", "where", "sort" };

static bool is_text(const struct pxi_value *v)
{
    return v->kind == PXI_VALUE_TEXT;
}

static bool set_type(struct pxi_checker *k, struct pxi_key *key, const struct pxi_value *v)
{
    static const char *const names[] = { "btree", "hash", "gin", "gist", "spgist", "brin" };
    const char *name = v->kind == PXI_VALUE_WORD ? pxi_lower(k->arena, v->text) : "";
    for (unsigned i = 0; name && i < sizeof names / sizeof *names; i++) {
        if (strcmp(names[i], name) != 0)
            continue;
        key->type = (enum pxi_index_type)i;
        return i == PXI_INDEX_BTREE ||
               pxi_check_pg_only(k, v->at, pxi_concat(k->arena, "an index of type ", v->text),
                                 "remove the type: an index of SQLite is a BTree");
    }
    pxi_diag(k->diags, INDEX_TYPE, v->at, v->text ? v->text : "[]");
    return false;
}

/* "Desc" or "Asc": 1 or 0; -1 after a diagnostic. */
static int sort_of(struct pxi_checker *k, const struct pxi_value *v, const char *attr)
{
    bool desc = v->kind == PXI_VALUE_WORD && !strcmp(v->text, "Desc");
    if (desc || (v->kind == PXI_VALUE_WORD && !strcmp(v->text, "Asc")))
        return desc;
    pxi_diag(k->diags, ATTRIBUTE_ARGS, v->at, attr, "sort: Asc or sort: Desc");
    return -1;
}

static void key_map(struct pxi_checker *k, struct pxi_key *key, const struct pxi_value *v)
{
    if (is_text(v) && pxi_check_db_name(k, v->text, "key", v->at))
        key->db_name = v->text;
}

/* name: of a key is what it is called in C (User.by_NAME); of an index, another word for map. */
static void key_c_name(struct pxi_checker *k, struct pxi_key *key, const struct pxi_value *v)
{
    if (key->kind == PXI_KEY_INDEX) {
        key_map(k, key, v);
    } else if (!pxi_name_shape(v->text)) {
        pxi_diag(k->diags, NAME_SHAPE, v->at, v->text);
    } else {
        key->c_name = pxi_snake(k->arena, v->text);
    }
}

/* The named arguments of a key; false after a diagnostic. */
static bool key_args(struct pxi_checker *k, struct pxi_key *key, const struct pxi_attr *a,
                     const struct pxi_value *const found[KEY_ARGS])
{
    for (int i = MAP; i <= WHERE; i++) {
        if (i != TYPE && found[i] && !is_text(found[i])) {
            pxi_diag(k->diags, ATTRIBUTE_ARGS, found[i]->at, a->name,
                     pxi_concat(k->arena, arg_names[i], ": with a string"));
            return false;
        }
    }
    if (found[MAP])
        key_map(k, key, found[MAP]);
    if (found[NAME])
        key_c_name(k, key, found[NAME]);
    if (found[WHERE] && pxi_check_sql(k, found[WHERE]->text, a->name, found[WHERE]->at))
        key->where = found[WHERE]->text;
    return !found[TYPE] || set_type(k, key, found[TYPE]);
}

/* Which named arguments an attribute takes, of arg_names from `fields` on. */
static struct pxi_args args_of(const struct pxi_attr *a)
{
    static const char *const list = "a list of fields, such as [userId, team]";
    switch (a->word) {
    case PXI_A_INDEXES:
        return (struct pxi_args){ arg_names, SORT, 1, list };
    case PXI_A_INDEX:
        return (struct pxi_args){ arg_names, KEY_ARGS, 0, "map:, type:, where: and sort: only" };
    case PXI_A_UNIQUE:
        return (struct pxi_args){ arg_names, NAME, 0, "map: \"...\" only" };
    default:
        return (struct pxi_args){ arg_names, TYPE, 1, list };
    }
}

/* ---- fields ---- */

/* What an index of each type cannot be over; kinds of keys have the type BTREE. */
static void check_key_type(struct pxi_checker *k, const struct pxi_key *key,
                           const struct pxi_column *c, struct pxi_span at)
{
    bool open = key->type == PXI_INDEX_GIN || key->type == PXI_INDEX_GIST;
    if ((c->type == PRAX_T_Json || c->list) && !open) {
        bool sqlite = k->schema->database[PXI_DB_SQLITE];
        pxi_diag(k->diags, KEY_TYPE, at, pxi_check_type_text(k, c),
                 sqlite ? NULL : "an index of type: Gin can be over it");
    }
    if (c->ignore && key->kind != PXI_KEY_INDEX)
        pxi_diag(k->diags, IGNORED_KEY, at, c->name.text);
}

/* A key of one field, from @id, @unique or @index. */
static void add_field_key(struct pxi_checker *k, struct pxi_model *m, uint32_t column,
                          enum pxi_attr_word word, enum pxi_key_kind kind)
{
    const struct pxi_column *c = &m->columns.items[column];
    const struct pxi_attr *a = pxi_find_attr(&c->attrs, word);
    const struct pxi_value *found[KEY_ARGS] = { NULL };
    const struct pxi_args args = a ? args_of(a) : (struct pxi_args){ 0 };
    if (!a || (kind != PXI_KEY_ID && !pxi_check_args(k, a, &args, found)))
        return;
    struct pxi_key *key = add_key(k, m, kind, a->at);
    if (!key || !key_args(k, key, a, found))
        return;
    check_key_type(k, key, c, a->at);
    add_key_column(k, key, column);
    if (found[SORT])
        key->desc = sort_of(k, found[SORT], a->name) == 1;
}

static void add_field_keys(struct pxi_checker *k, struct pxi_model *m, enum pxi_attr_word word,
                           enum pxi_key_kind kind)
{
    if (!(k->words >> word & 1))
        return;
    for (uint32_t i = 0; i < m->columns.count; i++) {
        const pxi_attrs *attrs = &m->columns.items[i].attrs;
        bool skip = kind == PXI_KEY_UNIQUE && pxi_find_attr(attrs, PXI_A_ID);
        if (attrs->count && !skip)
            add_field_key(k, m, i, word, kind);
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
    for (uint32_t i = 0; i < m->columns.count && !pxi_diag_full(k->diags); i++)
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

/* createdAt(sort: Desc): behind the name stands one argument. */
static void list_sort(struct pxi_checker *k, struct pxi_key *key, const struct pxi_attr *a,
                      const struct pxi_value *v)
{
    const struct pxi_value *sort = v + 1;
    bool good =
        key->kind == PXI_KEY_INDEX && v->items == 1 && sort->name && !strcmp(sort->name, "sort");
    if (!good) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, v->at, a->name,
                 key->kind == PXI_KEY_INDEX ? "sort: Asc or sort: Desc behind a field"
                                            : "fields without an order");
    } else if (sort_of(k, sort, a->name) == 1) {
        key->desc |= UINT32_C(1) << key->columns.count;
    }
}

/* What @id itself would refuse. */
static void check_id_column(struct pxi_checker *k, const struct pxi_column *c)
{
    if (c->optional)
        pxi_diag(k->diags, OPTIONAL_ID, c->type_at);
    if (c->omit) {
        pxi_diag(k->diags, ATTRIBUTE_CLASH, c->name.at, "@@id", "@omit",
                 "a row is always read with its key");
    } else if (c->more->generated) {
        pxi_diag(k->diags, ATTRIBUTE_CLASH, c->name.at, "@@id", "@generated",
                 "SQLite cannot compute a primary key");
    } else if (c->version) {
        pxi_diag(k->diags, ATTRIBUTE_CLASH, c->name.at, "@@id", "@version",
                 "a key does not change with each update");
    }
}

static void list_column(struct pxi_checker *k, struct pxi_model *m, struct pxi_key *key,
                        const struct pxi_attr *a, const struct pxi_value *v)
{
    uint32_t column = pxi_set_find(&k->fields, v->text);
    if (column == PXI_SET_NONE) {
        if (!m->damaged)
            pxi_check_unknown_column(k, m, v);
        return;
    }
    if (column & PXI_RELATION_ITEM) {
        pxi_diag(k->diags, KEY_RELATION, v->at, v->text);
        return;
    }
    const struct pxi_column *c = &m->columns.items[column];
    if (holds(key, column)) {
        pxi_diag(k->diags, KEY_FIELD_TWICE, v->at, v->text);
        return;
    }
    check_key_type(k, key, c, v->at);
    if (key->kind == PXI_KEY_ID)
        check_id_column(k, c);
    if (v->kind == PXI_VALUE_CALL)
        list_sort(k, key, a, v);
    add_key_column(k, key, column);
}

/* Is this a list of names, each perhaps with arguments? *n of them. */
static bool is_field_list(const struct pxi_value *list, uint32_t *n)
{
    *n = 0;
    if (!list || list->kind != PXI_VALUE_LIST || list->items == 0)
        return false;
    for (uint32_t i = 1; i <= list->items; i = pxi_value_next(list, i), (*n)++) {
        if (list[i].kind != PXI_VALUE_WORD && list[i].kind != PXI_VALUE_CALL)
            return false;
    }
    return true;
}

/* What an index of its type can do: only BTree has an order, Hash takes one field. */
static void check_index_parts(struct pxi_checker *k, const struct pxi_key *key)
{
    static const char *const names[] = { "BTree", "Hash", "Gin", "Gist", "SpGist", "Brin" };
    if (key->type != PXI_INDEX_BTREE && key->desc)
        pxi_diag(k->diags, INDEX_PART, key->at, names[key->type], "has no order", "remove sort:");
    if ((key->type == PXI_INDEX_HASH || key->type == PXI_INDEX_SPGIST) && key->columns.count > 1)
        pxi_diag(k->diags, INDEX_PART, key->at, names[key->type], "is over one field", NULL);
}

static void add_list_key(struct pxi_checker *k, struct pxi_model *m, const struct pxi_attr *a,
                         enum pxi_key_kind kind)
{
    const struct pxi_args args = args_of(a);
    const struct pxi_value *found[KEY_ARGS] = { NULL };
    uint32_t n;
    if (!pxi_check_args(k, a, &args, found))
        return;
    if (!is_field_list(found[FIELDS], &n)) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name, args.takes);
        return;
    }
    const struct pxi_value *list = found[FIELDS];
    if (n > PXI_KEY_COLUMNS_MAX) {
        pxi_diag(k->diags, TOO_MANY, list->at, "32", "fields in a key");
        return;
    }
    struct pxi_key *key = add_key(k, m, kind, a->at);
    if (!key || !key_args(k, key, a, found))
        return;
    for (uint32_t i = 1; i <= list->items; i = pxi_value_next(list, i))
        list_column(k, m, key, a, &list[i]);
    if (key->columns.count != n) { /* not the key that was meant: it has no consequences */
        key->columns.count = 0;
        m->damaged = true;
    }
    check_index_parts(k, key);
}

static void add_list_keys(struct pxi_checker *k, struct pxi_model *m, enum pxi_attr_word word,
                          enum pxi_key_kind kind)
{
    for (uint32_t i = 0; i < m->attrs.count; i++) {
        if (m->attrs.items[i].word == word)
            add_list_key(k, m, &m->attrs.items[i], kind);
    }
}

/* ---- names ---- */

/* Two indexes over the same fields are none the wiser, unless they differ in what they hold. */
static bool same_columns(const struct pxi_key *a, const struct pxi_key *b)
{
    return a->columns.count == b->columns.count && a->columns.count > 0 && a->type == b->type &&
           a->desc == b->desc && !a->where && !b->where &&
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
        name = i == 0 ? part : pxi_concat(db ? &k->scratch : k->arena, name, "_", part);
    }
    return name;
}

static void name_key(struct pxi_checker *k, const struct pxi_model *m, struct pxi_key *key)
{
    if (!key->c_name)
        key->c_name = key_name(k, m, key, false);
    bool view = m->view && !m->materialized;
    if (!key->db_name && key->kind != PXI_KEY_ID && m->table && !view) {
        const char *columns = key_name(k, m, key, true);
        key->db_name = columns ? pxi_object_name(k->arena, m->table, columns,
                                                 key->kind == PXI_KEY_INDEX ? "idx" : "key")
                               : NULL;
    }
    if (key->db_name && !view) {
        pxi_check_object(k, key->db_name, key->kind == PXI_KEY_INDEX ? "an index" : "a unique key",
                         key->at);
    }
}

static void check_primary(struct pxi_checker *k, const struct pxi_model *m)
{
    uint32_t n = 0;
    for (uint32_t i = 0; i < m->keys.count; i++) {
        const struct pxi_key *key = &m->keys.items[i];
        if (key->kind == PXI_KEY_ID && n++ > 0)
            pxi_diag(k->diags, ID_TWICE, key->at, pxi_check_line(k, m->keys.items[0].at.start));
    }
    if (n == 0 && !m->damaged && !m->view)
        pxi_diag(k->diags, NO_ID, m->name.at, m->name.text);
}

/* ---- checks ---- */

static bool check_name_taken(const struct pxi_model *m, const char *name)
{
    for (uint32_t i = 0; i + 1 < m->checks.count; i++) {
        const char *other = m->checks.items[i].db_name;
        if (other && !strcmp(other, name))
            return true;
    }
    return false;
}

/* TABLE_check, TABLE_check1, ... */
static const char *check_db_name(struct pxi_checker *k, const struct pxi_model *m)
{
    uint32_t n = m->checks.count - 1;
    const char *number = n ? pxi_check_number(k, n) : "";
    return pxi_object_name(k->arena, m->table, NULL, pxi_concat(k->arena, "check", number));
}

static void add_check(struct pxi_checker *k, struct pxi_model *m, const struct pxi_attr *a)
{
    static const char *const names[] = { "sql", "name", "map" };
    static const struct pxi_args args = { names, 3, 1,
                                          "SQL in quotes and perhaps a name: \"...\", or an "
                                          "expression such as a < b" };
    const struct pxi_value *found[3];
    if (!pxi_check_args(k, a, &args, found))
        return;
    const struct pxi_value *name = found[1] ? found[1] : found[2];
    if (!found[0] || !is_text(found[0]) || (name && !is_text(name)) || (found[1] && found[2])) {
        pxi_diag(k->diags, ATTRIBUTE_ARGS, a->at, a->name, args.takes);
        return;
    }
    if (m->checks.count == PXI_KEYS_MAX) {
        pxi_diag(k->diags, TOO_MANY, a->at, "64", "checks in a model");
        return;
    }
    const char *sql = pxi_check_expression(k, m, a, found[0]);
    struct pxi_check *check = pxi_list_add(k->arena, &m->checks);
    if (!sql || !check)
        return;
    check->sql = sql;
    check->db_name = name ? name->text : check_db_name(k, m);
    if (name && !pxi_check_db_name(k, name->text, "check", name->at))
        return;
    if (check->db_name && check_name_taken(m, check->db_name)) {
        pxi_diag(k->diags, TWICE, a->at, "check", check->db_name,
                 pxi_check_line(k, pxi_find_attr(&m->attrs, PXI_A_CHECKS)->at.start));
    }
}

/* The keys were gathered in the checker's room: the model gets a copy of just their size. */
static void keep_keys(struct pxi_checker *k, struct pxi_model *m)
{
    k->keys.items = m->keys.items;
    k->keys.capacity = m->keys.capacity;
    m->keys.capacity = m->keys.count;
    m->keys.items = m->keys.count ? pxi_arena_copy(k->arena, m->keys.items,
                                                   m->keys.count * sizeof *m->keys.items)
                                  : NULL;
    if (!m->keys.items)
        m->keys.count = m->unique_keys = 0;
}

void pxi_check_keys(struct pxi_checker *k, struct pxi_model *m)
{
    m->keys.items = k->keys.items;
    m->keys.capacity = k->keys.capacity;
    add_field_keys(k, m, PXI_A_ID, PXI_KEY_ID);
    add_list_keys(k, m, PXI_A_IDS, PXI_KEY_ID);
    check_primary(k, m);
    add_field_keys(k, m, PXI_A_UNIQUE, PXI_KEY_UNIQUE);
    add_list_keys(k, m, PXI_A_UNIQUES, PXI_KEY_UNIQUE);
    m->unique_keys = m->keys.count;
    add_field_keys(k, m, PXI_A_INDEX, PXI_KEY_INDEX);
    add_list_keys(k, m, PXI_A_INDEXES, PXI_KEY_INDEX);
    for (uint32_t i = 0; i < m->keys.count; i++) {
        if (!is_twice(k, m, i))
            name_key(k, m, &m->keys.items[i]);
    }
    keep_keys(k, m);
    for (uint32_t i = 0; i < m->attrs.count && !pxi_diag_full(k->diags); i++) {
        if (m->attrs.items[i].word == PXI_A_CHECKS)
            add_check(k, m, &m->attrs.items[i]);
    }
}
