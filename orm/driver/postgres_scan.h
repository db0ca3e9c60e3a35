/* postgres_scan.h - what kind of statement a text is. Pure.
 *
 * The server parses; this only tells texts apart where the protocol does not: whether there is one
 * statement, and whether it reads. It knows literals, comments and quoted names, and no grammar. A
 * function that writes is called by a statement that reads, for all that can be seen here; a READ
 * ONLY transaction is what stops it.
 */
#ifndef PXI_DRIVER_POSTGRES_SCAN_H
#define PXI_DRIVER_POSTGRES_SCAN_H
#include <stdbool.h>
#include <stddef.h>

struct pxi_pg_scan {
    bool empty;    /* no statement */
    bool several;  /* something stands behind a semicolon */
    bool reads;    /* changes nothing */
    bool declares; /* may be a cursor's query: SELECT, VALUES, TABLE, WITH */
};
struct pxi_pg_scan pxi_pg_scan(const char *sql, size_t size);

#endif
