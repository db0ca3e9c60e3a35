/* probe_help.c - see probe_help.h. */
#include "loader/probe_help.h"

#include <string.h>

static const struct probe_help all[] = {
#define PRAX_VERB(name, text)                                                       \
    { #name "__start", "record, model, sql, fingerprint, connection  (" text ")" }, \
        { #name "__done", "record, model, sql, ns, rows, status  (" text ")" },
#include "usdt/probes.def"
    { "pool__wait__start", "record, pool size, in use" },
    { "pool__wait__done", "record, ns, status" },
    { "conn__open", "connection, driver, status" },
    { "conn__close", "connection" },
    { "stmt__prepare__start", "record, sql, fingerprint" },
    { "stmt__prepare__done", "record, sql, ns, status" },
    { "tx__begin", "transaction, connection, depth" },
    { "tx__commit", "transaction, depth, status" },
    { "tx__rollback", "transaction, depth" },
    { "schema__parse__start", "file, bytes" },
    { "schema__parse__done", "file, models, errors" },
    { "alloc", "address, bytes, purpose, record, number of the purpose" },
    { "free", "address, bytes, purpose, record, number of the purpose" },
    { "error", "record, code, message" },
    { "migrate__step__start", "migration, sql" },
    { "migrate__step__done", "migration, sql, ns, status" },
    { "json__done", "record, rows, bytes" },
};

const struct probe_help *probe_help__all(size_t *n)
{
    *n = sizeof all / sizeof all[0];
    return all;
}

const char *probe_help__of(const char *name)
{
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        if (strcmp(all[i].name, name) == 0)
            return all[i].arguments;
    }
    return NULL;
}
