/* init.c - prax init: a folder with a first schema, a program that uses it, and a Makefile. */
#include "orm/cli/cli.h"
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static const char schema_text[] =
    "// The tables of this program; man 5 prax_schema explains the language.\n"
    "// `make` runs prax generate, which writes gen/app*.h and gen/app*.c.\n"
    "\n"
    "generator c { prefix = \"app\"  out = \"gen\" }\n"
    "datasource db { provider = sqlite }\n"
    "\n"
    "/// A person who can sign in.\n"
    "model User {\n"
    "    id        Int      @id @auto\n"
    "    email     String   @unique\n"
    "    name      String?\n"
    "    createdAt DateTime @default(now()) @map(\"created_at\")\n"
    "    @@map(\"users\")\n"
    "}\n";

static const char program_text[] =
    "/* main.c - opens the database, adds a user, lists all of them. */\n"
    "#include \"app.h\"\n"
    "#include <stdio.h>\n"
    "\n"
    "static int run(prax_session *s)\n"
    "{\n"
    "    if (!app_user_create(s, .email = \"ada@example.org\", .name = \"Ada\"))\n"
    "        return prax_fail(s, \"create\");\n"
    "    const app_user_list *us = app_user_find_many(s, .order_by = { APP_USER_ID_ASC });\n"
    "    if (!us)\n"
    "        return prax_fail(s, \"list\");\n"
    "    for (size_t i = 0; i < us->count; i++)\n"
    "        printf(\"%lld %s\\n\", (long long)us->items[i].id, us->items[i].email);\n"
    "    return 0;\n"
    "}\n"
    "\n"
    "int main(void)\n"
    "{\n"
    "    PRAX_DB db = NULL;\n"
    "    if (prax_db_open(&db, .url = \"sqlite::memory:\") < 0 || app_create_tables(db) < 0) {\n"
    "        fprintf(stderr, \"app: %s\\n\", prax_db_error(db)->message);\n"
    "        return 1;\n"
    "    }\n"
    "    PRAX_SESSION s = prax_session_open(db);\n"
    "    return !s || run(s) < 0;\n"
    "}\n";

static const char makefile_text[] =
    "# make builds ./app; the schema is compiled first, whenever it has changed.\n"
    "include $(or $(shell pkg-config --variable=make_rules prax),\\\n"
    "    $(error pkg-config does not find prax: see PKG_CONFIG_PATH))\n"
    "\n"
    "CFLAGS ?= -O2 -g -Wall -Wextra\n"
    "CFLAGS += -std=gnu11 -Igen $(shell pkg-config --cflags prax)\n"
    "LDLIBS += $(shell pkg-config --libs prax)\n"
    "\n"
    "$(eval $(call prax_schema,schema.prax,app,gen,main.o))\n"
    "\n"
    "app: main.o $(PRAX_OBJS_app)\n"
    "\t$(CC) $(LDFLAGS) -o $@ $^ $(LDLIBS)\n"
    ".DEFAULT_GOAL := app\n"
    "\n"
    "main.o: gen/app.h\n"
    "\n"
    "clean:\n"
    "\trm -rf app main.o gen\n"
    ".PHONY: clean\n";

static const struct {
    const char *name, *text;
} files[] = {
    { "schema.prax", schema_text },
    { "main.c", program_text },
    { "Makefile", makefile_text },
};

static int path_of(struct pxi_buf *path, const char *dir, const char *name)
{
    pxi_buf_clear(path);
    pxi_buf_fmt(path, "%s/%s", dir, name);
    return pxi_buf_ok(path) ? 0 : pxi_cli_fail("init: out of memory");
}

/* None of the files may be there: what somebody wrote is never written over. */
static int check_free(struct pxi_buf *path, const char *dir)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        if (path_of(path, dir, files[i].name))
            return PXI_EXIT_TROUBLE;
        if (faccessat(AT_FDCWD, path->data, F_OK, AT_SYMLINK_NOFOLLOW) == 0) {
            return pxi_cli_fail("init: %s is there already, nothing was written; name another "
                                "folder: prax init DIR",
                                path->data);
        }
    }
    return 0;
}

static int write_files(struct pxi_buf *path, const char *dir)
{
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        struct pxi_buf text = { 0 };
        pxi_buf_text(&text, files[i].text);
        int rc = path_of(path, dir, files[i].name);
        if (!rc && !pxi_buf_ok(&text))
            rc = pxi_cli_fail("init: out of memory");
        if (!rc && pxi_cli_write(path->data, &text) < 0)
            rc = PXI_EXIT_TROUBLE;
        pxi_buf_free(&text);
        if (rc)
            return rc;
        fprintf(stderr, "prax: %s: written\n", path->data);
    }
    return 0;
}

int pxi_cli_init(int argc, char **argv)
{
    struct pxi_buf path = { 0 };
    if (argc > 1 && argv[1][0] == '-')
        return pxi_cli_fail("init: unknown option '%s': see prax --help", argv[1]);
    if (argc > 2)
        return pxi_cli_fail("init: one folder at a time: '%s' is too much", argv[2]);
    const char *dir = argc > 1 ? argv[1] : ".";
    if (!*dir)
        return pxi_cli_fail("init: the folder has no name");
    int status = pxi_cli_make_folder(dir);
    if (!status)
        status = check_free(&path, dir);
    if (!status)
        status = write_files(&path, dir);
    pxi_buf_free(&path);
    if (!status)
        fprintf(stderr, "prax: next: cd %s && make && ./app\n", dir);
    return status;
}
