// SPDX-License-Identifier: Apache-2.0
//
// Tells ThreadSanitizer about Synchronization.Mutex where it waits. The quick path of a lock is compiled into the programs and seen; the
// slow one is a futex(2) inside of the Swift library, which is not instrumented, so that a lock that was waited for would not count as
// one. sanitize.sh preloads this into the programs: the same functions, which say what they mean.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

extern void __tsan_acquire(void *) __attribute__((weak));
extern void __tsan_release(void *) __attribute__((weak));

#define SELF __attribute__((swift_context)) void *self
typedef __attribute__((swiftcall)) void lock_function(uint32_t, SELF);
typedef __attribute__((swiftcall)) _Bool try_function(SELF);
typedef __attribute__((swiftcall)) void unlock_function(SELF);

#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

__attribute__((swiftcall)) void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
__attribute__((swiftcall)) _Bool try_slow(SELF) __asm__(TRY);
__attribute__((swiftcall)) void unlock_slow(SELF) __asm__(UNLOCK);

__attribute__((swiftcall)) void lock_slow(uint32_t thread, SELF) {
  ((lock_function *)dlsym(RTLD_NEXT, LOCK))(thread, self);
  if (__tsan_acquire) __tsan_acquire(self);
}

__attribute__((swiftcall)) _Bool try_slow(SELF) {
  _Bool locked = ((try_function *)dlsym(RTLD_NEXT, TRY))(self);
  if (locked && __tsan_acquire) __tsan_acquire(self);
  return locked;
}

__attribute__((swiftcall)) void unlock_slow(SELF) {
  if (__tsan_release) __tsan_release(self);
  ((unlock_function *)dlsym(RTLD_NEXT, UNLOCK))(self);
}
