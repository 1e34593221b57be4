// SPDX-License-Identifier: Apache-2.0
//
// SHA-1, with the processor's instructions where it has them. See csha1.h.

#include "csha1.h"

#include <string.h>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

enum { block_size = 64 };

/// Takes whole blocks into the state.
typedef void (*compression)(uint32_t state[5], const uint8_t *data, size_t blocks);

static uint32_t rotated(uint32_t value, int bits) { return value << bits | value >> (32 - bits); }

static void compress_portably(uint32_t state[5], const uint8_t *data, size_t blocks) {
  for (; blocks > 0; blocks--, data += block_size) {
    uint32_t w[80];
    for (int t = 0; t < 16; t++) {
      const uint8_t *p = data + 4 * t;
      w[t] = (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
    }
    for (int t = 16; t < 80; t++) w[t] = rotated(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1);
    uint32_t a = state[0], b = state[1], c = state[2], d = state[3], e = state[4];
    for (int t = 0; t < 80; t++) {
      uint32_t f, k;
      if (t < 20) {
        f = (b & c) | (~b & d);
        k = 0x5a827999;
      } else if (t < 40) {
        f = b ^ c ^ d;
        k = 0x6ed9eba1;
      } else if (t < 60) {
        f = (b & c) | (b & d) | (c & d);
        k = 0x8f1bbcdc;
      } else {
        f = b ^ c ^ d;
        k = 0xca62c1d6;
      }
      uint32_t next = rotated(a, 5) + f + e + k + w[t];
      e = d;
      d = c;
      c = rotated(b, 30);
      b = a;
      a = next;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
  }
}

#if defined(__x86_64__)

/// Four rounds. `w` holds the last sixteen words of the message, four in each vector; from the fifth group of rounds on the vector
/// of this group is made of all of them first. `before` is the state before the group before, whose `a`, rotated, is this group's `e`.
#define FOUR_ROUNDS(group)                                                                                             \
  do {                                                                                                                 \
    __m128i *now = &w[(group) & 3];                                                                                    \
    if ((group) >= 4) {                                                                                                \
      __m128i mixed = _mm_xor_si128(_mm_sha1msg1_epu32(*now, w[((group) + 1) & 3]), w[((group) + 2) & 3]);             \
      *now = _mm_sha1msg2_epu32(mixed, w[((group) + 3) & 3]);                                                          \
    }                                                                                                                  \
    __m128i sum = (group) == 0 ? _mm_add_epi32(e, *now) : _mm_sha1nexte_epu32(before, *now);                           \
    before = abcd;                                                                                                     \
    abcd = _mm_sha1rnds4_epu32(abcd, sum, (group) / 5);                                                                \
  } while (0)

__attribute__((target("sha,sse4.1"))) static void compress_with_instructions(
    uint32_t state[5], const uint8_t *data, size_t blocks) {
  const __m128i big_endian = _mm_set_epi64x(0x0001020304050607, 0x08090a0b0c0d0e0f);
  __m128i abcd = _mm_shuffle_epi32(_mm_loadu_si128((const __m128i *)state), 0x1b);
  __m128i e = _mm_set_epi32((int)state[4], 0, 0, 0);
  for (; blocks > 0; blocks--, data += block_size) {
    const __m128i abcd_start = abcd, e_start = e;
    __m128i before = abcd;
    __m128i w[4];
    for (int i = 0; i < 4; i++) {
      w[i] = _mm_shuffle_epi8(_mm_loadu_si128((const __m128i *)(data + 16 * i)), big_endian);
    }
    FOUR_ROUNDS(0);
    FOUR_ROUNDS(1);
    FOUR_ROUNDS(2);
    FOUR_ROUNDS(3);
    FOUR_ROUNDS(4);
    FOUR_ROUNDS(5);
    FOUR_ROUNDS(6);
    FOUR_ROUNDS(7);
    FOUR_ROUNDS(8);
    FOUR_ROUNDS(9);
    FOUR_ROUNDS(10);
    FOUR_ROUNDS(11);
    FOUR_ROUNDS(12);
    FOUR_ROUNDS(13);
    FOUR_ROUNDS(14);
    FOUR_ROUNDS(15);
    FOUR_ROUNDS(16);
    FOUR_ROUNDS(17);
    FOUR_ROUNDS(18);
    FOUR_ROUNDS(19);
    e = _mm_sha1nexte_epu32(before, e_start);
    abcd = _mm_add_epi32(abcd, abcd_start);
  }
  _mm_storeu_si128((__m128i *)state, _mm_shuffle_epi32(abcd, 0x1b));
  state[4] = (uint32_t)_mm_extract_epi32(e, 3);
}

static int has_instructions(void) {
  unsigned a, b, c, d;
  if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & bit_SSE4_1) || !(c & bit_SSSE3)) return 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & bit_SHA);
}

#endif

/// Chosen by the first to ask; whoever asks at the same time chooses the same.
static compression chosen(void) {
#if defined(__x86_64__)
  static compression cached;
  compression present = __atomic_load_n(&cached, __ATOMIC_RELAXED);
  if (!present) {
    present = has_instructions() ? compress_with_instructions : compress_portably;
    __atomic_store_n(&cached, present, __ATOMIC_RELAXED);
  }
  return present;
#else
  return compress_portably;
#endif
}

int csha1_is_accelerated(void) { return chosen() != compress_portably; }

csha1_context csha1_begin(void) {
  csha1_context context = {.state = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0}};
  return context;
}

static void update(csha1_context *context, const uint8_t *data, size_t count, compression compress) {
  size_t held = context->count % block_size;
  context->count += count;
  if (held > 0) {
    size_t taken = block_size - held < count ? block_size - held : count;
    if (taken > 0) memcpy(context->rest + held, data, taken);
    if (held + taken < block_size) return;
    compress(context->state, context->rest, 1);
    data += taken;
    count -= taken;
  }
  size_t blocks = count / block_size;
  if (blocks > 0) compress(context->state, data, blocks);
  size_t left = count % block_size;
  if (left > 0) memcpy(context->rest, data + blocks * block_size, left);
}

void csha1_update(csha1_context *context, const void *data, size_t count) { update(context, data, count, chosen()); }

void csha1_update_portably(csha1_context *context, const void *data, size_t count) {
  update(context, data, count, compress_portably);
}

void csha1_finish(csha1_context *context, uint32_t digest[5]) {
  // A one bit, zeros, and the number of bits as the last eight bytes of a block.
  uint64_t bits = context->count * 8;
  size_t held = context->count % block_size;
  uint8_t tail[2 * block_size] = {0};
  memcpy(tail, context->rest, held);
  tail[held] = 0x80;
  size_t blocks = held + 9 <= block_size ? 1 : 2;
  for (int i = 0; i < 8; i++) tail[blocks * block_size - 1 - (size_t)i] = (uint8_t)(bits >> 8 * i);
  chosen()(context->state, tail, blocks);
  memcpy(digest, context->state, sizeof context->state);
}
