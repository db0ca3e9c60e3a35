/* The parser of /proc/PID/maps: names in it are the target's. */
#include "loader/target/maps.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct maps m;
    char *text = malloc(size + 1); /* it is taken over; proc_file__read() puts a NUL behind it */

    if (text == NULL)
        abort();
    if (size > 0)
        memcpy(text, data, size);
    text[size] = 0;
    if (maps__parse(&m, text, size) == 0) {
        for (size_t i = 0; i < m.n; i++) {
            const struct mapping *found = maps__find(&m, m.items[i].start);
            if (m.items[i].start >= m.items[i].end || strlen(m.items[i].path) > size ||
                (found != NULL && found->end <= m.items[i].start))
                abort();
        }
        maps__free(&m);
    }
    return 0;
}
