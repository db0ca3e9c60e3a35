/* schema_file.c - finds, reads and compiles a schema, and shows what is wrong with it.
 *
 * A schema is a file, or a folder: then all its *.prax, in the order of their names' bytes, as one
 * text of which each knows its part.
 */
#include "orm/cli/cli.h"
#include "orm/schema/names.h"
#include "usdt/probe.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

const char *pxi_cli_schema_find(void)
{
    static const char *const places[] = { "schema.prax", "prax/schema.prax" };
    for (size_t i = 0; i < 2; i++) {
        if (access(places[i], F_OK) == 0)
            return places[i];
    }
    pxi_cli_fail("no schema: neither schema.prax nor prax/schema.prax is here; name the file, or "
                 "make a first one: prax init");
    return NULL;
}

static bool is_folder(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_schema_name(const char *name)
{
    size_t size = strlen(name);
    return name[0] != '.' && size > 5 && !strcmp(name + size - 5, ".prax");
}

static int by_bytes(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* "DIR/NAME" of every schema file in an open folder. 0 or an errno. */
static int read_names(struct pxi_arena *arena, DIR *dir, const char *path, pxi_texts *names)
{
    errno = 0;
    for (const struct dirent *e; (e = readdir(dir)); errno = 0) {
        if (!is_schema_name(e->d_name))
            continue;
        const char **room = pxi_list_add(arena, names);
        if (!room || !(*room = pxi_concat(arena, path, "/", e->d_name)))
            return ENOMEM;
    }
    return errno;
}

int pxi_cli_schema_files(struct pxi_arena *arena, const char *path, pxi_texts *names)
{
    DIR *dir = opendir(path);
    int error = dir ? read_names(arena, dir, path, names) : errno;
    if (dir)
        closedir(dir);
    if (error)
        return pxi_cli_fail("%s: cannot be read: %s", path, strerror(error));
    if (names->count == 0)
        return pxi_cli_fail("%s: holds no file called *.prax", path);
    qsort(names->items, names->count, sizeof *names->items, by_bytes);
    return 0;
}

/* Appends a file to the text; beyond the limit of a schema just enough to be beyond it. */
static int load_file(struct pxi_cli_schema *s, const char *path)
{
    int error = pxi_cli_read(&s->text, path, PXI_SCHEMA_MAX);
    return error ? pxi_cli_fail("%s: cannot be read: %s", path, strerror(error)) : 0;
}

static int load_folder(struct pxi_cli_schema *s, const char *path)
{
    pxi_texts names = { NULL, 0, 0 };
    int status = pxi_cli_schema_files(&s->arena, path, &names);
    if (status)
        return status;
    struct pxi_file *files = pxi_arena_zero(&s->arena, names.count, sizeof *files);
    if (!files)
        return pxi_cli_fail("%s: out of memory", path);
    for (uint32_t i = 0; i < names.count && !status; i++) {
        files[i] = (struct pxi_file){ names.items[i], (uint32_t)s->text.size };
        status = load_file(s, names.items[i]);
    }
    s->source.files = files;
    s->source.n_files = status ? 0 : names.count;
    return status;
}

/* Without slashes behind. */
static const char *folder_name(struct pxi_arena *arena, const char *path)
{
    size_t size = strlen(path);
    while (size > 1 && path[size - 1] == '/')
        size--;
    return path[size] ? pxi_arena_text(arena, path, size) : path;
}

int pxi_cli_schema_load(struct pxi_cli_schema *s, const char *path)
{
    memset(s, 0, sizeof *s);
    pxi_arena_init(&s->arena, NULL, 0);
    s->diags.arena = &s->arena;
    if (!path && !(path = pxi_cli_schema_find()))
        return PXI_EXIT_TROUBLE;
    bool folder = is_folder(path);
    s->source.file = folder ? folder_name(&s->arena, path) : path;
    if (!s->source.file)
        return pxi_cli_fail("%s: out of memory", path);
    int status = folder ? load_folder(s, s->source.file) : load_file(s, path);
    s->source.text = s->text.data ? s->text.data : "";
    s->source.size = s->text.size;
    return status;
}

int pxi_cli_schema_open(struct pxi_cli_schema *s, const char *path)
{
    int code = pxi_cli_schema_load(s, path);
    if (code)
        return code;
    PXI_PROBE(schema__parse__start, s->source.file, s->source.size);
    s->tree = pxi_schema_read(&s->diags, &s->source, &code);
    uint64_t models = s->tree ? s->tree->models.count : 0, errors = s->diags.count;
    PXI_PROBE(schema__parse__done, s->source.file, models, errors);
    return s->tree ? 0 : pxi_cli_fail("%s: out of memory", s->source.file);
}

void pxi_cli_schema_close(struct pxi_cli_schema *s)
{
    pxi_arena_free(&s->arena);
    pxi_buf_free(&s->text);
}

static bool wants_color(void)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDERR_FILENO) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

void pxi_cli_complain(const struct pxi_source *src, const struct pxi_diags *diags)
{
    bool color = wants_color();
    struct pxi_buf out = { 0 };
    for (uint32_t i = 0; i < diags->count; i++) {
        pxi_buf_clear(&out);
        pxi_diag_render(&out, src, &diags->items[i], color);
        if (out.data)
            fwrite(out.data, 1, out.size, stderr);
    }
    pxi_buf_free(&out);
    fprintf(stderr, "prax: %s: %u error%s\n", src->file, diags->count,
            diags->count == 1 ? "" : "s");
}

void pxi_cli_schema_complain(const struct pxi_cli_schema *s)
{
    pxi_cli_complain(&s->source, &s->diags);
}
