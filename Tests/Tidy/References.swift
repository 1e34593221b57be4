import Foundation

/// Looks up what documents and comments refer to.
struct References {
  let tree: SourceTree
  private let paths: Set<String>
  private let names: Set<String>
  private let folders: Set<String>
  private let anchors: [String: Set<String>]

  /// `others`: files and folders that exist without being read as text, such as LICENSE.
  init(_ tree: SourceTree, others: Set<String> = []) {
    self.tree = tree
    paths = Set(tree.files.map(\.path)).union(others)
    names = Set(tree.files.map(\.name))
    folders = Set(tree.files.flatMap { Self.parents(of: $0.path) })
    anchors = Dictionary(uniqueKeysWithValues: tree.documents.map { ($0.path, Self.anchors(in: $0.text)) })
  }

  /// `[text](path#anchor)` in documents.
  func brokenLinks() -> [Finding] {
    tree.documents.flatMap { file in
      file.lines(with: "](").flatMap { line in
        line.text.matches(of: /\]\(([^)\s]+)\)/).map { String($0.1) }
          .filter { !$0.contains("://") && !$0.hasPrefix("mailto:") && !leads($0, from: file.path) }
          .map { "\(file.path):\(line.number): link to \($0)" }
      }
    }
  }

  /// Names of files in backticks that no file has.
  func missingFiles() -> [Finding] {
    (tree.documents + tree.swift).flatMap { file in
      file.lines(with: "`").flatMap { line in
        Self.quoted(line.text).filter { Self.looksLikeFile($0) && !exists($0, from: file.path) }
          .map { "\(file.path):\(line.number): no file \($0)" }
      }
    }
  }

  /// Citations such as `Documentation/remotes.md#forms` in Swift.
  func brokenCitations() -> [Finding] {
    tree.swift.flatMap { file in
      file.lines(with: "Documentation/").flatMap { line in
        line.text.matches(of: /Documentation\/[\w\/+.-]*\.md(?:#[\w-]+)?/).map { String($0.0) }.filter { !leads($0, from: "") }
          .map { "\(file.path):\(line.number): citation of \($0)" }
      }
    }
  }

  /// Types, and `Type.member`, in backticks that no Swift file declares, Package.swift does not name and `foreign` does not list. Only documents that `applies` holds for are examined, as others name
  /// tables and columns as well.
  func missingSymbols(foreign: [String] = [], where applies: (ProjectFile, String) -> Bool) -> [Finding] {
    let manifest = tree.file("Package.swift")?.text.matches(of: /name: "([^"]+)"/).map { String($0.1) } ?? []
    let sources = tree.files.filter { $0.hasExtension("swift") }
    let declared = Set(sources.flatMap { Self.declarations(in: $0) } + manifest + foreign)
    return tree.documents.flatMap { file in
      file.lines(with: "`").flatMap { line in
        Self.quoted(line.text).filter { $0.wholeMatch(of: /[A-Z]\w*[a-z]\w*(\.\w+)*/) != nil && !Self.looksLikeFile($0) }
          .filter { applies(file, $0) && !$0.split(separator: ".").allSatisfy { declared.contains(String($0)) } }
          .map { "\(file.path):\(line.number): no symbol \($0)" }
      }
    }
  }
}

extension References {
  private func leads(_ link: String, from origin: String) -> Bool {
    let parts = link.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
    let path = parts[0].isEmpty ? origin : Self.resolve(parts[0], from: origin)
    guard paths.contains(path) || folders.contains(path) else { return false }
    return parts.count == 1 || anchors[path]?.contains(parts[1]) ?? false
  }

  private func exists(_ name: String, from origin: String) -> Bool {
    guard name.contains("/") else { return names.contains(name) }
    return paths.contains(name) || paths.contains(Self.resolve(name, from: origin)) || paths.contains { $0.hasSuffix("/\(name)") }
  }

  /// The path below the root of `link` in the file `origin`.
  static func resolve(_ link: String, from origin: String) -> String {
    var parts = origin.split(separator: "/").dropLast()
    for part in link.split(separator: "/") where part != "." {
      if part == ".." { _ = parts.popLast() } else { parts.append(part) }
    }
    return parts.joined(separator: "/")
  }

  static func parents(of path: String) -> [String] {
    let parts = path.split(separator: "/")
    return (0..<parts.count).map { parts[..<$0].joined(separator: "/") }
  }

  /// The anchors of a document's headings, as GitHub makes them.
  static func anchors(in text: String) -> Set<String> {
    Set(text.matches(of: /(?m)^#{1,6} (.+)$/).map { anchor(of: String($0.1)) })
  }

  static func anchor(of heading: String) -> String {
    let plain = heading.replacing(/\[([^\]]*)\]\([^)]*\)/) { $0.1 }
    return String(plain.lowercased().compactMap { $0 == " " ? "-" : isNamePart($0) || $0 == "-" ? $0 : nil })
  }

  static func quoted(_ line: String) -> [String] { line.matches(of: /`([^`\s]+)`/).map { String($0.1) } }

  static func looksLikeFile(_ text: String) -> Bool { text.wholeMatch(of: /[\w\/.+-]*\w\.(swift|md|sh)/) != nil }

  private static func declarations(in file: ProjectFile) -> [String] {
    var found: [String] = []
    for keyword in ["struct ", "class ", "enum ", "actor ", "protocol ", "typealias ", "extension ", "func ", "var ", "let ", "case "] {
      for line in file.lines(with: keyword) {
        found += line.text.ranges(of: keyword).map { String(line.text[$0.upperBound...].prefix(while: isNamePart)) }
      }
    }
    return found
  }
}
