// SPDX-License-Identifier: Apache-2.0
//
// What a server sends to `ovsdb-client`: rows that are taken out of a reply while it arrives, and what is shown of updates.

import Client
import ClientTool
import JSON
import OVSDB

extension FuzzTarget {
  /// A reply gives the same rows and the same rest however it is cut; a reply without mistakes is what its parts make together. Then the
  /// same bytes as updates of a monitor, shown in every format.
  static let reply = FuzzTarget(
    name: "reply",
    words: [
      "{\"id\":1,\"result\":[", "{\"rows\":[", "]}", "],\"error\":null}", "\"rows\"", "\"result\"", "{\"a\":1}", ",", " ", "\\\"", "[[", "}}",
      "{\"A\":{\"00000000-0000-0000-0000-000000000001\":{", "\"initial\":{", "\"modify\":{", "\"delete\":null", "\"old\":{", "\"new\":{", "\"n\":1",
    ]
  ) { bytes in
    let whole = split(bytes, pieces: [bytes.count])
    let cut = Int(bytes.first ?? 0) % (bytes.count + 1)
    let parts = split(bytes, pieces: [cut, bytes.count - cut])
    try require(parts == whole, "cut at \(cut): \(parts), uncut: \(whole)")
    if bytes.count <= 512 {
      let parts = split(bytes, pieces: Array(repeating: 1, count: bytes.count))
      try require(parts == whole, "cut everywhere: \(parts), uncut: \(whole)")
    }
    guard let document = try? JSONDocument.parse(bytes) else { return }
    try document.withRoot { root in
      let rows = (root.member("result")?.elements.map { $0.member("rows")?.count ?? 0 } ?? []).reduce(0, +)
      // Names that are there twice make it two replies.
      try require(whole.rows.count >= rows, "\(whole.rows.count) rows of \(rows)")
      try UpdateProbe.show(root, schema: try Catalog.makeSchema())
    }
  }

  private struct Parts: Equatable, CustomStringConvertible {
    private(set) var skeleton: [UInt8] = []
    var rows: [String] = []

    mutating func add(_ bytes: [UInt8]) {
      // A piece that is all rows leaves a blank, as a sign of life.
      skeleton += bytes.filter { $0 != UInt8(ascii: " ") }
    }

    /// Two are the same that the connection refuses both, whatever the mistake looks like.
    static func == (one: Parts, other: Parts) -> Bool {
      one.rows == other.rows && (one.skeleton == other.skeleton || one.isRefused && other.isRefused)
    }

    private var isRefused: Bool {
      var stream = JSONStream(messageBytesMax: 1 << 20)
      skeleton.withUnsafeBytes { stream.append($0) }
      do {
        while try stream.next() != nil {}
        return false
      } catch {
        return true
      }
    }

    var description: String { "\(String(decoding: skeleton, as: UTF8.self)) with \(rows)" }
  }

  private static func split(_ bytes: UnsafeRawBufferPointer, pieces: [Int]) -> Parts {
    var splitter = RowSplitter(rowBytesMax: 1 << 12)
    var parts = Parts()
    var position = 0
    for size in pieces {
      var skeleton: [UInt8] = []
      splitter.process(UnsafeRawBufferPointer(rebasing: bytes[position..<(position + size)]), skeleton: &skeleton) { place, row in
        parts.rows.append("\(place) \(String(decoding: row, as: UTF8.self))")
      }
      position += size
      parts.add(skeleton)
    }
    return parts
  }
}
