import Foundation

/// A file of the project: where it is, below the root, and its bytes.
struct ProjectFile {
  let path: String
  let bytes: Data

  init(path: String, bytes: Data) {
    self.path = path
    self.bytes = bytes
  }

  init(path: String, text: String) {
    self.init(path: path, bytes: Data(text.utf8))
  }

  var name: String { String(path.split(separator: "/").last ?? "") }
  var text: String { String(decoding: bytes, as: UTF8.self) }

  func hasExtension(_ names: String...) -> Bool { names.contains { path.hasSuffix(".\($0)") } }

  /// The target whose folder below `Sources` holds the file.
  var target: String? {
    let parts = path.split(separator: "/")
    return parts.count > 2 && parts[0] == "Sources" ? String(parts[1]) : nil
  }
}

extension ProjectFile {
  /// Calls `body` with each line's number, from 1, and its bytes without the newline.
  func forEachLine(_ body: (Int, UnsafeRawBufferPointer) -> Void) {
    bytes.withUnsafeBytes { all in
      guard let base = all.baseAddress else { return }
      var start = 0
      var number = 1
      while start < all.count {
        let end = memchr(base + start, 0x0A, all.count - start).map { UnsafeRawPointer($0) - base } ?? all.count
        body(number, UnsafeRawBufferPointer(rebasing: all[start..<end]))
        start = end + 1
        number += 1
      }
    }
  }

  /// The lines that contain `needle`.
  func lines(with needle: String) -> [(number: Int, text: String)] {
    let needle = Array(needle.utf8)
    guard bytes.withUnsafeBytes({ contains(needle, in: $0) }) else { return [] }
    var found: [(Int, String)] = []
    forEachLine { number, line in
      if contains(needle, in: line) { found.append((number, String(decoding: line, as: UTF8.self))) }
    }
    return found
  }
}

/// Whether `needle` occurs in `bytes`. The C library does the work, as the tests run unoptimized.
private func contains(_ needle: [UInt8], in bytes: UnsafeRawBufferPointer) -> Bool {
  guard let base = bytes.baseAddress else { return false }
  var start = 0
  while start + needle.count <= bytes.count {
    guard let hit = memchr(base + start, Int32(needle[0]), bytes.count - needle.count + 1 - start) else { return false }
    if memcmp(hit, needle, needle.count) == 0 { return true }
    start = UnsafeRawPointer(hit) - base + 1
  }
  return false
}

/// The project's text files, read once for all rules.
struct SourceTree {
  let files: [ProjectFile]

  init(_ files: [ProjectFile]) {
    self.files = files
  }

  func file(_ path: String) -> ProjectFile? { files.first { $0.path == path } }

  /// Swift files other than those of this target, whose samples break every rule.
  var swift: [ProjectFile] { files.filter { $0.hasExtension("swift") && !$0.path.hasPrefix("Tests/Tidy/") } }
  var documents: [ProjectFile] { files.filter { $0.hasExtension("md") } }

  static let project = SourceTree(
    root: URL(fileURLWithPath: #filePath).deletingLastPathComponent().appendingPathComponent("../..").standardized)

  private init(root: URL) {
    let names = FileManager.default.enumerator(atPath: root.path)
    var files: [ProjectFile] = []
    while let path = names?.nextObject() as? String {
      if path == ".build" || path == ".git" || path == "Fuzz/Corpora" { names?.skipDescendants() }
      let isText = [".swift", ".md", ".sh", ".c", ".h", ".service", ".socket", ".lua"].contains { path.hasSuffix($0) }
      guard isText, let bytes = FileManager.default.contents(atPath: root.path + "/" + path) else { continue }
      files.append(ProjectFile(path: path, bytes: bytes))
    }
    self.files = files.sorted { $0.path < $1.path }
  }
}
