/* prax/usdt.h - what an observer may rely on: layouts that a program with Prax in it shows.
 *
 * Three interfaces, all versioned, all readable with no symbol and with the program running:
 *   probes    USDT, provider `prax`, catalogue in usdt/probes.def;
 *   context   a thread-local pointer to the record of the operation that the thread works on now;
 *   stats     counters in per-thread blocks, chained from the descriptor.
 * The descriptor (struct prax_abi) is found by an ELF note: name "prax", type PRAX_NOTE_ABI, its
 * content an s64: address of the descriptor minus address of that s64. Every copy of the library in
 * a process has one of its own.
 *
 * Fixed-width types only; BPF programs and bpftrace include it. Structs grow at their end, and
 * `size` tells by how much. Pointers are the target's: 8 bytes on every supported machine.
 */
#ifndef PRAX_USDT_H
#define PRAX_USDT_H
#ifndef __bpf__
#include <stdint.h>
#endif
/* BPF programs and bpftrace have no such header, or an empty one. */
#if !defined(UINT32_MAX) && !defined(PRAX_USDT_NO_TYPES) /* bpf/core.h has them already */
typedef unsigned char uint8_t;
typedef unsigned short uint16_t;
typedef unsigned int uint32_t;
typedef unsigned long long uint64_t;
typedef int int32_t;
typedef long long int64_t;
#endif

#define PRAX_USDT_VERSION 1
#define PRAX_ABI_MAGIC    0x3149424158415250ull /* "PRAXABI1", little endian */
#define PRAX_NOTE_NAME    "prax"
#define PRAX_NOTE_ABI     1

/* The verbs, in the order of probes.def; 0 = none. */
enum prax_usdt_verb {
    PRAX_USDT_NONE,
    PRAX_USDT_QUERY_MANY,
    PRAX_USDT_QUERY_ONE,
    PRAX_USDT_INSERT,
    PRAX_USDT_UPDATE,
    PRAX_USDT_DELETE,
    PRAX_USDT_RAW_QUERY,
    PRAX_USDT_RAW_EXECUTE,
    PRAX_USDT_VERBS /* how many, none included */
};

/* What an operation is doing right now. */
enum prax_phase {
    PRAX_PHASE_OTHER,   /* between the others */
    PRAX_PHASE_WAIT,    /* for a connection of the pool */
    PRAX_PHASE_BUILD,   /* shape key, plan look-up, SQL text on a miss */
    PRAX_PHASE_PREPARE, /* the database compiles the statement (cache miss) */
    PRAX_PHASE_BIND,    /* values to parameters */
    PRAX_PHASE_EXECUTE, /* the database works */
    PRAX_PHASE_MAP,     /* columns to structs */
    PRAX_PHASE_JSON,    /* rows to JSON text */
    PRAX_PHASES
};

/* What libprax allocates memory for, in the order of usdt/purposes.def. */
enum prax_purpose {
    PRAX_PURPOSE_OTHER, /* one that is not in this list */
    PRAX_PURPOSE_HANDLE,
    PRAX_PURPOSE_POOL,
    PRAX_PURPOSE_DRIVER,
    PRAX_PURPOSE_STATEMENTS,
    PRAX_PURPOSE_PLANS,
    PRAX_PURPOSE_SESSIONS,
    PRAX_PURPOSE_CURSORS,
    PRAX_PURPOSE_ROWS,
    PRAX_PURPOSE_SCRATCH,
    PRAX_PURPOSES /* how many, other included */
};

enum {
    PRAX_OP_TIMED = 1,  /* phases and start_ns are filled: a __done probe was on when it began */
    PRAX_OP_CACHED = 2, /* the plan was in the cache */
    PRAX_OP_CURSOR = 4, /* rows are handed out one by one; open_ns says how long it stood open */
};

/* One operation. Written by the thread that works on it; seq is odd while several fields change
 * together, so a reader from another thread tries again. Probes and samples of the same thread see
 * it whole. */
struct prax_op_record {
    uint32_t size;        /* bytes of this struct */
    uint16_t version;     /* PRAX_USDT_VERSION */
    uint8_t verb;         /* enum prax_usdt_verb */
    uint8_t phase;        /* enum prax_phase */
    uint32_t seq;         /* odd: being written */
    uint32_t flags;       /* PRAX_OP_* */
    uint64_t op_id;       /* thread id << 32 | counter of the thread */
    uint64_t model;       /* const char *: model name, NUL-terminated; "" for raw SQL */
    uint64_t sql;         /* const char *: text with placeholders, NUL-terminated; 0 until built */
    uint64_t fingerprint; /* of the SQL; 0 until built */
    uint32_t model_size;  /* bytes, without the NUL */
    uint32_t sql_size;
    uint64_t parent_id; /* op_id of the operation this one serves, 0 = none */
    /* 64 bytes: what a sampler reads ends here */
    uint64_t tx_id;    /* 0 = no transaction */
    uint64_t conn_id;  /* 0 = not yet */
    uint64_t start_ns; /* CLOCK_MONOTONIC, if PRAX_OP_TIMED */
    uint64_t open_ns;  /* a cursor: from open to close; else 0 */
    uint64_t rows;
    uint64_t bytes_in, bytes_out; /* bound to parameters; read from columns */
    uint64_t allocs;              /* calls of the allocator */
    int32_t status;               /* 0 or negative PRAX_E* */
    uint32_t reserved;
    uint64_t phase_ns[PRAX_PHASES]; /* if PRAX_OP_TIMED; [PRAX_PHASE_OTHER] is not kept */
};

#define PRAX_OP_HEAD_SIZE 64 /* the part that a sampler reads */

/* Counters of one thread: one writer, relaxed stores; a reader sums all blocks of the list, at any
 * time, with no lock. A thread that ends leaves its figures where they are, and the next thread
 * counts on in the same block: blocks are never freed, unlinked or cleared, so a list that was read
 * once only grows at its head. operations[0] is not used; errors[n] counts code -n, errors[0] codes
 * beyond the table. Times are not kept here, but for that of waiting, which is never short. */
#define PRAX_STATS_ERRORS   32
#define PRAX_STATS_PURPOSES 16
struct prax_stats {
    uint64_t next;          /* struct prax_stats *: the list; 0 = end */
    uint32_t size;          /* bytes of this struct */
    uint32_t tid;           /* owner now; 0 = none, or the block of threads without one */
    uint64_t operations[8]; /* by enum prax_usdt_verb */
    uint64_t errors[PRAX_STATS_ERRORS];
    uint64_t rows, bytes_in, bytes_out;
    uint64_t plan_hits, plan_misses, prepares;
    uint64_t pool_waits, pool_timeouts;
    uint64_t tx_begun, tx_committed, tx_rolled_back;
    uint64_t allocs, frees, alloc_bytes, free_bytes; /* libprax's own, arenas included */
    /* gauges: the sum over all blocks is the value now; one block's may be negative */
    int64_t connections, connections_in_use, pool_waiters, sessions, arena_bytes;
    /* counters again: what is added later stands behind what was there */
    uint64_t pool_wait_ns;     /* of all pool_waits: those that found no connection at once */
    uint64_t connect_failures; /* connects that failed, each attempt */
    uint64_t reconnects;       /* connections opened in place of one that broke or was too old */
    /* gauges: of allocs and alloc_bytes what is live, by enum prax_purpose */
    int64_t purpose_blocks[PRAX_STATS_PURPOSES], purpose_bytes[PRAX_STATS_PURPOSES];
};
#define PRAX_STATS_SIZE_MIN 496 /* bytes of the smallest, which ends with arena_bytes */

/* The descriptor. All of it is constant after the library's constructor ran, but stats_head. */
struct prax_abi {
    uint64_t magic;      /* PRAX_ABI_MAGIC; 0 until the constructor ran */
    uint32_t size;       /* bytes of this struct */
    uint32_t version;    /* PRAX_USDT_VERSION */
    int64_t context_tp;  /* address of the thread's context pointer minus its thread pointer */
    uint64_t stats_head; /* struct prax_stats *: first block */
    uint64_t build;      /* const char *: library version */
};

#endif
