/* cursor.h - reading little-endian numbers from bytes that may lie about their length.
 *
 * A read past the end yields 0, moves to the end and marks the cursor bad; loops that end at the
 * end therefore end, and one look at `bad` at the close of a record tells whether it was whole. */
#ifndef LOADER_UNWIND_CURSOR_H
#define LOADER_UNWIND_CURSOR_H
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct cursor {
    const uint8_t *at, *end;
    bool bad;
};

/* The next size bytes, or NULL. */
static inline const uint8_t *cursor__skip(struct cursor *c, uint64_t size)
{
    if (size > (uint64_t)(c->end - c->at)) {
        c->at = c->end;
        c->bad = true;
        return NULL;
    }
    const uint8_t *p = c->at;
    c->at += size;
    return p;
}

/* An unsigned number of size (1, 2, 4, 8) bytes. */
static inline uint64_t cursor__uint(struct cursor *c, size_t size)
{
    const uint8_t *p = cursor__skip(c, size);
    uint64_t v = 0;
    if (p != NULL)
        memcpy(&v, p, size);
    return v;
}

static inline uint8_t cursor__u8(struct cursor *c)
{
    return (uint8_t)cursor__uint(c, 1);
}

/* A signed number of size (2, 4, 8) bytes, extended. */
static inline uint64_t cursor__int(struct cursor *c, size_t size)
{
    unsigned unused = 64 - 8 * (unsigned)size;
    return (uint64_t)((int64_t)(cursor__uint(c, size) << unused) >> unused);
}

/* Bits beyond 64 are dropped. */
static inline uint64_t cursor__uleb(struct cursor *c)
{
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t b;
    do {
        b = cursor__u8(c);
        if (shift < 64)
            v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
    } while ((b & 0x80) != 0);
    return v;
}

static inline int64_t cursor__sleb(struct cursor *c)
{
    uint64_t v = 0;
    unsigned shift = 0;
    uint8_t b;
    do {
        b = cursor__u8(c);
        if (shift < 64)
            v |= (uint64_t)(b & 0x7f) << shift;
        shift += 7;
    } while ((b & 0x80) != 0);
    if (shift < 64 && (b & 0x40) != 0)
        v |= ~(uint64_t)0 << shift;
    return (int64_t)v;
}

#endif
