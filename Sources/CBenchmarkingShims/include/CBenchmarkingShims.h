// SPDX-License-Identifier: Apache-2.0
// Linux calls that the load generator needs and Swift's Glibc module does not show: epoll, CPU affinity, peer credentials.
#ifndef CBENCHMARKINGSHIMS_H
#define CBENCHMARKINGSHIMS_H

#include <stdint.h>
#include <sys/epoll.h>
#include <sys/types.h>

/// Restricts the calling thread, and what it starts from now on, to the processors whose bits are set in `mask`.
/// Returns 0, or -1 with errno.
int bench_shim_set_processors(uint64_t mask);

/// The processors (0 to 63) that the calling thread may run on, one bit each; 0 with errno when the kernel refuses.
uint64_t bench_shim_get_processors(void);

/// The process that listens at the other end of a connected Unix socket; -1 with errno when the kernel does not know.
pid_t bench_shim_peer_process(int descriptor);

#endif
