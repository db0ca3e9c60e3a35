/* cache.c - see cache.h. A file is a header, rules[n_rules], rows[n_rows], in the form that they
 * have in memory; the checksum covers all but itself. */
#include "loader/unwind/cache.h"
#include "orm/base/map.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    NAME_SIZE = 96,         /* 64 digits, a dash, 16 digits, NUL */
    FILE_MAX = 34 << 20,    /* bytes: ROWS_MAX and RULES_MAX of the decoder are just below */
    ROWS_MAX = 4 << 20,     /* of the decoder */
    RULES_MAX = 1 << 16,    /* likewise */
    FOLDER_FILES_MAX = 4096 /* more than fit the limit; what is beyond stays for the next time */
};

struct header {
    uint64_t checksum; /* of what follows */
    char magic[8];
    uint32_t version;
    uint32_t build_id_size;
    uint8_t build_id[32];
    uint64_t elf_bytes;
    uint64_t base, bytes, unsupported;
    uint64_t n_rows, n_rules;
};

static const char magic[8] = "PXROWS\r\n";

/* ---- the folder ---------------------------------------------------------------------------- */

/* Writes the folder's path; false: there is to be none. A program that was given more rights than
 * its caller has does not listen to the caller's environment. */
static bool folder_path(char *path, size_t size)
{
    const char *chosen = secure_getenv("PRAX_BPF_CACHE"), *home = secure_getenv("XDG_CACHE_HOME");
    int n;

    if (chosen != NULL && chosen[0] != 0) {
        if (strcmp(chosen, "off") == 0)
            return false;
        n = snprintf(path, size, "%s", chosen);
    } else if (geteuid() == 0) {
        n = snprintf(path, size, "/var/cache/prax-bpf");
    } else if (home != NULL && home[0] == '/') {
        n = snprintf(path, size, "%s/prax-bpf", home);
    } else {
        home = secure_getenv("HOME");
        if (home == NULL || home[0] != '/')
            return false;
        n = snprintf(path, size, "%s/.cache", home);
        if (n > 0 && (size_t)n < size)
            (void)mkdir(path, 0700); /* it may be there */
        n = snprintf(path, size, "%s/.cache/prax-bpf", home);
    }
    return n > 0 && (size_t)n < size;
}

static bool is_ours(int fd, mode_t type, mode_t forbidden, struct stat *st)
{
    return fstat(fd, st) == 0 && (st->st_mode & S_IFMT) == type && st->st_uid == geteuid() &&
           (st->st_mode & forbidden) == 0;
}

void unwind_cache__open(struct unwind_cache *c)
{
    char path[4096];
    struct stat st;

    *c = (struct unwind_cache){ .folder = -1, .limit = UNWIND_CACHE_BYTES_MAX };
    if (!folder_path(path, sizeof(path)) || (mkdir(path, 0700) < 0 && errno != EEXIST))
        return;
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return;
    c->folder = is_ours(fd, S_IFDIR, 077, &st) ? fd : -1;
    if (c->folder < 0)
        close(fd);
}

struct kept {
    struct timespec used;
    off_t size;
    char name[NAME_SIZE];
};

static int by_use(const void *a, const void *b)
{
    const struct timespec *x = &((const struct kept *)a)->used,
                          *y = &((const struct kept *)b)->used;
    if (x->tv_sec != y->tv_sec)
        return x->tv_sec < y->tv_sec ? -1 : 1;
    return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* Lists the folder's files; files[FOLDER_FILES_MAX]. */
static size_t list_files(DIR *folder, struct kept *files)
{
    const struct dirent *e;
    struct stat st;
    size_t n = 0;

    while (n < FOLDER_FILES_MAX && (e = readdir(folder)) != NULL) {
        size_t length = strlen(e->d_name);
        if (length >= NAME_SIZE ||
            fstatat(dirfd(folder), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(st.st_mode))
            continue;
        files[n].used = st.st_mtim;
        files[n].size = st.st_size;
        memcpy(files[n++].name, e->d_name, length + 1);
    }
    return n;
}

static void evict(const struct unwind_cache *c)
{
    struct kept *files = calloc(FOLDER_FILES_MAX, sizeof(*files));
    int fd = openat(c->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *folder = fd >= 0 ? fdopendir(fd) : NULL;
    uint64_t total = 0;

    if (folder == NULL && fd >= 0)
        close(fd);
    if (folder != NULL && files != NULL) {
        size_t n = list_files(folder, files);
        qsort(files, n, sizeof(*files), by_use);
        for (size_t i = 0; i < n; i++)
            total += (uint64_t)files[i].size;
        for (size_t i = 0; i < n && total > c->limit; i++) {
            if (unlinkat(c->folder, files[i].name, 0) == 0)
                total -= (uint64_t)files[i].size;
        }
    }
    if (folder != NULL)
        closedir(folder);
    free(files);
}

void unwind_cache__close(struct unwind_cache *c)
{
    if (c->folder < 0)
        return;
    if (c->stored > 0)
        evict(c);
    close(c->folder);
    c->folder = -1;
}

/* ---- files --------------------------------------------------------------------------------- */

/* Writes the name of a file's rows; false: they are not to be cached. */
static bool name_of(const struct unwind_cache *c, const struct elf_file *f, char *name)
{
    struct stat st;
    size_t at = 0;

    if (c->folder < 0 || f->fd < 0 || f->build_id_size < 8 || fstat(f->fd, &st) < 0 ||
        (st.st_uid != 0 && st.st_uid != geteuid()) || (st.st_mode & S_IWOTH) != 0)
        return false;
    for (size_t i = 0; i < f->build_id_size; i++)
        at += (size_t)snprintf(name + at, NAME_SIZE - at, "%02x", f->build_id[i]);
    (void)snprintf(name + at, NAME_SIZE - at, "-%llx", (unsigned long long)f->size);
    return true;
}

static struct header header_of(const struct elf_file *f, const struct unwind_rows *r)
{
    struct header h = { .version = UNWIND_CACHE_VERSION,
                        .build_id_size = f->build_id_size,
                        .elf_bytes = f->size,
                        .base = r->base,
                        .bytes = r->bytes,
                        .unsupported = r->unsupported,
                        .n_rows = r->n,
                        .n_rules = r->n_rules };
    memcpy(h.magic, magic, sizeof(magic));
    memcpy(h.build_id, f->build_id, f->build_id_size);
    return h;
}

static uint64_t file_size(uint64_t n_rows, uint64_t n_rules)
{
    return sizeof(struct header) + n_rules * sizeof(struct pxb_rule) +
           n_rows * sizeof(struct unwind_row);
}

static uint64_t checksum_of(const char *file, size_t size)
{
    return pxi_hash(file + sizeof(uint64_t), size - sizeof(uint64_t));
}

/* Whether the header is one for f, and of a file of this size and content. */
static bool is_good(const struct header *h, const struct elf_file *f, const char *file, size_t size)
{
    const struct unwind_rows said = { .base = h->base,
                                      .bytes = h->bytes,
                                      .unsupported = h->unsupported,
                                      .n = (size_t)h->n_rows,
                                      .n_rules = (size_t)h->n_rules };
    struct header should = header_of(f, &said);

    should.checksum = h->checksum;
    return memcmp(&should, h, sizeof(should)) == 0 && h->n_rows > 0 && h->n_rows <= ROWS_MAX &&
           h->n_rules >= 2 && h->n_rules <= RULES_MAX && file_size(h->n_rows, h->n_rules) == size &&
           checksum_of(file, size) == h->checksum;
}

/* What the packed tables rely on; see struct unwind_rows. */
static bool in_order(const struct unwind_rows *r)
{
    if (r->rows[0].pc != 0 || r->rows[r->n - 1].rule != 0 || r->rules[0].kind != PXB_RULE_NONE ||
        r->rules[1].kind != PXB_RULE_BAD)
        return false;
    for (size_t i = 0; i < r->n; i++) {
        if (r->rows[i].rule >= r->n_rules || (i > 0 && r->rows[i].pc <= r->rows[i - 1].pc))
            return false;
    }
    return true;
}

/* A copy of size bytes, or NULL. */
static void *copy(const char *from, size_t size)
{
    void *p = malloc(size);
    if (p != NULL)
        memcpy(p, from, size);
    return p;
}

static bool parse(const char *file, size_t size, const struct elf_file *f, struct unwind_rows *out)
{
    struct header h;

    if (size < sizeof(h))
        return false;
    memcpy(&h, file, sizeof(h));
    if (!is_good(&h, f, file, size))
        return false;
    size_t rules = (size_t)h.n_rules * sizeof(*out->rules);
    *out = (struct unwind_rows){
        .rules = copy(file + sizeof(h), rules),
        .rows = copy(file + sizeof(h) + rules, (size_t)h.n_rows * sizeof(*out->rows)),
        .n = (size_t)h.n_rows,
        .n_rules = (size_t)h.n_rules,
        .base = h.base,
        .bytes = h.bytes,
        .unsupported = h.unsupported,
    };
    if (out->rules != NULL && out->rows != NULL && in_order(out))
        return true;
    unwind_rows__free(out);
    return false;
}

/* All bytes of a file of ours, for free(); NULL: it is not, or cannot be read. */
static char *read_whole(int fd, size_t *size)
{
    struct stat st;
    size_t done = 0;
    ssize_t n = 1;

    if (!is_ours(fd, S_IFREG, 022, &st) || st.st_size > FILE_MAX)
        return NULL;
    char *p = malloc((size_t)st.st_size + 1);
    while (p != NULL && done < (size_t)st.st_size && n > 0) {
        n = read(fd, p + done, (size_t)st.st_size - done);
        done += n > 0 ? (size_t)n : 0;
    }
    *size = done;
    return p;
}

bool unwind_cache__load(struct unwind_cache *c, const struct elf_file *f, struct unwind_rows *out)
{
    char name[NAME_SIZE];
    size_t size = 0;

    *out = (struct unwind_rows){ 0 };
    if (!name_of(c, f, name))
        return false;
    int fd = openat(c->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        c->rejected += errno != ENOENT;
        return false;
    }
    char *file = read_whole(fd, &size);
    bool found = file != NULL && parse(file, size, f, out);
    if (found)
        (void)futimens(fd, NULL); /* it then leaves early; no harm */
    close(fd);
    free(file);
    c->hits += found;
    c->rejected += !found;
    return found;
}

static bool write_whole(int fd, const char *p, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t n = write(fd, p + done, size - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return true;
}

/* Makes file[size] appear under a name, in the place of what is there. */
static bool put_file(const struct unwind_cache *c, const char *name, const char *file, size_t size)
{
    char fresh[NAME_SIZE];

    (void)snprintf(fresh, sizeof(fresh), "new-%ld", (long)getpid());
    (void)unlinkat(c->folder, fresh, 0); /* of a process that died */
    int fd = openat(c->folder, fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    bool ok = write_whole(fd, file, size);
    ok = close(fd) == 0 && ok && renameat(c->folder, fresh, c->folder, name) == 0;
    if (!ok)
        (void)unlinkat(c->folder, fresh, 0);
    return ok;
}

void unwind_cache__store(struct unwind_cache *c, const struct elf_file *f,
                         const struct unwind_rows *rows)
{
    struct header h = header_of(f, rows);
    size_t size = (size_t)file_size(rows->n, rows->n_rules);
    size_t rules = rows->n_rules * sizeof(*rows->rules);
    char name[NAME_SIZE];

    if (rows->n == 0 || size > FILE_MAX || !name_of(c, f, name))
        return;
    char *file = malloc(size);
    if (file == NULL)
        return;
    memcpy(file, &h, sizeof(h));
    memcpy(file + sizeof(h), rows->rules, rules);
    memcpy(file + sizeof(h) + rules, rows->rows, rows->n * sizeof(*rows->rows));
    h.checksum = checksum_of(file, size);
    memcpy(file, &h, sizeof(h));
    c->stored += put_file(c, name, file, size);
    free(file);
}
