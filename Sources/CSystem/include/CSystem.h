// System calls that Swift cannot name: variadic functions, and those the overlay marks unavailable.
#ifndef CSYSTEM_H
#define CSYSTEM_H

#include <sys/types.h>

/// fork(2). Swift's overlay hides it because threads do not survive it; the daemon forks before it starts any.
pid_t csystem_fork(void);

#endif
