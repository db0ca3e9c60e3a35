/* names.h - from schema names to C names, and what stands in the way of one. */
#ifndef PXI_SCHEMA_NAMES_H
#define PXI_SCHEMA_NAMES_H
#include "orm/schema/schema.h"

/* A set of names with what each one stands for; in an arena. */
struct pxi_symbol {
    const char *name;
    uint64_t hash;
    const char *owner;  /* "model 'User'", for messages */
    struct pxi_span at; /* where it was declared */
    const void *value;
};
struct pxi_symbols {
    struct pxi_arena *arena;
    struct pxi_symbol **table; /* open addressing; table[size], size a power of two */
    uint32_t count, size;
};
/* Room for n names without growing. */
void pxi_symbols_reserve(struct pxi_symbols *s, uint32_t n);
/* The symbol of this name, or NULL. */
struct pxi_symbol *pxi_symbol_find(const struct pxi_symbols *s, const char *name);
/* Puts *symbol in (its name and owner must live as long as the arena); an equal one that is there
 * already is returned instead. NULL: it is new, or memory is out. */
struct pxi_symbol *pxi_symbol_add(struct pxi_symbols *s, const struct pxi_symbol *symbol);

/* Names with a number each, in an arena; for one model after the other, so emptying it is free. */
enum { PXI_SET_NONE = UINT32_MAX };
struct pxi_set {
    struct pxi_arena *arena;
    struct pxi_set_slot {
        const char *name;
        uint32_t hash, item, round;
    } * slots; /* slots[size], open addressing, size a power of two; in use if round is the set's */
    uint32_t count, size, round;
};
void pxi_set_clear(struct pxi_set *s);
/* The item of this name, or PXI_SET_NONE. */
uint32_t pxi_set_find(const struct pxi_set *s, const char *name);
/* Puts the name in; the item of an equal one that is there already is returned instead.
 * PXI_SET_NONE: it is new, or memory is out. */
uint32_t pxi_set_add(struct pxi_set *s, const char *name, uint32_t item);
/* The same for who has the hash already: names are the longest of the way into a set. */
uint32_t pxi_name_hash(const char *name);
uint32_t pxi_set_add_hashed(struct pxi_set *s, const char *name, uint32_t hash, uint32_t item);

/* publicId -> public_id: an underscore in front of a capital that follows a small letter or digit.
 * NULL: out of memory. The name itself, here and in pxi_lower, if that changes nothing. */
const char *pxi_snake(struct pxi_arena *a, const char *name);
const char *pxi_upper(struct pxi_arena *a, const char *name);
const char *pxi_lower(struct pxi_arena *a, const char *name);
/* The parts one behind the other; NULL when memory is out or a part is NULL. parts[n]. */
const char *pxi_join(struct pxi_arena *a, const char *const *parts, size_t n);
#define pxi_concat(a, ...)                              \
    pxi_join((a), (const char *const[]){ __VA_ARGS__ }, \
             sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

/* The name that PostgreSQL itself would choose for a constraint or an index: "table_columns_label",
 * where what is longer of table and columns is shortened to PXI_NAME_MAX bytes in all. */
const char *pxi_object_name(struct pxi_arena *a, const char *table, const char *columns,
                            const char *label);

/* Why a struct member of this C name would not compile, to stand behind "which"; or NULL. */
const char *pxi_name_reserved(const char *c_name);
/* Letters, digits and single underscores, with a letter in front and no underscore behind: so
 * generated names with an underscore behind can never meet one of the schema. */
bool pxi_name_shape(const char *name);

/* Gives every C name that the generator will write to its owner; two owners are a diagnostic. */
void pxi_names_check(const struct pxi_schema *schema, struct pxi_diags *diags);

#endif
