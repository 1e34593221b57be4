// SPDX-License-Identifier: Apache-2.0
//
// Sorts rows that may be more than memory holds: what fits is sorted at once, the rest goes through sorted runs in a temporary
// file, which are merged at the end.

import JSON
import OVSDB

/// Rows in, sorted rows out. Equal rows stay as often as they came.
struct RowSorter {
  /// The columns of a row, in its order.
  let columns: [ColumnSchema]
  /// The positions of the columns to sort by, most important first.
  private let keys: [Int]
  /// How much text the rows in memory may have; they take several times as much.
  private let textBytesMax: Int
  private var rows: [[Datum]] = []
  private var textBytes = 0
  private var runs: [Run] = []
  private var file: TemporaryFile?
  private(set) var count = 0

  /// A part of the file with sorted rows.
  private struct Run {
    var begin: Int64
    var end: Int64
  }

  static let usualTextBytesMax = 16 << 20

  init(columns: [ColumnSchema], keys: [Int], textBytesMax: Int = usualTextBytesMax) {
    self.columns = columns
    self.keys = keys
    self.textBytesMax = textBytesMax
  }

  /// - Parameter textBytes: about how long the row is as text.
  mutating func add(_ row: [Datum], textBytes: Int) throws(ToolFailure) {
    rows.append(row)
    count += 1
    self.textBytes += textBytes + 16 * row.count
    if self.textBytes > textBytesMax { try writeRun() }
  }

  /// Hands out the rows in order. Nothing may be added afterwards.
  mutating func drain(_ body: ([Datum]) throws(ToolFailure) -> Void) throws(ToolFailure) {
    sortRows()
    guard !runs.isEmpty, let file else {
      for row in rows { try body(row) }
      rows = []
      return
    }
    try writeRun()
    try file.flush()
    try merge(file, body)
  }

  private func precedes(_ a: [Datum], _ b: [Datum]) -> Bool {
    for key in keys {
      let order = a[key].order(b[key], type: columns[key].type.key.type)
      if order != 0 { return order < 0 }
    }
    return false
  }

  private mutating func sortRows() {
    rows.sort(by: precedes)
  }

  // MARK: - Runs

  /// Shape of a row in the file: its length in four bytes, least significant first, then `[<value>, ...]`.
  private mutating func writeRun() throws(ToolFailure) {
    guard !rows.isEmpty else { return }
    sortRows()
    let file: TemporaryFile
    if let opened = self.file { file = opened } else { file = try TemporaryFile() }
    self.file = file
    let begin = file.count
    var writer = ByteWriter(capacity: 1024)
    for row in rows {
      writer.removeAll()
      writer.append("[")
      for (index, datum) in row.enumerated() {
        if index > 0 { writer.append(",") }
        datum.write(to: &writer, type: columns[index].type)
      }
      writer.append("]")
      guard let length = UInt32(exactly: writer.count) else { throw ToolFailure("a row is too long to be sorted") }
      try file.append((0..<4).map { UInt8(truncatingIfNeeded: length >> (8 * $0)) })
      try writer.withBytes { (bytes) throws(ToolFailure) in try file.append(bytes) }
    }
    runs.append(Run(begin: begin, end: file.count))
    rows.removeAll(keepingCapacity: true)
    textBytes = 0
  }

  // MARK: - Merging

  /// All readers together hold about this much.
  private static let mergeBytesMax = 8 << 20

  private mutating func merge(_ file: TemporaryFile, _ body: ([Datum]) throws(ToolFailure) -> Void) throws(ToolFailure) {
    let bufferBytes = max(4096, min(256 << 10, Self.mergeBytesMax / runs.count))
    var heap: [RunReader] = []
    for run in runs {
      var reader = RunReader(file: file, position: run.begin, end: run.end, bufferBytes: bufferBytes, columns: columns)
      if try reader.advance() { heap.append(reader) }
    }
    for index in heap.indices.reversed() { sink(&heap, from: index) }
    while let first = heap.first {
      try body(first.row)
      if try heap[0].advance() {
        sink(&heap, from: 0)
      } else {
        let last = heap.removeLast()
        guard !heap.isEmpty else { return }
        heap[0] = last
        sink(&heap, from: 0)
      }
    }
  }

  /// Restores the order of a heap below a reader whose row has changed.
  private func sink(_ heap: inout [RunReader], from start: Int) {
    var parent = start
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count && precedes(heap[child].row, heap[least].row) {
        least = child
      }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}

/// Reads the rows of one run.
private struct RunReader {
  let file: TemporaryFile
  var position: Int64
  let end: Int64
  let bufferBytes: Int
  let columns: [ColumnSchema]
  private(set) var row: [Datum] = []
  private var buffer: [UInt8] = []
  private var offset = 0

  init(file: TemporaryFile, position: Int64, end: Int64, bufferBytes: Int, columns: [ColumnSchema]) {
    self.file = file
    self.position = position
    self.end = end
    self.bufferBytes = bufferBytes
    self.columns = columns
  }

  /// Goes on to the next row.
  ///
  /// - Returns: false at the end of the run.
  mutating func advance() throws(ToolFailure) -> Bool {
    guard let header = try take(4) else { return false }
    let length = header.reversed().reduce(0) { $0 << 8 | Int($1) }
    guard let text = try take(length) else { throw Self.damaged }
    do {
      row = try JSONDocument.parse(text).withRoot { root in
        try zip(root.elements, columns).map { try Datum(json: $0, type: $1.type, symbols: nil) }
      }
    } catch {
      throw Self.damaged
    }
    guard row.count == columns.count else { throw Self.damaged }
    return true
  }

  private static let damaged = ToolFailure("temporary data was changed by somebody")

  private mutating func take(_ count: Int) throws(ToolFailure) -> ArraySlice<UInt8>? {
    if buffer.count - offset < count {
      var rest = Array(buffer[offset...])
      let wanted = min(Int64(max(bufferBytes, count - rest.count)), end - position)
      rest += try file.read(at: position, count: Int(wanted))
      position += wanted
      (buffer, offset) = (rest, 0)
      guard buffer.count >= count else { return nil }
    }
    defer { offset += count }
    return buffer[offset..<offset + count]
  }
}
