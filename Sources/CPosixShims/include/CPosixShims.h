// System calls that Swift cannot name: variadic functions, and those the overlay marks unavailable.
#ifndef CPOSIXSHIMS_H
#define CPOSIXSHIMS_H

#include <sys/types.h>

#include "crash.h"
#include "process.h"
#include "sockets.h"
#include "terminal.h"

/// Locks the whole file for writing without waiting, in the name of the open file description (fcntl(2), F_OFD_SETLK).
/// Returns 0, or -1 with errno.
int posix_shim_lock_description(int descriptor);

/// Gives that lock up, for all who share the description. Returns 0, or -1 with errno.
int posix_shim_unlock_description(int descriptor);

/// Has the kernel begin to write a range of a file (sync_file_range(2) with SYNC_FILE_RANGE_WRITE alone, which leaves errors for fsync(2)
/// to find). A hint: file systems that cannot are left alone.
void posix_shim_begin_writing(int descriptor, off_t offset, off_t count);

/// Puts all that the file system of a file holds on stable storage (syncfs(2)). Returns 0, or -1 with errno.
int posix_shim_sync_all(int descriptor);

/// Gives free memory back to the system (malloc_trim(3)). Meanwhile nobody else can allocate; the more there is to give back, the longer.
void posix_shim_trim_memory(void);

/// Has small pieces of memory joined with their free neighbours when they are freed, instead of all at once when glibc sees fit
/// (mallopt(3), M_MXFAST): after many were freed that stops the thread that happens to allocate next.
void posix_shim_join_freed_memory(void);

#endif
