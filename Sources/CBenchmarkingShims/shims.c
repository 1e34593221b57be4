// SPDX-License-Identifier: Apache-2.0
#define _GNU_SOURCE
#include "CBenchmarkingShims.h"

#include <sched.h>
#include <sys/socket.h>

int bench_shim_set_processors(uint64_t mask) {
  cpu_set_t set;
  CPU_ZERO(&set);
  for (int cpu = 0; cpu < 64; cpu++) {
    if (mask >> cpu & 1) CPU_SET(cpu, &set);
  }
  return sched_setaffinity(0, sizeof set, &set);
}

uint64_t bench_shim_get_processors(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set)) return 0;
  uint64_t mask = 0;
  for (int cpu = 0; cpu < 64; cpu++) {
    if (CPU_ISSET(cpu, &set)) mask |= UINT64_C(1) << cpu;
  }
  return mask;
}

pid_t bench_shim_peer_process(int descriptor) {
  struct ucred credentials;
  socklen_t size = sizeof credentials;
  if (getsockopt(descriptor, SOL_SOCKET, SO_PEERCRED, &credentials, &size)) return -1;
  return credentials.pid;
}
