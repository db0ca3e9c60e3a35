/* demangle.c - C++ names with the demangler of the C++ runtime; Rust's with our own (rust.c).
 *
 * elfutils has none, and libiberty is a static GPL library outside of most build environments. The
 * Itanium ABI demands __cxa_demangle from every C++ runtime, so the machine's libstdc++ is loaded
 * when the first mangled name is met: where programs in C++ ran, it is there; where it is not,
 * names stay mangled. It is run on hostile names in the worker process only.
 */
#include "loader/symbol/worker.h"
#include <dlfcn.h>
#include <stdlib.h>
#include <string.h>

typedef char *demangle_fn(const char *name, char *out, size_t *size, int *status);

enum { MANGLED_MAX = 4096 }; /* bytes: names beyond it cost seconds and tell nobody anything */

static demangle_fn *runtime_demangler(void)
{
    void *runtime = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
    if (!runtime)
        runtime = dlopen("libc++abi.so.1", RTLD_NOW | RTLD_LOCAL);
    demangle_fn *fn = NULL;
    void *symbol = runtime ? dlsym(runtime, "__cxa_demangle") : NULL;
    memcpy(&fn, &symbol, sizeof fn); /* ISO C has no cast from objects to functions */
    return fn;
}

const char *demangle(const char *name)
{
    static bool looked;
    static demangle_fn *fn;
    static char *kept;
    static struct pxi_buf rust;
    if (name[0] != '_' || strlen(name) > MANGLED_MAX)
        return name;
    if (demangle_rust(name, &rust))
        return rust.data;
    if (name[1] != 'Z')
        return name;
    if (!looked)
        fn = runtime_demangler();
    looked = true;
    int status = -1;
    char *plain = fn ? fn(name, NULL, NULL, &status) : NULL;
    if (!plain || status != 0) {
        free(plain);
        return name;
    }
    free(kept);
    return kept = plain;
}
