// SPDX-License-Identifier: Apache-2.0
//
// Command lines by a table of options over the C library's getopt_long(3), because users' command lines follow its
// rules: long options may be abbreviated when unique, an optional argument counts only after `=`, options and arguments
// mix, `--` ends options. Its messages are what users and scripts see for a mistake.
//
// Groups of options that several programs share are classes with an `options` property: `DaemonOptions`, `LogOptions`,
// `TLSOptions`. A program concatenates them with its own.

import CPosixShims
import Glibc
import Synchronization

/// One option: its names, whether it takes an argument, and what it does.
package struct CommandLineOption {
  package enum Argument: Int32, Sendable {
    case none = 0
    case required = 1
    /// Only with `=` (long) or directly behind the letter (short).
    case optional = 2
  }

  /// Without the dashes; nil: only the letter exists.
  package var name: String?
  package var letter: Character?
  package var argument: Argument
  /// Called for each occurrence in order, with the argument if there is one.
  package var apply: (String?) throws(UsageError) -> Void

  package init(
    _ name: String?, letter: Character? = nil, argument: Argument = .none,
    apply: @escaping (String?) throws(UsageError) -> Void
  ) {
    self.name = name
    self.letter = letter
    self.argument = argument
    self.apply = apply
  }

  /// An option whose argument is required: the closure gets it as such.
  package init(
    _ name: String, letter: Character? = nil, value: @escaping (String) throws(UsageError) -> Void
  ) {
    self.init(name, letter: letter, argument: .required) { (text) throws(UsageError) in try value(text ?? "") }
  }

  /// An option without argument.
  package init(_ name: String, letter: Character? = nil, flag: @escaping () throws(UsageError) -> Void) {
    self.init(name, letter: letter, argument: .none) { (_) throws(UsageError) in try flag() }
  }
}

/// A command line that cannot be followed.
package struct UsageError: Error, Sendable {
  /// The text behind `PROGRAM: `; nil when getopt_long has printed its own.
  package var message: String?
  package var status: Int32

  package init(_ message: String?, status: Int32 = EXIT_FAILURE) {
    self.message = message
    self.status = status
  }

  /// Says what is wrong on standard error and ends the program.
  package func exit() -> Never {
    if let message { Program.fail(message, status: status) }
    Program.exit(status)
  }
}

package struct OptionParser {
  package enum Ordering: Sendable {
    /// Options may follow other arguments.
    case mixed
    /// The first argument that is no option ends the options (a command and its own arguments).
    case optionsFirst
  }

  package var options: [CommandLineOption]
  package var ordering: Ordering

  package init(options: [CommandLineOption], ordering: Ordering = .mixed) {
    self.options = options
    self.ordering = ordering
  }

  /// Applies every option in order.
  ///
  /// - Parameter arguments: With the program's name first, as it should appear in messages.
  /// - Returns: The arguments that are no options.
  /// - Throws: For a mistake in the options (already printed) or whatever an option's `apply` throws.
  package func parse(_ arguments: [String] = CommandLine.arguments) throws(UsageError) -> [String] {
    try Self.getoptState.withLock { (_) throws(UsageError) in try parseAlone(arguments) }
  }

  /// getopt_long keeps its place in global variables: one command line at a time.
  private static let getoptState = Mutex(())

  private func parseAlone(_ arguments: [String]) throws(UsageError) -> [String] {
    var copies: [UnsafeMutablePointer<CChar>?] = (arguments.isEmpty ? [Program.name] : arguments).map { strdup($0) }
    // getopt_long reorders the pointers: free what was allocated through a copy of the list.
    let allocated = copies
    copies.append(nil)
    defer { for pointer in allocated { free(pointer) } }
    let long = options.filter { $0.name != nil }
    let names = long.map { strdup($0.name ?? "") }
    defer { for pointer in names { free(pointer) } }
    let table = zip(long, names).map { option, name in
      posix_shim_option(name: UnsafePointer(name), argument: option.argument.rawValue)
    }
    let count = Int32(allocated.count)

    var restart: Int32 = 1
    while true {
      let found = posix_shim_getopt(count, &copies, letters, table, table.count, restart)
      restart = 0
      if found.code == -1 { break }
      guard found.code != Int32(UInt8(ascii: "?")) else { throw UsageError(nil) }
      let option =
        found.code == 0
        ? (long.indices.contains(Int(found.index)) ? long[Int(found.index)] : nil)
        : options.first { $0.letter?.asciiValue.map(Int32.init) == found.code }
      guard let option else { throw UsageError(nil) }
      try option.apply(found.argument.map { String(cString: $0) })
    }
    return copies.dropLast().dropFirst(Int(posix_shim_getopt_end())).compactMap { $0.map { String(cString: $0) } }
  }

  /// `parse`, ending the program on a mistake.
  package func parseOrExit(_ arguments: [String] = CommandLine.arguments) -> [String] {
    do throws(UsageError) {
      return try parse(arguments)
    } catch {
      error.exit()
    }
  }

  /// What `--option` prints: one line per long option and per letter, in the order of the table.
  package var listing: String {
    var lines: [String] = []
    for option in options {
      if let name = option.name {
        lines.append("--\(name)" + ["", "=ARG", "=[ARG]"][Int(option.argument.rawValue)])
      }
      if let letter = option.letter { lines.append("-\(letter) " + ["", "ARG", "[ARG]"][Int(option.argument.rawValue)]) }
    }
    return lines.map { $0 + "\n" }.joined()
  }

  /// The letters in getopt's notation: `p:` takes an argument, `v::` may take one, a leading `+` stops early.
  private var letters: String {
    let letters = options.compactMap { option in
      option.letter.map { String($0) + String(repeating: ":", count: Int(option.argument.rawValue)) }
    }
    return (ordering == .optionsFirst ? "+" : "") + letters.joined()
  }
}
