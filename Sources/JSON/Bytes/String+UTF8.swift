// SPDX-License-Identifier: Apache-2.0
//
// Strings from bytes, for the strings of every row that is written. `String(validating:as:)` is generic and asks the runtime for
// metadata at each call, which cost more than the string: 5 % of a one-row insert.

extension String {
  /// The text of UTF-8 bytes; nil when they are not valid UTF-8.
  ///
  /// - Complexity: O(count), eight bytes at a time while they are ASCII, which needs no validation.
  package init?(utf8 bytes: UnsafeBufferPointer<UInt8>) {
    guard bytes.isASCII else {
      self.init(validating: bytes, as: UTF8.self)
      return
    }
    self.init(unsafeUninitializedCapacity: bytes.count) { $0.initialize(fromContentsOf: bytes) }
  }
}

extension UnsafeBufferPointer<UInt8> {
  /// Whether no byte has its top bit set.
  fileprivate var isASCII: Bool {
    let raw = UnsafeRawBufferPointer(self)
    var position = 0
    while position &+ 8 <= raw.count {
      if raw.loadUnaligned(fromByteOffset: position, as: UInt64.self) & 0x8080_8080_8080_8080 != 0 { return false }
      position &+= 8
    }
    while position < raw.count {
      if raw[position] >= 0x80 { return false }
      position &+= 1
    }
    return true
  }
}
