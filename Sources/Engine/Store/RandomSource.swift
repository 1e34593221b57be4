// SPDX-License-Identifier: Apache-2.0
//
// Random numbers for UUIDs. Every changed row gets a random version, so one system call for each would cost more than the change.

/// The generator xoshiro256**, seeded by the system.
///
/// Source: D. Blackman, S. Vigna, "Scrambled linear pseudorandom number generators", 2018.
package struct RandomSource: RandomNumberGenerator, Sendable {
  private var state: (UInt64, UInt64, UInt64, UInt64)

  package init() {
    var system = SystemRandomNumberGenerator()
    state = (system.next(), system.next(), system.next(), system.next() | 1)
  }

  /// A generator whose numbers follow from a seed, for tests.
  package init(seed: UInt64) {
    var mixer = seed
    func next() -> UInt64 {
      mixer &+= 0x9e37_79b9_7f4a_7c15
      var z = mixer
      z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
      z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
      return z ^ z >> 31
    }
    state = (next(), next(), next(), next() | 1)
  }

  /// A generator of its own, whose numbers follow from the present state of this one.
  package mutating func split() -> RandomSource {
    var other = self
    other.state = (next(), next(), next(), next() | 1)
    return other
  }

  package mutating func next() -> UInt64 {
    let product = state.1 &* 5
    let result = (product << 7 | product >> 57) &* 9
    let shifted = state.1 << 17
    state.2 ^= state.0
    state.3 ^= state.1
    state.1 ^= state.2
    state.0 ^= state.3
    state.2 ^= shifted
    state.3 = state.3 << 45 | state.3 >> 19
    return result
  }
}
