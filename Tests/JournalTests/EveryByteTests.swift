// SPDX-License-Identifier: Apache-2.0
//
// A log of a few hundred records, cut at every byte and with every byte changed (style T7): what is loaded is exactly what stands before
// the damage, with a warning at the end of the file and a refusal inside it.

import Foundation
import TestSupport
import Testing

@testable import Journal

/// `OVSDB_EVERY_BYTE`: every place; else each of so many, another part of them at each start of a record.
private let placeStride = ProcessInfo.processInfo.environment["OVSDB_EVERY_BYTE"] == nil ? 61 : 1

@Suite struct EveryByteTests {
  private let directory: TemporaryDirectory
  private let disk = SimulatedDisk()
  private let records: [[UInt8]]
  private let file: [UInt8]
  /// Where each record begins, and where the last one ends.
  private let starts: [Int]

  init() throws {
    directory = try TemporaryDirectory()
    var random = SeededRandom(seed: 5)
    let texts = [schemaText] + (0..<300).map { number in
      let padding = String(repeating: "OVSDB JSON ", count: Int(random.next() % 4))
      return #"{"_date":1700000000000,"t":{"\#(id(number))":{"n":\#(number),"s":"\#(padding)"}}}"#
    }
    records = texts.map { framed($0) }
    file = records.flatMap { $0 }
    starts = records.reduce(into: [0]) { $0.append(($0.last ?? 0) + $1.count) }
  }

  private var path: String { directory.file("x.db") }

  /// How many records are loaded, and how the end was found.
  private func load(_ bytes: [UInt8]) throws -> (count: Int, recovery: LogFile.Recovery?, refusal: LogError?) {
    disk.put(bytes, at: path)
    defer { #expect(disk.contents(of: path) == bytes, "loading changed the file") }
    var count = 0
    do throws(LogError) {
      let loaded = try LogFile.open(path: path, fileSystem: disk.fileSystem).load { (record) throws(LogError) in
        if !record.data.elementsEqual(records[count].suffix(record.data.count)) {
          throw LogError(.ovsdbError, "record \(count) is another")
        }
        count += 1
      }
      return (count, loaded.recovery, nil)
    } catch {
      return (count, nil, error)
    }
  }

  private func recordIndex(of offset: Int) -> Int { (starts.firstIndex { $0 > offset } ?? starts.count) - 1 }

  @Test func everyCutLeavesTheWholeRecordsBeforeItAndAWarning() throws {
    for cut in stride(from: 0, to: file.count, by: placeStride) {
      let whole = recordIndex(of: cut)
      let loaded = try load(Array(file[..<cut]))
      guard whole > 0 else {
        #expect(loaded.refusal != nil, "cut at \(cut)")
        continue
      }
      #expect(loaded.count == whole, "cut at \(cut)")
      if starts[whole] == cut {
        #expect(loaded.recovery == .clean, "cut at \(cut)")
      } else if case .torn(_, let record, let offset, let excess) = loaded.recovery {
        #expect((record, offset, excess) == (whole, starts[whole], cut - starts[whole]), "cut at \(cut)")
      } else {
        Issue.record("cut at \(cut): \(loaded)")
      }
    }
  }

  @Test func everyChangedByteIsFoundAndNothingBehindItIsLost() throws {
    var random = SeededRandom(seed: 6)
    for offset in stride(from: 0, to: file.count, by: placeStride) {
      var bytes = file
      bytes[offset] ^= UInt8(random.next() % 255) + 1
      let index = recordIndex(of: offset)
      let loaded = try load(bytes)
      if loaded.recovery == .clean {
        // A digit of a hash in the other case is the same digit.
        #expect(loaded.count == records.count && (bytes[offset] ^ 0x20) == file[offset], "byte \(offset)")
        continue
      }
      #expect(loaded.count == index, "byte \(offset)")
      if index == records.count - 1 {
        guard case .torn(_, index, starts[index], records[index].count) = loaded.recovery else {
          Issue.record("byte \(offset): \(loaded)")
          continue
        }
      } else if index > 0 {
        let behind = records.count - index - 1
        let place = "record \(index) at offset \(starts[index]) is damaged and \(behind) good record\(behind == 1 ? " follows" : "s follow")"
        #expect(loaded.refusal?.details.contains(place) == true, "byte \(offset): \(String(describing: loaded.refusal))")
      } else {
        #expect(loaded.refusal != nil, "byte \(offset)")
      }
    }
  }
}
