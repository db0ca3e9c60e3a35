/* Writes the recordings that fuzz_recording starts from: FOLDER. See corpus.sh. */
#include "tests/unit/profile_fixture.h"

#include <fcntl.h>
#include <unistd.h>

static int save(const struct profile *p, const char *folder, const char *name)
{
    char path[4096];
    const char *why;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    int e = fd < 0 ? -1 : profile__save(p, fd, &why);
    if (fd >= 0)
        close(fd);
    return e;
}

int main(int argc, char **argv)
{
    if (argc != 2)
        return 1;
    struct profile *empty = profile__new(), *small = fixture_small();
    int e = empty == NULL || small == NULL || save(empty, argv[1], "empty") < 0 ||
            save(small, argv[1], "small") < 0;
    profile__free(empty);
    profile__free(small);
    return e;
}
