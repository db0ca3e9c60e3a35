/* limits.h - every limit of the schema compiler, each with its reason. Beyond one is an error with
 * a position, never a cut. */
#ifndef PXI_SCHEMA_LIMITS_H
#define PXI_SCHEMA_LIMITS_H

enum {
    PXI_SCHEMA_MAX = 64 << 20, /* bytes: 1000 times the largest schema we have seen, and a
                                  second's work */
    PXI_NAME_MAX = 63,         /* bytes of a name: PostgreSQL cuts longer ones silently */
    PXI_PREFIX_MAX = 31,       /* bytes: it begins every generated name */
    PXI_TEXT_MAX = 4096,       /* bytes of a string; C compilers must take literals of 4095 */
    PXI_SQL_MAX = 64 << 10,    /* bytes of a """string""": of a view's SELECT or a trigger */
    PXI_DEPTH_MAX = 4,         /* brackets within each other: an argument, a list, a call */
    PXI_NUMBER_MAX = 63,       /* bytes of a number: any double can be written with less */
    PXI_COLUMNS_MAX = 1000,    /* a model: SQLite takes 2000; 40 bytes each stay below the 64 KiB
                                  that an offset of the tables can say */
    PXI_ALL_COLUMNS_MAX = 1 << 20, /* a schema: as many as PXI_SCHEMA_MAX holds of real ones */
    PXI_MODELS_MAX = 65535,        /* relations name their target in 16 bits */
    PXI_ENUMS_MAX = 4096,
    PXI_LABELS_MAX = 1000,    /* an enum: all of them stand in a CHECK */
    PXI_KEY_COLUMNS_MAX = 32, /* PostgreSQL's limit of an index */
    PXI_KEYS_MAX = 64,        /* a model: SQLite joins 64 tables at most, nobody has more indexes */
    PXI_ARGS_MAX = 64,        /* of an attribute, and items of a list */
    PXI_ERRORS_MAX = 1000,    /* shown; more help nobody and would be a way to fill memory */
};

#endif
