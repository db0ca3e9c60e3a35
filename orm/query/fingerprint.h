/* fingerprint.h - one number for all statements that differ only in values.
 *
 * XXH3 (64 bits, unseeded) of the normalised text: tokens separated by one blank; comments and
 * white space gone, a last semicolon too; words in lower case (quoted names as they are); numbers,
 * strings, blobs and every form of placeholder become ?; "?, ?, ?" becomes "?", and "(?), (?)"
 * becomes "(?)", so a list or a bulk insert of any length is one statement. Stable between runs and
 * versions. The rules, one by one, with test vectors: docs/probes.md.
 */
#ifndef PXI_QUERY_FINGERPRINT_H
#define PXI_QUERY_FINGERPRINT_H
#include <stddef.h>
#include <stdint.h>

/* Of sql[size]; 0 = out of memory, else never 0. */
uint64_t pxi_fingerprint(const char *sql, size_t size);
/* The normalised text into to[2 * size + 1]; returns its size. */
size_t pxi_fingerprint_text(const char *sql, size_t size, char *to);

#endif
