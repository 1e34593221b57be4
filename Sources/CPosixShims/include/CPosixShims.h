// System calls that Swift cannot name: variadic functions, and those the overlay marks unavailable.
#ifndef CPOSIXSHIMS_H
#define CPOSIXSHIMS_H

#include <sys/types.h>

#include "process.h"
#include "sockets.h"
#include "terminal.h"

/// Locks the whole file for writing without waiting, in the name of the open file description (fcntl(2), F_OFD_SETLK).
/// Returns 0, or -1 with errno.
int posix_shim_lock_description(int descriptor);

/// Gives that lock up, for all who share the description. Returns 0, or -1 with errno.
int posix_shim_unlock_description(int descriptor);

/// Gives free memory back to the system (malloc_trim(3)).
void posix_shim_trim_memory(void);

#endif
