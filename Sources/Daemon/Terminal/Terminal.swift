// SPDX-License-Identifier: Apache-2.0
//
// What a program that writes for people must know of the terminal in front of them: whether there is one, and its size. How
// many columns a text takes there is in `DisplayWidth`.

import CPosixShims
import Glibc

package enum Terminal {
  /// In characters.
  package struct Size: Equatable, Sendable {
    package var rows: Int
    package var columns: Int

    package init(rows: Int, columns: Int) {
      self.rows = rows
      self.columns = columns
    }
  }

  /// Whether the descriptor is a terminal that understands the usual control sequences.
  package static func isCapable(_ descriptor: Int32) -> Bool {
    guard isatty(descriptor) == 1, let kind = Paths.environment("TERM") else { return false }
    return kind != "dumb"
  }

  /// The size of a terminal. One that does not know its own, such as a serial line, has what `LINES` and `COLUMNS` say, or 24
  /// lines of 80.
  package static func size(of descriptor: Int32) -> Size {
    var (rows, columns): (Int32, Int32) = (0, 0)
    // What fails leaves zeros, which are what a terminal without a size says, too.
    _ = posix_shim_terminal_size(descriptor, &rows, &columns)
    return Size(rows: known(rows, "LINES", 24), columns: known(columns, "COLUMNS", 80))
  }

  private static func known(_ size: Int32, _ variable: String, _ usual: Int) -> Int {
    if size > 0 { return Int(size) }
    guard let text = Paths.environment(variable), let size = Int(text), (1...9999).contains(size) else { return usual }
    return size
  }
}
