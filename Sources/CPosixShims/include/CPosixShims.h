// System calls that Swift cannot name: variadic functions, and those the overlay marks unavailable.
#ifndef CPOSIXSHIMS_H
#define CPOSIXSHIMS_H

#include <sys/types.h>

/// fork(2). Swift's overlay hides it because threads do not survive it; the daemon forks before it starts any.
pid_t posix_shim_fork(void);

#endif
