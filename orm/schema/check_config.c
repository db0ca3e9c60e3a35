/* check_config.c - generator and datasource blocks: prefix, out, providers, url. */
#include "orm/schema/check.h"
#include <string.h>

/* The index of the property's name in names[n], or n after a diagnostic. */
static size_t find_property(struct pxi_checker *k, const struct pxi_property *p, const char *kind,
                            const char *const *names, size_t n)
{
    struct pxi_suggest s = { .word = p->name.text };
    for (size_t i = 0; i < n; i++) {
        if (!strcmp(names[i], p->name.text))
            return i;
        pxi_suggest_offer(&s, names[i]);
    }
    const char *near = !strcmp(p->name.text, "output") ? "out" : s.best;
    const char *hint = *kind == 'g' ? "a generator has prefix, out and queries"
                                    : "a datasource has provider and url";
    if (near)
        hint = pxi_concat(k->arena, "did you mean '", near, "'?");
    pxi_diag(k->diags, UNKNOWN_PROPERTY, p->name.at, p->name.text, kind, hint);
    return n;
}

/* The properties of a block by the place of their names in names[n]; found[n] is filled. */
static void collect(struct pxi_checker *k, const struct pxi_config *config, const char *kind,
                    const char *const *names, const struct pxi_property **found, size_t n)
{
    for (uint32_t i = 0; i < config->properties.count; i++) {
        const struct pxi_property *p = &config->properties.items[i];
        size_t at = find_property(k, p, kind, names, n);
        if (at < n && found[at]) {
            pxi_diag(k->diags, PROPERTY_TWICE, p->name.at, p->name.text,
                     pxi_check_line(k, found[at]->name.at.start));
        } else if (at < n) {
            found[at] = p;
        }
    }
}

static const char *prefix_reserved(const char *prefix)
{
    if (!strcmp(prefix, "prax") || !strncmp(prefix, "prax_", 5) || !strncmp(prefix, "pxi_", 4))
        return "belongs to libprax";
    return pxi_name_reserved(prefix);
}

static bool is_prefix(const char *text)
{
    size_t size = strlen(text);
    return size <= PXI_PREFIX_MAX && pxi_name_shape(text) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_") == size;
}

static void check_prefix(struct pxi_checker *k, const struct pxi_property *p)
{
    const struct pxi_value *v = p->value.items;
    if (v->kind != PXI_VALUE_TEXT || !is_prefix(v->text)) {
        pxi_diag(k->diags, PROPERTY_VALUE, v->at, "prefix",
                 "up to 31 small letters, digits and single underscores in quotes",
                 "it begins every generated name: prefix = \"blog\" gives blog_user_find_many");
        return;
    }
    const char *why = prefix_reserved(v->text);
    if (why)
        pxi_diag(k->diags, PREFIX_RESERVED, v->at, v->text, why);
    k->schema->prefix = why ? NULL : v->text;
}

/* The text of a property; "." after a diagnostic. */
static const char *path_of(struct pxi_checker *k, const struct pxi_property *p, const char *takes,
                           const char *hint)
{
    const struct pxi_value *v = p->value.items;
    if (v->kind == PXI_VALUE_TEXT && *v->text)
        return v->text;
    pxi_diag(k->diags, PROPERTY_VALUE, v->at, p->name.text, takes, hint);
    return ".";
}

static void check_generator(struct pxi_checker *k, const struct pxi_config *config)
{
    static const char *const names[] = { "prefix", "out", "queries" };
    const struct pxi_property *found[3] = { NULL, NULL, NULL };
    if (strcmp(config->name.text, "c") != 0)
        pxi_diag(k->diags, UNKNOWN_GENERATOR, config->name.at, config->name.text);
    collect(k, config, "generator", names, found, 3);
    if (found[0]) {
        check_prefix(k, found[0]);
    } else {
        pxi_diag(k->diags, NO_PROPERTY, config->at, "the generator", "prefix",
                 "prefix = \"blog\"; it begins every generated name");
    }
    k->schema->out = ".";
    if (found[1]) {
        k->schema->out = path_of(k, found[1], "a folder in quotes, relative to this file",
                                 "write out = \"gen\"");
    }
    if (found[2]) {
        k->schema->queries = path_of(k, found[2], "a file in quotes, relative to this file",
                                     "write queries = \"queries.sql\"");
    }
}

static void unknown_provider(struct pxi_checker *k, const struct pxi_value *v)
{
    struct pxi_suggest s = { .word = v->text };
    pxi_suggest_offer(&s, "sqlite");
    pxi_suggest_offer(&s, "postgresql");
    pxi_suggest_offer(&s, "postgres");
    const char *hint = "the providers are sqlite and postgresql";
    if (s.best)
        hint = pxi_concat(k->arena, "did you mean '", s.best, "'?");
    pxi_diag(k->diags, UNKNOWN_PROVIDER, v->at, v->text, hint);
}

/* PXI_DATABASES if it names none, or is NULL. */
static enum pxi_database database_of(const char *name)
{
    if (name && !strcmp(name, "sqlite"))
        return PXI_DB_SQLITE;
    bool postgres = name && (!strcmp(name, "postgres") || !strcmp(name, "postgresql"));
    return postgres ? PXI_DB_POSTGRES : PXI_DATABASES;
}

/* The database that a provider names; PXI_DATABASES after a diagnostic. */
static enum pxi_database provider_of(struct pxi_checker *k, const struct pxi_value *v)
{
    static const char *const takes = "sqlite, postgresql or a list of both";
    enum pxi_database db = database_of(v->text);
    bool word = v->kind == PXI_VALUE_WORD, text = v->kind == PXI_VALUE_TEXT && *v->text;
    if (word && db < PXI_DATABASES)
        return db;
    if (text && db < PXI_DATABASES) {
        pxi_diag(k->diags, PROPERTY_VALUE, v->at, "provider", takes,
                 pxi_concat(k->arena, "write ", v->text, ", without quotes"));
    } else if (word || text) {
        unknown_provider(k, v);
    } else {
        pxi_diag(k->diags, PROPERTY_VALUE, v->at, "provider", takes,
                 "write provider = sqlite, without quotes");
    }
    return PXI_DATABASES;
}

static void check_providers(struct pxi_checker *k, const pxi_values *values)
{
    const struct pxi_value *v = values->items, *first[PXI_DATABASES + 1] = { NULL };
    bool list = v->kind == PXI_VALUE_LIST;
    if (list && v->items == 0) {
        pxi_diag(k->diags, PROPERTY_VALUE, v->at, "provider",
                 "sqlite, postgresql or a list of both", "write provider = sqlite");
    }
    for (uint32_t i = list; i < values->count; i = pxi_value_next(v, i)) {
        enum pxi_database db = provider_of(k, &v[i]);
        if (db < PXI_DATABASES && first[db]) {
            pxi_diag(k->diags, PROPERTY_TWICE, v[i].at, v[i].text,
                     pxi_check_line(k, first[db]->at.start));
        }
        first[db] = &v[i];
    }
    for (int db = 0; db < PXI_DATABASES; db++)
        k->schema->database[db] = first[db] != NULL;
}

static bool is_variable(const char *name)
{
    size_t size = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_");
    return size > 0 && name[size] == 0 && !(name[0] >= '0' && name[0] <= '9');
}

/* "..." or env("NAME") */
static void check_url(struct pxi_checker *k, const pxi_values *values)
{
    const struct pxi_value *v = values->items;
    struct pxi_schema *schema = k->schema;
    bool env = v->kind == PXI_VALUE_CALL && !strcmp(v->text, "env") && v->items == 1 &&
               v[1].kind == PXI_VALUE_TEXT && !v[1].name && is_variable(v[1].text);
    if (env || (v->kind == PXI_VALUE_TEXT && *v->text)) {
        schema->url = v[env].text;
        schema->url_is_env = env;
        return;
    }
    pxi_diag(k->diags, PROPERTY_VALUE, v->at, "url", "a string or env(\"NAME\")",
             "write url = env(\"DATABASE_URL\")");
}

static void check_datasource(struct pxi_checker *k, const struct pxi_config *config)
{
    static const char *const names[] = { "provider", "url" };
    const struct pxi_property *found[2] = { NULL, NULL };
    collect(k, config, "datasource", names, found, 2);
    if (found[0]) {
        check_providers(k, &found[0]->value);
    } else {
        pxi_diag(k->diags, NO_PROPERTY, config->at, "the datasource", "provider",
                 "provider = sqlite");
    }
    if (found[1])
        check_url(k, &found[1]->value);
}

void pxi_check_config(struct pxi_checker *k)
{
    const struct pxi_schema *s = k->schema;
    struct pxi_span top = { 0, 0 };
    if (s->generators.count == 0) {
        pxi_diag(k->diags, NO_BLOCK, top, "generator", "generator c { prefix = \"blog\" }");
    } else {
        check_generator(k, &s->generators.items[0]);
    }
    if (s->datasources.count == 0) {
        pxi_diag(k->diags, NO_BLOCK, top, "datasource", "datasource db { provider = sqlite }");
    } else {
        check_datasource(k, &s->datasources.items[0]);
    }
    if (s->models.count == 0) {
        pxi_diag(k->diags, NO_BLOCK, top, "model",
                 "model User { ... } with a field id Int @id @auto");
    }
    for (uint32_t i = 1; i < s->generators.count; i++) {
        pxi_diag(k->diags, BLOCK_TWICE, s->generators.items[i].at, "generator",
                 pxi_check_line(k, s->generators.items[0].at.start));
    }
    for (uint32_t i = 1; i < s->datasources.count; i++) {
        pxi_diag(k->diags, BLOCK_TWICE, s->datasources.items[i].at, "datasource",
                 pxi_check_line(k, s->datasources.items[0].at.start));
    }
}
