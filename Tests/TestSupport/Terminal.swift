// SPDX-License-Identifier: Apache-2.0
//
// A real terminal to try programs in: tmux(1) with a server of its own. Keys go in, what stands on the screen comes out.

import Foundation

/// A shell in a terminal of a given size. Gone with the object.
package final class TestTerminal {
  private let directory: RunDirectory
  private let socket: String

  package static var isAvailable: Bool { Programs.has("tmux") }

  /// Starts a shell whose prompt is `ready> `.
  package init(columns: Int, rows: Int, in directory: RunDirectory, environment: [String: String] = [:]) throws {
    self.directory = directory
    socket = directory.path(directory.uniqueName("tmux"))
    let settings = environment.map { "\($0.key)='\($0.value)'" }.joined(separator: " ")
    try tmux(
      "new-session", "-d", "-x", "\(columns)", "-y", "\(rows)", "env LC_ALL=C.UTF-8 PS1='ready> ' \(settings) bash --norc --noprofile")
    try wait(for: "ready>")
  }

  deinit { _ = try? tmux("kill-server") }

  @discardableResult
  private func tmux(_ words: String...) throws -> String {
    // A tmux that the tests themselves run in is none of ours.
    try succeed("tmux", ["-f", "/dev/null", "-S", socket] + words, environment: ["TMUX": "", "LC_ALL": "C.UTF-8"], in: directory)
  }

  /// Types a line.
  package func run(_ line: String) throws {
    try tmux("send-keys", "-l", line)
    try press("Enter")
  }

  /// Presses a key by its name for tmux, `C-c`, `PageDown`, `q`.
  package func press(_ key: String) throws { try tmux("send-keys", key) }

  package func resize(columns: Int, rows: Int) throws {
    try tmux("resize-window", "-x", "\(columns)", "-y", "\(rows)")
  }

  /// The lines on the screen, without blanks at their ends.
  ///
  /// - Parameter looks: with the control sequences for reverse, bold and so on.
  package func screen(looks: Bool = false) throws -> [String] {
    try (looks ? tmux("capture-pane", "-p", "-e") : tmux("capture-pane", "-p"))
      .split(separator: "\n", omittingEmptySubsequences: false).map { line in
        String(line).replacing(#/ +$/#, with: "")
      }
  }

  /// Waits until the screen is as wanted, and gives it.
  @discardableResult
  package func wait(_ what: String, looks: Bool = false, _ condition: ([String]) -> Bool) throws -> [String] {
    var lines: [String] = []
    do {
      try waitUntil(what, seconds: 60) {
        lines = try screen(looks: looks)
        return condition(lines)
      }
    } catch {
      throw ProcessError("\(error); the screen:\n\(lines.joined(separator: "\n"))")
    }
    return lines
  }

  /// Waits until a text stands somewhere on the screen.
  @discardableResult
  package func wait(for text: String) throws -> [String] {
    try wait("\"\(text)\" on the screen") { lines in lines.contains { $0.contains(text) } }
  }
}
