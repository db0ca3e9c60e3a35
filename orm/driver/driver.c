/* driver.c - which driver a URL means. */
#include "orm/driver/driver.h"
#include <string.h>

#define URL_HELP "write sqlite:FILE, sqlite::memory: or postgres://USER@HOST/DATABASE"

const struct pxi_driver *pxi_driver_find(const char *url, struct pxi_error *err)
{
    if (!url || !*url) {
        pxi_error_set(err, PRAX_EINVAL, "url: missing; " URL_HELP);
        return NULL;
    }
    if (strncmp(url, "sqlite:", 7) == 0)
        return &pxi_sqlite;
    if (strncmp(url, "postgres:", 9) == 0 || strncmp(url, "postgresql:", 11) == 0)
        return &pxi_postgres;
    /* What stands before the colon only, and nothing that could be a password. */
    int shown = (int)strcspn(url, ":/@?=");
    if (url[shown] == '@' || url[shown] == '=')
        shown = 0;
    pxi_error_set(err, PRAX_EINVAL, "url: %.*s%sno such database; " URL_HELP,
                  shown < 40 ? shown : 40, url, shown ? ": " : "");
    return NULL;
}
