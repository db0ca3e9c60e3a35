/* prax/version.h - the version of library and tools; the build reads it from here. */
#ifndef PRAX_VERSION_H
#define PRAX_VERSION_H

#define PRAX_VERSION "0.1.0"

#endif
