/* sample.c - writes a profile folder of a made-up server, for looking at and for the browser test.
 * usage: sample DIR [hostile]; DIR exists. */
#include "loader/write/write.h"
#include "tests/unit/profile_fixture.h"
#include <fcntl.h>

int main(int argc, char **argv)
{
    if (argc < 2)
        return 1;
    struct profile *p = argc > 2 ? fixture_hostile() : fixture_server();
    struct write_opts o = { .dir_fd = open(argv[1], O_RDONLY | O_DIRECTORY), .dir = argv[1] };
    if (!p || o.dir_fd < 0)
        return 1;
    int err = write__all(p, &o);
    struct pxi_buf out = { 0 };
    struct summary_opts s = summary_opts__of(1);
    s.dir = argv[1];
    write_summary(p, &s, &out);
    fputs(out.data ? out.data : "", stdout);
    pxi_buf_free(&out);
    profile__free(p);
    return err ? 1 : 0;
}
