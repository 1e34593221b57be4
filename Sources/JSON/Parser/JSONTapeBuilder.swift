// SPDX-License-Identifier: Apache-2.0
//
// Makes a tape from values that are no text: copies of values, and trees that libjansson read.

/// A tape under construction, with the bytes of its strings. `JSONDocument.init` takes its memory over, once.
struct JSONTapeBuilder {
  var entries: JSONBuffer<JSONTapeEntry>
  var bytes: JSONBuffer<UInt8>

  init(entries: Int = 64, bytes: Int = 256) {
    self.entries = JSONBuffer(capacity: entries)
    self.bytes = JSONBuffer(capacity: bytes)
  }

  mutating func append(_ entry: JSONTapeEntry) { entries.append(entry) }

  mutating func appendString(_ utf8: UnsafeBufferPointer<UInt8>, flags: UInt64 = 0) {
    if bytes.capacity - bytes.count < utf8.count { bytes = bytes.grown(by: utf8.count) }
    if let base = utf8.baseAddress { (bytes.base + bytes.count).update(from: base, count: utf8.count) }
    var entry = JSONTapeEntry(.string, length: utf8.count, payload: UInt64(bytes.count))
    entry.meta |= flags
    append(entry)
    bytes.count += utf8.count
  }

  /// Opens a container, to be closed by `close`.
  ///
  /// - Returns: Its place on the tape.
  mutating func open(_ kind: JSONValue.Kind) -> Int {
    append(JSONTapeEntry(kind))
    return entries.count - 1
  }

  mutating func close(_ index: Int, _ kind: JSONValue.Kind, count: Int) {
    entries.base[index] = JSONTapeEntry(kind, length: entries.count - index, payload: UInt64(count))
  }
}
