/* map.c - see map.h. Invariant: table_size is a power of two > 4/3 of count. */
#include "orm/base/map.h"
#include <stdlib.h>
#include <string.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

uint64_t pxi_hash(const void *p, size_t size)
{
    return XXH3_64bits(p, size);
}

void pxi_map_init(struct pxi_map *m)
{
    memset(m, 0, sizeof *m);
    pxi_arena_init(&m->keys, NULL, 0);
}

void pxi_map_free(struct pxi_map *m)
{
    free(m->entries);
    free(m->table);
    pxi_arena_free(&m->keys);
    pxi_map_init(m);
}

static uint32_t *slot_of(const struct pxi_map *m, uint64_t hash, const void *key, size_t key_size)
{
    size_t mask = m->table_size - 1;
    for (size_t i = (size_t)hash & mask;; i = (i + 1) & mask) {
        uint32_t at = m->table[i];
        if (at == 0)
            return &m->table[i];
        const struct pxi_map_entry *e = &m->entries[at - 1];
        if (e->hash == hash && e->key_size == key_size && memcmp(e->key, key, key_size) == 0)
            return &m->table[i];
    }
}

struct pxi_map_entry *pxi_map_get(const struct pxi_map *m, const void *key, size_t key_size)
{
    if (m->count == 0)
        return NULL;
    uint32_t at = *slot_of(m, pxi_hash(key, key_size), key, key_size);
    return at ? &m->entries[at - 1] : NULL;
}

static bool grow_table(struct pxi_map *m)
{
    size_t size = m->table_size ? m->table_size * 2 : 16;
    uint32_t *table = calloc(size, sizeof *table);
    if (!table)
        return false;
    free(m->table);
    m->table = table;
    m->table_size = size;
    for (size_t i = 0; i < m->count; i++) {
        const struct pxi_map_entry *e = &m->entries[i];
        *slot_of(m, e->hash, e->key, e->key_size) = (uint32_t)i + 1;
    }
    return true;
}

static bool grow_entries(struct pxi_map *m)
{
    size_t capacity = m->capacity ? m->capacity * 2 : 16;
    struct pxi_map_entry *entries = reallocarray(m->entries, capacity, sizeof *entries);
    if (!entries)
        return false;
    m->entries = entries;
    m->capacity = capacity;
    return true;
}

struct pxi_map_entry *pxi_map_put(struct pxi_map *m, const void *key, size_t key_size, bool *is_new)
{
    uint64_t hash = pxi_hash(key, key_size);
    if (is_new)
        *is_new = false;
    if (m->count) {
        uint32_t at = *slot_of(m, hash, key, key_size);
        if (at)
            return &m->entries[at - 1];
    }
    if ((m->count + 1) * 4 > m->table_size * 3 && !grow_table(m))
        return NULL;
    if (m->count == m->capacity && !grow_entries(m))
        return NULL;
    void *copy = pxi_arena_copy(&m->keys, key, key_size);
    if (!copy || m->count >= UINT32_MAX - 1)
        return NULL;
    m->entries[m->count] = (struct pxi_map_entry){ hash, copy, key_size, NULL };
    *slot_of(m, hash, key, key_size) = (uint32_t)++m->count;
    if (is_new)
        *is_new = true;
    return &m->entries[m->count - 1];
}
