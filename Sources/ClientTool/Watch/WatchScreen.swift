// SPDX-License-Identifier: Apache-2.0
//
// The terminal in the hands of `watch`: a screen of our own, keys one by one, and everything as it was when the program ends, however
// it ends.

import Daemon
import Glibc
import Synchronization

final class WatchScreen: Sendable {
  private struct State {
    /// How the terminal was; nil while it is that way.
    var original: termios?
  }

  private let state = Mutex(State())

  /// Another screen, no cursor, no wrapping of lines.
  private static let entering = "\u{1B}[?1049h\u{1B}[?25l\u{1B}[?7l"
  private static let leaving = "\u{1B}[?7h\u{1B}[?25h\u{1B}[?1049l"

  /// Takes the terminal over.
  init() throws(ToolFailure) {
    try enter()
    Cleanup.register { [self] in leave() }
  }

  static var size: Terminal.Size { Terminal.size(of: STDOUT_FILENO) }

  func enter() throws(ToolFailure) {
    try state.withLock { (state) throws(ToolFailure) in
      guard state.original == nil else { return }
      var settings = termios()
      guard tcgetattr(STDIN_FILENO, &settings) == 0 else {
        throw ToolFailure("could not read the terminal's settings (\(SystemError.text(errno)))")
      }
      state.original = settings
      // Keys come at once and unseen; Ctrl-C and Ctrl-Z are keys like others, so that we leave in an orderly way.
      settings.c_lflag &= ~tcflag_t(ICANON | ECHO | ISIG | IEXTEN)
      settings.c_iflag &= ~tcflag_t(IXON | ICRNL)
      guard tcsetattr(STDIN_FILENO, TCSADRAIN, &settings) == 0 else {
        state.original = nil
        throw ToolFailure("could not change the terminal's settings (\(SystemError.text(errno)))")
      }
    }
    draw(Self.entering)
  }

  /// Gives the terminal back as it was.
  func leave() {
    state.withLock { state in
      guard var original = state.original else { return }
      state.original = nil
      draw(Self.leaving)
      // A terminal that is gone needs nothing.
      _ = tcsetattr(STDIN_FILENO, TCSADRAIN, &original)
    }
  }

  /// Stops the process as Ctrl-Z does, and comes back when it is continued.
  func suspend() throws(ToolFailure) {
    leave()
    // SIGTSTP may be blocked here. Sent to this thread: it must not go on before the process has stopped.
    raise(SIGSTOP)
    try enter()
  }

  /// Replaces what is on the screen.
  func show(_ lines: [String]) {
    draw("\u{1B}[H" + lines.joined(separator: "\u{1B}[K\r\n") + "\u{1B}[K\u{1B}[J")
  }

  private func draw(_ text: String) { Output.write(text) }

  /// The keys that were pressed meanwhile; nil when the terminal is gone.
  func keys() -> [WatchView.Key]? {
    var waiting = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
    guard poll(&waiting, 1, 0) > 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: 256)
    let count = read(STDIN_FILENO, &bytes, bytes.count)
    guard count > 0 else { return count < 0 && (errno == EINTR || errno == EAGAIN) ? [] : nil }
    return Self.keys(bytes[..<count])
  }

  private static let sequences: [(bytes: String, key: WatchView.Key)] = [
    ("\u{1B}[A", .up), ("\u{1B}OA", .up), ("\u{1B}[B", .down), ("\u{1B}OB", .down), ("\u{1B}[C", .right), ("\u{1B}OC", .right),
    ("\u{1B}[D", .left), ("\u{1B}OD", .left), ("\u{1B}[5~", .pageUp), ("\u{1B}[6~", .pageDown), ("\u{1B}[H", .home),
    ("\u{1B}OH", .home), ("\u{1B}[1~", .home), ("\u{1B}[F", .end), ("\u{1B}OF", .end), ("\u{1B}[4~", .end), ("k", .up), ("j", .down),
    ("h", .left), ("l", .right), ("b", .pageUp), ("f", .pageDown), ("g", .home), ("G", .end), (" ", .pause), ("q", .quit),
    ("Q", .quit), ("\u{3}", .quit), ("\u{1A}", .suspend), ("\u{C}", .redraw),
  ]

  /// The keys in what a terminal sent. What is none of ours is passed over.
  static func keys(_ bytes: ArraySlice<UInt8>) -> [WatchView.Key] {
    var keys: [WatchView.Key] = []
    var rest = bytes
    while !rest.isEmpty {
      if let found = sequences.first(where: { rest.starts(with: $0.bytes.utf8) }) {
        keys.append(found.key)
        rest = rest.dropFirst(found.bytes.utf8.count)
      } else {
        rest = rest.dropFirst(unknownLength(rest))
      }
    }
    return keys
  }

  /// An escape sequence that we do not know goes as a whole: its letters are no keys.
  private static func unknownLength(_ bytes: ArraySlice<UInt8>) -> Int {
    guard bytes.starts(with: "\u{1B}[".utf8) else { return 1 }
    let body = bytes.dropFirst(2)
    guard let end = body.firstIndex(where: { (0x40...0x7E).contains($0) }) else { return bytes.count }
    return end - bytes.startIndex + 1
  }
}
