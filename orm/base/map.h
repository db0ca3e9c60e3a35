/* map.h - a hash map from bytes to a pointer-sized value (open addressing, power-of-two table).
 *
 * Keys are copied. Order of iteration is order of insertion, so output is deterministic. Hostile
 * keys degrade it to a scan of one cluster, never to a wrong answer. Not thread-safe.
 */
#ifndef PXI_BASE_MAP_H
#define PXI_BASE_MAP_H
#include "orm/base/arena.h"

struct pxi_map_entry {
    uint64_t hash;
    const void *key;
    size_t key_size;
    void *value;
};

struct pxi_map {
    struct pxi_map_entry *entries; /* entries[count], in order of insertion */
    size_t count, capacity;
    uint32_t *table; /* index + 1 into entries; 0 = free */
    size_t table_size;
    struct pxi_arena keys;
};

void pxi_map_init(struct pxi_map *m);
void pxi_map_free(struct pxi_map *m);
/* The entry of a key, or NULL. The pointer is good until the next put. */
struct pxi_map_entry *pxi_map_get(const struct pxi_map *m, const void *key, size_t key_size);
/* The entry of a key, made with value NULL where there was none; *is_new tells (may be NULL).
 * NULL when out of memory. */
struct pxi_map_entry *pxi_map_put(struct pxi_map *m, const void *key, size_t key_size,
                                  bool *is_new);
/* 64 bits of any bytes (XXH3, unseeded): stable between runs and versions. */
uint64_t pxi_hash(const void *p, size_t size);

#endif
