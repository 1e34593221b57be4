import Foundation

/// A rule returns what breaks it, each as `path:line: what`.
typealias Finding = String

/// Lines of Swift have at most `limit` characters. `known` gives, for a file, how many longer lines it still has.
func wideLines(in files: [ProjectFile], limit: Int = 140, known: [String: Int] = [:]) -> [Finding] {
  files.flatMap { file in
    var found: [Finding] = []
    file.forEachLine { number, line in
      guard line.count > limit else { return }
      let width = String(decoding: line, as: UTF8.self).count
      if width > limit { found.append("\(file.path):\(number): \(width) columns") }
    }
    return found.count > known[file.path, default: 0] ? found : []
  }
}

/// Files have at most `limit` lines; a larger one in `known` at most as many as stand there.
func largeFiles(in files: [ProjectFile], limit: Int, known: [String: Int] = [:]) -> [Finding] {
  files.compactMap { file in
    var lines = 0
    file.forEachLine { number, _ in lines = number }
    let ceiling = max(limit, known[file.path, default: 0])
    return lines > ceiling ? "\(file.path):\(lines): more than \(ceiling) lines" : nil
  }
}

/// Entries of a list of exceptions that name no file, or one that no longer needs the exception.
func staleExceptions(_ known: [String: Int], in files: [ProjectFile], limit: Int) -> [Finding] {
  known.keys.sorted().compactMap { path in
    guard let file = files.first(where: { $0.path == path }) else { return "\(path): no such file" }
    return largeFiles(in: [file], limit: limit).isEmpty ? "\(path): within the limit, needs no exception" : nil
  }
}

/// The targets in the order in which Package.swift declares them.
func targetOrder(inManifest manifest: String) -> [String] {
  manifest.matches(of: /\.(?:systemLibrary|target|executableTarget)\(\s*name: "([^"]+)"/).map { String($0.1) }
}

/// A target imports only targets that Package.swift declares before it.
func upwardImports(in files: [ProjectFile], order: [String]) -> [Finding] {
  let rank = Dictionary(order.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
  return files.flatMap { file -> [Finding] in
    guard let target = file.target else { return [] }
    guard let own = rank[target] else { return ["\(file.path):1: target \(target) is not in Package.swift"] }
    return imports(of: file).compactMap { line, module in
      guard let other = rank[module], other >= own else { return nil }
      return "\(file.path):\(line): \(target) imports \(module), which is declared after it"
    }
  }
}

/// A target that has no way to files, sockets, clocks and random numbers imports only what has none either.
func impureImports(in files: [ProjectFile], allowed: [String: Set<String>]) -> [Finding] {
  files.flatMap { file -> [Finding] in
    guard let target = file.target, let allowed = allowed[target] else { return [] }
    return imports(of: file).compactMap { line, module in
      allowed.contains(module) ? nil : "\(file.path):\(line): \(target) imports \(module), which may do I/O"
    }
  }
}

/// The modules that a file imports, with the numbers of the lines.
private func imports(of file: ProjectFile) -> [(line: Int, module: String)] {
  file.lines(with: "import ").compactMap { line in
    line.text.wholeMatch(
      of: /(?:@\w+(?:\(\w+\))? )*(?:\w+ )?import (?:(?:struct|class|enum|func|protocol|typealias|var|let) )?(\w+).*/
    ).map { (line.number, String($0.1)) }
  }
}

/// A text that may not occur, and the files in which it may not.
struct ForbiddenText: Sendable {
  let text: String
  let why: String
  var applies: @Sendable (ProjectFile) -> Bool = { _ in true }

  func findings(in files: [ProjectFile]) -> [Finding] {
    files.filter(applies).flatMap { file in
      file.lines(with: text).filter { isWord(in: $0.text) }.map { "\(file.path):\($0.number): \(text): \(why)" }
    }
  }

  /// Whether the text occurs as a word, not as part of a longer name or as somebody's method.
  private func isWord(in line: String) -> Bool {
    var rest = line[...]
    var before: Character = " "
    while let range = rest.range(of: text) {
      if range.lowerBound > rest.startIndex { before = rest[rest.index(before: range.lowerBound)] }
      let after = range.upperBound < rest.endIndex ? rest[range.upperBound] : " "
      let beginsWord = !isNamePart(text.first!) || !(isNamePart(before) || before == "." || line.contains("func \(text)"))
      let endsWord = !isNamePart(text.last!) || !isNamePart(after)
      if beginsWord && endsWord { return true }
      before = text.last!
      rest = rest[range.upperBound...]
    }
    return false
  }
}

func isNamePart(_ character: Character) -> Bool { character.isLetter || character.isNumber || character == "_" }
