// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the journal share: a directory of their own, files made by hand, the peer's programs, and a file
// system that fails on request.

import Foundation
import Synchronization
import Testing

@testable import Journal

/// A directory that goes away with the test.
final class TemporaryDirectory: Sendable {
  let path: String

  init() throws {
    let template = FileManager.default.temporaryDirectory.path + "/journal-tests-XXXXXX"
    var bytes = Array(template.utf8CString)
    guard mkdtemp(&bytes) != nil else { throw SystemError(code: errno) }
    path = String(decoding: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  func write(_ bytes: [UInt8], to name: String) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }
}

func contents(of path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

/// The bytes of a record, framed by Foundation-free production code that RecordReaderTests checks against sha1sum.
func framed(_ data: String, kind: FileKind = .standalone) -> [UInt8] {
  var bytes: [UInt8] = []
  Array(data.utf8).withUnsafeBytes { RecordHeader.frame($0, kind: kind, into: &bytes) }
  return bytes
}

/// Every record of a file as text, and the error that ended the reading.
func readAll(
  _ path: String, accepting kinds: Set<FileKind> = [.standalone], fileSystem: FileSystem = .system
) -> (records: [String], error: LogError?) {
  var records: [String] = []
  do throws(LogError) {
    var reader = try RecordReader(path: path, accepting: kinds, fileSystem: fileSystem)
    while let record = try reader.next() { records.append(String(decoding: record.data, as: UTF8.self)) }
    return (records, nil)
  } catch {
    return (records, error)
  }
}

/// Opens for writing and collects the records.
func load(
  _ path: String, fileSystem: FileSystem = .system
) throws(LogError) -> (log: LogFile, records: [String], recovery: LogFile.Recovery) {
  var records: [String] = []
  let (log, recovery) = try LogFile.open(path: path, fileSystem: fileSystem)
    .load { (record) throws(LogError) in records.append(String(decoding: record.data, as: UTF8.self)) }
  return (log, records, recovery)
}

struct ProgramResult {
  var status: Int32
  var output: String
  var errors: String
}

/// Runs a program to its end.
@discardableResult
func run(_ program: String, _ arguments: [String], in directory: String? = nil) throws -> ProgramResult {
  let process = Process()
  process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
  process.arguments = [program] + arguments
  if let directory { process.currentDirectoryURL = URL(fileURLWithPath: directory) }
  let output = Pipe()
  let errors = Pipe()
  process.standardOutput = output
  process.standardError = errors
  process.standardInput = FileHandle.nullDevice
  try process.run()
  let errorBytes = Mutex<Data>(Data())
  let thread = Thread { errorBytes.withLock { $0 = errors.fileHandleForReading.readDataToEndOfFile() } }
  thread.start()
  let outputBytes = output.fileHandleForReading.readDataToEndOfFile()
  process.waitUntilExit()
  while !thread.isFinished { sched_yield() }
  return ProgramResult(
    status: process.terminationStatus, output: String(decoding: outputBytes, as: UTF8.self),
    errors: errorBytes.withLock { String(decoding: $0, as: UTF8.self) })
}

/// True where Open vSwitch's ovsdb-tool is installed, so that files and locks can be tried against it.
let isPeerInstalled = ["/usr/bin/ovsdb-tool", "/usr/local/bin/ovsdb-tool"]
  .contains { FileManager.default.isExecutableFile(atPath: $0) }

let schemaText =
  #"{"name":"D","version":"1.0.0","tables":{"t":{"columns":{"n":{"type":"integer"}}}}}"#

/// A file system whose n-th call of a kind fails, or takes only part of what is written, and that knows which bytes
/// would survive the machine.
final class ScriptedFileSystem: Sendable {
  enum Call: Hashable { case write, truncate, sync, syncAll, syncData, rename, remove, open, setMode }
  enum Fault: Hashable {
    case fail(Int32)
    /// A write that takes this many bytes and no more.
    case short(Int)
  }

  private struct State {
    var counts: [Call: Int] = [:]
    var faults: [Call: [Int: Fault]] = [:]
    /// What stable storage holds of each file that was ever synced.
    var durable: [FileStatus.Identity: [UInt8]] = [:]
  }

  private let state = Mutex<State>(State())

  /// Lets the calls of a kind with these numbers, counted from now on from 1, go wrong.
  func inject(_ call: Call, _ faults: [Int: Fault]) {
    state.withLock {
      $0.counts[call] = 0
      $0.faults[call] = faults
    }
  }

  func count(of call: Call) -> Int { state.withLock { $0.counts[call] ?? 0 } }

  private func fault(_ call: Call) -> Fault? {
    state.withLock { state in
      state.counts[call, default: 0] += 1
      return state.faults[call]?[state.counts[call] ?? 0]
    }
  }

  private func check(_ call: Call) throws(SystemError) {
    if case .fail(let code) = fault(call) { throw SystemError(code: code) }
  }

  private func noteDurable(_ descriptor: Int32) throws(SystemError) {
    let status = try FileSystem.system.status(descriptor)
    var bytes = [UInt8](repeating: 0, count: status.size)
    let count = bytes.withUnsafeMutableBytes { pread(descriptor, $0.baseAddress, $0.count, 0) }
    guard count == status.size else { return }
    state.withLock { $0.durable[status.identity] = bytes }
  }

  /// What a file would hold after the machine lost power now: the bytes of its last sync.
  func survivingBytes(of path: String) throws -> [UInt8] {
    var raw = stat()
    guard stat(path, &raw) == 0 else { throw SystemError(code: errno) }
    return state.withLock { $0.durable[FileStatus(raw).identity] ?? [] }
  }

  var fileSystem: FileSystem {
    var system = FileSystem.system
    let live = FileSystem.system
    system.open = { path, flags, mode throws(SystemError) in
      try self.check(.open)
      return try live.open(path, flags, mode)
    }
    system.write = { descriptor, bytes, offset throws(SystemError) in
      switch self.fault(.write) {
      case .fail(let code): throw SystemError(code: code)
      case .short(let count):
        return try live.write(descriptor, UnsafeRawBufferPointer(rebasing: bytes.prefix(count)), offset)
      case nil: return try live.write(descriptor, bytes, offset)
      }
    }
    system.truncate = { descriptor, size throws(SystemError) in
      try self.check(.truncate)
      try live.truncate(descriptor, size)
    }
    system.sync = { descriptor throws(SystemError) in
      try self.check(.sync)
      try live.sync(descriptor)
      try self.noteDurable(descriptor)
    }
    system.syncAll = { descriptor throws(SystemError) in
      try self.check(.syncAll)
      try live.syncAll(descriptor)
    }
    system.syncData = { descriptor throws(SystemError) in
      try self.check(.syncData)
      try live.syncData(descriptor)
      try self.noteDurable(descriptor)
    }
    system.rename = { from, to throws(SystemError) in
      try self.check(.rename)
      try live.rename(from, to)
    }
    system.remove = { path throws(SystemError) in
      try self.check(.remove)
      try live.remove(path)
    }
    system.setMode = { descriptor, mode throws(SystemError) in
      try self.check(.setMode)
      try live.setMode(descriptor, mode)
    }
    return system
  }
}
