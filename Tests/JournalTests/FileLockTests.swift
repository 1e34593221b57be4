// SPDX-License-Identifier: Apache-2.0

import CPosixShims
import Foundation
import Testing

@testable import Journal

@Suite struct FileLockTests {
  let directory: TemporaryDirectory

  init() throws { directory = try TemporaryDirectory() }

  private var path: String { directory.file("x.db") }
  private var lockPath: String { directory.file(".x.db.~lock~") }

  @Test func theLockFileIsBesideTheDatabaseEmptyPrivateAndKept() throws {
    do { _ = try FileLock(database: path) }
    let attributes = try FileManager.default.attributesOfItem(atPath: lockPath)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    #expect(attributes[.size] as? Int == 0)
  }

  @Test(arguments: [
    ("x.db", ".x.db.~lock~"), ("/a/x.db", "/a/.x.db.~lock~"), ("../b/x", "../b/.x.~lock~"), ("", "..~lock~"),
  ])
  func theNameIsMadeFromTheFileName(database: String, lock: String) {
    #expect(FileLock.path(for: database) == lock)
  }

  @Test func symbolicLinksAreFollowed() throws {
    try FileManager.default.createSymbolicLink(atPath: directory.file("a"), withDestinationPath: "b")
    try FileManager.default.createSymbolicLink(
      atPath: directory.file("b"), withDestinationPath: directory.file("c"))
    #expect(FileLock.path(for: directory.file("a")) == directory.file(".c.~lock~"))
  }

  @Test func theSameProcessTwiceIsToldSo() throws {
    let lock = try FileLock(database: path)
    let error = #expect(throws: LogError.self) { try FileLock(database: path) }
    #expect(error?.lockWarnings == ["\(lockPath): cannot lock file because this process has already locked it"])
    withExtendedLifetime(lock) {}
  }

  @Test func theLockIsFreeAgainWhenItsOwnerIsGone() throws {
    do { _ = try FileLock(database: path) }
    _ = try FileLock(database: path)
  }

  @Test func aMissingDirectoryIsReported() {
    let error = #expect(throws: LogError.self) { try FileLock(database: "/nowhere/x.db") }
    #expect(error?.description == "I/O error: /nowhere/x.db: failed to lock lockfile (No such file or directory)")
    #expect(
      error?.lockWarnings == [
        "/nowhere/.x.db.~lock~: failed to open lock file: No such file or directory",
        "/nowhere/.x.db.~lock~: failed to lock file: No such file or directory",
      ])
  }

  /// Holds a lock in another process, in one of the two ways there are, until its standard input ends.
  private func withHolder(_ call: String, _ body: (Int32) throws -> Void) throws {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = [
      "python3", "-c",
      """
      import fcntl, os, struct, sys
      fd = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o600)
      \(call)
      print("held", flush=True)
      sys.stdin.read()
      """, lockPath,
    ]
    let input = Pipe()
    let output = Pipe()
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    var heard = Data()
    while heard.last != UInt8(ascii: "\n") {
      let more = output.fileHandleForReading.availableData
      if more.isEmpty { break }
      heard += more
    }
    #expect(heard == Data("held\n".utf8))
    defer {
      try? input.fileHandleForWriting.close()
      process.waitUntilExit()
    }
    try body(process.processIdentifier)
  }

  @Test(arguments: [
    "fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)",
    "fcntl.fcntl(fd, 37, struct.pack('hhqqi', fcntl.F_WRLCK, 0, 0, 0, 0))  # F_OFD_SETLK",
  ])
  func aLockOfAnotherProcessIsRefusedWithItsProcessId(call: String) throws {
    try withHolder(call) { pid in
      let error = #expect(throws: LogError.self) { try FileLock(database: path) }
      #expect(
        error?.description
          == "I/O error: \(path): failed to lock lockfile (Resource temporarily unavailable)")
      #expect(
        error?.lockWarnings == ["\(lockPath): cannot lock file because it is already locked by pid \(pid)"])
    }
    _ = try FileLock(database: path)
  }

  @Test func closingAnotherDescriptorOfTheLockFileDoesNotReleaseIt() throws {
    let lock = try FileLock(database: path)
    // A classic record lock would be gone after this (fcntl(2)).
    close(open(lockPath, O_RDONLY))
    let result = try run(
      "python3",
      ["-c", "import fcntl, os, sys; fcntl.lockf(os.open(sys.argv[1], os.O_RDWR), fcntl.LOCK_EX | fcntl.LOCK_NB)", lockPath])
    #expect(result.status == 1)
    #expect(result.errors.contains("BlockingIOError"))
    withExtendedLifetime(lock) {}
  }

  @Test(.enabled(if: isPeerInstalled)) func thePeersToolAndWeExcludeEachOther() throws {
    let schema = try directory.write(Array(schemaText.utf8), to: "schema")
    #expect(try run("ovsdb-tool", ["create", path, schema]).status == 0)
    let transaction = #"["D",{"op":"insert","table":"t","row":{"n":1}}]"#
    do {
      let loaded = try load(path)
      let refused = try run("ovsdb-tool", ["transact", path, transaction])
      #expect(refused.status == 1)
      #expect(refused.errors.contains("failed to lock lockfile (Resource temporarily unavailable)"))
      withExtendedLifetime(loaded.log) {}
    }
    #expect(try run("ovsdb-tool", ["transact", path, transaction]).status == 0)
  }

  @Test(.enabled(if: isPeerInstalled)) func thePeerReadsWhatWeWriteAndWeReadWhatItWrites() throws {
    let schema = try directory.write(Array(schemaText.utf8), to: "schema")
    #expect(try run("ovsdb-tool", ["create", path, schema]).status == 0)
    for number in 0..<5 {
      let transaction = #"["D",{"op":"insert","table":"t","row":{"n":\#(number)}},{"op":"comment","comment":"c"}]"#
      #expect(try run("ovsdb-tool", ["transact", path, transaction]).status == 0)
    }
    let loaded = try load(path)
    #expect(loaded.records.count == 6)
    #expect(loaded.recovery == .clean)

    // Our copy of its records is the same file.
    let copy = directory.file("copy.db")
    let log = try LogFile.create(path: copy)
    for record in loaded.records { log.append(Array(record.utf8.dropLast())) }
    try log.persistCreation()
    #expect(try contents(of: copy) == (try contents(of: path)))
    log.append(Array(#"{"_date":1795222386576,"_is_diff":true,"_comment":"ours"}"#.utf8))
    try log.flush()
    let shown = try run("ovsdb-tool", ["show-log", copy])
    #expect(shown.status == 0)
    #expect(shown.output.hasSuffix("record 6: 2026-11-21 00:53:06.576 \"ours\"\n"))
  }
}
