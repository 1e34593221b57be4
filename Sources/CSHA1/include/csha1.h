// SPDX-License-Identifier: Apache-2.0
//
// SHA-1 for the records of log files, which are hashed when they are written and when they are read. The hash tells damage, it
// guards no secret.
//
// Source: FIPS 180-4, sections 5.1.1, 5.3.1 and 6.1.

#ifndef CSHA1_H
#define CSHA1_H

#include <stddef.h>
#include <stdint.h>

/// A hash in the making. Plain bytes: a copy of it goes on by itself.
typedef struct {
  uint32_t state[5];
  /// Bytes that have been given.
  uint64_t count;
  /// Those that do not fill a block yet.
  uint8_t rest[64];
} csha1_context;

/// A hash of nothing so far.
csha1_context csha1_begin(void);

/// Adds bytes. `data` may be null when `count` is 0.
void csha1_update(csha1_context *context, const void *data, size_t count);

/// The five words of the hash of all bytes given. The context is spent.
void csha1_finish(csha1_context *context, uint32_t digest[5]);

/// Whether the processor's own instructions do the work.
int csha1_is_accelerated(void);

/// As `csha1_update`, without the processor's instructions, so that both ways can be compared.
void csha1_update_portably(csha1_context *context, const void *data, size_t count);

#endif
