/* quickstart.c - the whole of it: open, create a row, list rows. `prax generate` made notes.h. */
#include "notes.h"
#include <stdio.h>

static int run(prax_session *s)
{
    const notes_note *n = notes_note_create(s, .title = "Try Prax", .body = "It is C, and typed.");
    if (!n)
        return prax_fail(s, "create");
    printf("created note %lld: %s\n", (long long)n->id, n->title);

    const notes_note_list *open = notes_note_find_many(
        s, .where = { .done = prax_eq(false) }, .order_by = { NOTES_NOTE_ID_DESC }, .take = 10);
    if (!open)
        return prax_fail(s, "list");
    for (size_t i = 0; i < open->count; i++)
        printf("to do: %s\n", open->items[i].title);
    return 0;
}

int main(void)
{
    PRAX_DB db = NULL;
    if (prax_db_open(&db, .url = "sqlite::memory:") < 0 || notes_create_tables(db) < 0) {
        fprintf(stderr, "notes: %s\n", prax_db_error(db)->message);
        return 1;
    }
    PRAX_SESSION s = prax_session_open(db);
    return !s || run(s) < 0;
}
