// SPDX-License-Identifier: Apache-2.0
//
// Output of a session that may not leave before a sync: replies to durable commits, and whatever came after them.

import JSON
import NIOCore
import OVSDB

/// A sync that a reply waits for.
struct AwaitedSync {
  let database: ServedDatabase
  let number: UInt64
  /// Where in the output an error object would complete the reply's result array, which is not empty.
  let errorOffset: Int
}

/// A piece of output, in the order of a session's other output.
struct HeldOutput {
  private(set) var bytes: ByteBuffer
  /// In the order of their offsets; none for a piece that only waits for those before it.
  private(set) var awaited: [AwaitedSync]

  init(bytes: ByteBuffer, awaited: [AwaitedSync]) {
    self.bytes = bytes
    self.awaited = awaited
  }

  /// Whether it waits for nothing any more.
  var isSynced: Bool { awaited.allSatisfy { $0.number <= $0.database.syncedNumber } }

  func waits(for database: ServedDatabase) -> Bool {
    awaited.contains { $0.database === database && $0.number > database.syncedNumber }
  }

  /// Puts an error behind the results of the replies that wait for a database, which then wait no more.
  ///
  /// Source: Documentation/protocol/transactions.md#durability: 3.1.0 appends `{"details":"F: fsync failed","error":"I/O error",...}`.
  mutating func report(_ error: OVSDBError, to database: ServedDatabase) {
    guard awaited.contains(where: { $0.database === database }) else { return }
    var writer = ByteWriter(capacity: 256)
    writer.append(",")
    error.write(to: &writer)
    var rest: [AwaitedSync] = []
    var result = ByteBufferAllocator().buffer(capacity: bytes.readableBytes + awaited.count * writer.count)
    var position = 0
    var shift = 0
    for sync in awaited {
      guard sync.database === database else {
        rest.append(AwaitedSync(database: sync.database, number: sync.number, errorOffset: sync.errorOffset + shift))
        continue
      }
      copy(position..<sync.errorOffset, to: &result)
      position = sync.errorOffset
      writer.withBytes { _ = result.writeBytes($0) }
      shift += writer.count
    }
    copy(position..<bytes.readableBytes, to: &result)
    bytes = result
    awaited = rest
  }

  private func copy(_ range: Range<Int>, to buffer: inout ByteBuffer) {
    guard let slice = bytes.getSlice(at: bytes.readerIndex + range.lowerBound, length: range.count) else { return }
    buffer.writeImmutableBuffer(slice)
  }
}
