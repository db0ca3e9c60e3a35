/* dying_vfs.h - SQLite's file system, in which the program is killed at its n-th write, truncation,
 * sync or lock. For a child process that is to die.
 */
#ifndef PRAX_TESTS_DYING_VFS_H
#define PRAX_TESTS_DYING_VFS_H

/* From now on files are opened through it. place counts from 1; kill -9 happens before the call. */
void dying_vfs_install(int place);

#endif
