/* check_config.c - generator and datasource blocks. */
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
    pxi_diag(k->diags, UNKNOWN_PROPERTY, p->name.at, p->name.text, kind, s.best);
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

static void check_generator(struct pxi_checker *k, const struct pxi_config *config)
{
    static const char *const names[] = { "prefix", "out" };
    const struct pxi_property *found[2] = { NULL, NULL };
    if (strcmp(config->name.text, "c") != 0)
        pxi_diag(k->diags, UNKNOWN_GENERATOR, config->name.at, config->name.text);
    collect(k, config, "generator", names, found, 2);
    if (found[0]) {
        check_prefix(k, found[0]);
    } else {
        pxi_diag(k->diags, NO_PROPERTY, config->at, "the generator", "prefix",
                 "prefix = \"blog\"; it begins every generated name");
    }
    k->schema->out = ".";
    if (!found[1])
        return;
    const struct pxi_value *v = found[1]->value.items;
    if (v->kind == PXI_VALUE_TEXT && *v->text) {
        k->schema->out = v->text;
    } else {
        pxi_diag(k->diags, PROPERTY_VALUE, v->at, "out",
                 "a folder in quotes, relative to this file", "write out = \"gen\"");
    }
}

static void check_provider(struct pxi_checker *k, const struct pxi_value *v)
{
    if (v->kind != PXI_VALUE_WORD) {
        pxi_diag(k->diags, PROPERTY_VALUE, v->at, "provider", "sqlite or a list with it",
                 "write provider = sqlite, without quotes");
    } else if (!strcmp(v->text, "postgres") || !strcmp(v->text, "postgresql")) {
        pxi_diag(k->diags, PROVIDER_NOT_YET, v->at, v->text);
    } else if (strcmp(v->text, "sqlite") != 0) {
        struct pxi_suggest s = { .word = v->text };
        pxi_suggest_offer(&s, "sqlite");
        pxi_diag(k->diags, UNKNOWN_PROVIDER, v->at, v->text, s.best);
    }
}

static void check_providers(struct pxi_checker *k, const pxi_values *values)
{
    const struct pxi_value *v = values->items;
    if (v->kind != PXI_VALUE_LIST) {
        check_provider(k, v);
        return;
    }
    if (v->items == 0) {
        pxi_diag(k->diags, PROPERTY_VALUE, v->at, "provider", "sqlite or a list with it",
                 "write provider = sqlite");
    }
    for (uint32_t i = 1; i <= v->items; i++) {
        check_provider(k, &v[i]);
        if (i > 1 && v[i].kind == PXI_VALUE_WORD && !strcmp(v[i].text, "sqlite") &&
            !strcmp(v[i - 1].text, "sqlite")) {
            pxi_diag(k->diags, PROPERTY_TWICE, v[i].at, "sqlite",
                     pxi_check_line(k, v[i - 1].at.start));
        }
    }
}

static void check_datasource(struct pxi_checker *k, const struct pxi_config *config)
{
    static const char *const names[] = { "provider" };
    const struct pxi_property *found[1] = { NULL };
    collect(k, config, "datasource", names, found, 1);
    if (found[0]) {
        check_providers(k, &found[0]->value);
    } else {
        pxi_diag(k->diags, NO_PROPERTY, config->at, "the datasource", "provider",
                 "provider = sqlite");
    }
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
