// SPDX-License-Identifier: Apache-2.0
//
// What an operator may name: every kind of file is read to its end or refused, in bounded memory and time.

import Files
import Foundation
import Testing

struct InputFileTests {
  private static func withDirectory(_ body: (String) throws -> Void) throws {
    let directory = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(at: directory) }
    try body(directory.path)
  }

  private static func read(
    _ path: String, bytesMax: Int = 1 << 20, _ patience: InputFile.Patience = .none
  ) throws(InputFileError) -> [UInt8] {
    try InputFile.read(path, bytesMax: bytesMax, patience: patience)
  }

  @Test func aRegularFileIsReadUpToTheLimit() throws {
    try Self.withDirectory { directory in
      let bytes = [UInt8](repeating: 7, count: 1 << 20)
      try Data(bytes).write(to: URL(fileURLWithPath: directory + "/f"))
      #expect(try Self.read(directory + "/f") == bytes)
      #expect(throws: InputFileError.tooLarge(bytesMax: (1 << 20) - 1)) { try Self.read(directory + "/f", bytesMax: (1 << 20) - 1) }
    }
  }

  @Test(arguments: [("/dev/zero", InputFileError.tooLarge(bytesMax: 1 << 20)), ("/", .reading(EISDIR)), ("/none/such", .opening(ENOENT))])
  func whatHasNoEndOrNoContentsIsRefused(path: String, error: InputFileError) {
    #expect(throws: error) { try Self.read(path) }
  }

  @Test func theFirstBytesDecideWhetherTheRestIsRead() throws {
    let bytes = try InputFile.read("/dev/zero", bytesMax: 1 << 20, patience: .none) { $0.first != 0 }
    #expect(bytes.first == 0)
  }

  @Test(arguments: [InputFile.Patience.none, .ample])
  func aPipeThatNobodyWritesToIsGivenUp(patience: InputFile.Patience) throws {
    try Self.withDirectory { directory in
      try #require(mkfifo(directory + "/fifo", 0o600) == 0)
      #expect(throws: InputFileError.noWriter) { try Self.read(directory + "/fifo", patience) }
    }
  }

  @Test func aPipeIsReadUntilItsWriterHasFinished() throws {
    try Self.withDirectory { directory in
      let path = directory + "/fifo"
      try #require(mkfifo(path, 0o600) == 0)
      let writer = Thread {
        // Waits for the reader, then writes more than the pipe holds.
        guard let file = FileHandle(forWritingAtPath: path) else { return }
        file.write(Data(repeating: 1, count: 200_000))
        try? file.close()
      }
      writer.start()
      #expect(try Self.read(path, .ample).count == 200_000)
    }
  }

  @Test func aWriterThatDoesNotFinishIsNotWaitedForWithoutPatience() throws {
    let pipe = Pipe()
    pipe.fileHandleForWriting.write(Data("{".utf8))
    #expect(throws: InputFileError.unfinished) { try Self.read("/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)") }
  }

  @Test func anEndedPipeIsRead() throws {
    let pipe = Pipe()
    pipe.fileHandleForWriting.write(Data("all".utf8))
    try pipe.fileHandleForWriting.close()
    #expect(try Self.read("/dev/fd/\(pipe.fileHandleForReading.fileDescriptor)") == Array("all".utf8))
  }
}
