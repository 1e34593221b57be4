// SPDX-License-Identifier: Apache-2.0
//
// The channel handler around `RowSplitter`, and the call that uses it.

internal import NIOCore

/// Stands between the socket (or TLS) and the connection for the time of one call.
///
/// The rows are handled on the event loop: while that is busy with them nothing is read, and the server has to wait.
final class RowExtractor: ChannelInboundHandler, RemovableChannelHandler {
  typealias InboundIn = ByteBuffer
  typealias InboundOut = ByteBuffer

  private var splitter: RowSplitter
  private let emit: (Int, UnsafeRawBufferPointer) -> Void

  init(rowBytesMax: Int, emit: @escaping (Int, UnsafeRawBufferPointer) -> Void) {
    splitter = RowSplitter(rowBytesMax: rowBytesMax)
    self.emit = emit
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    let input = unwrapInboundIn(data)
    var skeleton: [UInt8] = []
    input.withUnsafeReadableBytes { splitter.process($0, skeleton: &skeleton, emit: emit) }
    guard !skeleton.isEmpty else { return }
    var output = context.channel.allocator.buffer(capacity: skeleton.count)
    output.writeBytes(skeleton)
    context.fireChannelRead(wrapInboundOut(output))
  }
}

extension ClientSession {
  /// A row of a reply that is too long to be held.
  package static let rowBytesMax = 256 << 20

  /// Runs a transaction of `select` operations whose rows are too many to be held. No other call may be on its way whose reply holds
  /// rows.
  ///
  /// - Parameters:
  ///   - params: `[<db-name>, <operation>*]` as JSON text.
  ///   - row: called on the event loop with the place of the operation in the transaction, from 0, and the row as JSON text. The bytes
  ///     last for the call. It cannot fail: who finds something wrong with a row remembers it, and looks when the reply is there.
  /// - Returns: the reply with its rows left out.
  package func select(
    _ params: [UInt8], rowBytesMax: Int = rowBytesMax, row: @escaping @Sendable (Int, UnsafeRawBufferPointer) -> Void
  ) async throws(ClientError) -> ClientReply {
    try await call("transact", params, through: { RowExtractor(rowBytesMax: rowBytesMax, emit: row) })
  }
}
