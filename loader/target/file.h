/* file.h - opens the file behind a mapping, and that file only.
 *
 * The name in /proc/PID/maps is the target's word. Three ways are tried, dearest privilege first:
 * /proc/PID/map_files (the very file, deleted or not, needs CAP_CHECKPOINT_RESTORE or SYS_ADMIN),
 * the name inside the target's own root, its symbolic links confined to that root, and
 * /proc/PID/exe. The latter two must show the device and inode of the mapping, so a name that was
 * replaced or forged is refused. Never blocks on a FIFO. Source: proc(5), openat2(2).
 */
#ifndef LOADER_TARGET_FILE_H
#define LOADER_TARGET_FILE_H
#include "loader/target/maps.h"

/* A descriptor (close-on-exec, read-only) that the caller owns, or -errno: -ESTALE the name leads
 * to another file, -ENOENT it is gone, -EACCES, -ENODEV the mapping has no regular file. */
int mapped_file__open(pid_t pid, const struct mapping *m);

#endif
