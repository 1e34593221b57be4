// SPDX-License-Identifier: Apache-2.0
//
// What a program can be told over its control socket: commands by name.

import Daemon
internal import JSON
import Synchronization

/// A command's answer to a mistake: text for the operator.
package struct ControlError: Error, Equatable, Sendable {
  package var text: String
  package init(_ text: String) { self.text = text }
}

package final class ControlCommands: Sendable {
  package struct Command: Sendable {
    package let name: String
    /// The arguments as `list-commands` shows them.
    package let usage: String
    package let argumentCounts: ClosedRange<Int>
    /// Not shown by `list-commands`.
    package let isHidden: Bool
    let handler: @Sendable (ControlRequest) -> Void
  }

  private let commands = Mutex<[String: Command]>([:])

  /// Without any command; `addStandard` adds what every program has.
  package init() {}

  /// Adds a command whose handler answers now or later, on whatever thread: `ControlRequest.reply`, or `fail`. The handler
  /// runs on the control server's event loop. A command of the same name is replaced.
  package func add(
    _ name: String, usage: String = "", arguments: ClosedRange<Int> = 0...0, hidden: Bool = false,
    handler: @escaping @Sendable (ControlRequest) -> Void
  ) {
    commands.withLock {
      $0[name] = Command(name: name, usage: usage, argumentCounts: arguments, isHidden: hidden, handler: handler)
    }
  }

  /// Adds a command that answers at once with a text.
  package func add(
    _ name: String, usage: String = "", arguments: ClosedRange<Int> = 0...0, hidden: Bool = false,
    answer: @escaping @Sendable (_ arguments: [String]) throws(ControlError) -> String
  ) {
    add(name, usage: usage, arguments: arguments, hidden: hidden) { (request: ControlRequest) in
      do throws(ControlError) {
        request.reply(try answer(request.arguments))
      } catch {
        request.fail(error.text)
      }
    }
  }

  package func remove(_ name: String) { commands.withLock { _ = $0.removeValue(forKey: name) } }

  /// All that are shown, sorted by the bytes of their names.
  package var visible: [Command] {
    commands.withLock { Array($0.values) }.filter { !$0.isHidden }
      .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
  }

  /// Finds the command and checks the number of arguments.
  ///
  /// - Parameter argumentsAreStrings: Checked last, so that the other mistakes are told first.
  func command(named name: String, argumentCount: Int, argumentsAreStrings: Bool) throws(ControlError) -> Command {
    guard let command = commands.withLock({ $0[name] }) else {
      throw ControlError("\"\(name)\" is not a valid command (use \"list-commands\" to see a list of valid commands)")
    }
    let (least, most) = (command.argumentCounts.lowerBound, command.argumentCounts.upperBound)
    guard argumentCount >= least else {
      throw ControlError("\"\(name)\" command requires at least \(least) arguments")
    }
    guard argumentCount <= most else { throw ControlError("\"\(name)\" command takes at most \(most) arguments") }
    guard argumentsAreStrings else { throw ControlError("\"\(name)\" command has non-string argument") }
    return command
  }

  /// What `list-commands` answers as text.
  var table: String {
    "The available commands are:\n" + visible.map { "  \($0.name.padded(to: 23)) \($0.usage)\n" }.joined()
  }

  /// What `list-commands` answers as JSON: an object from name to usage.
  func writeTable(to writer: inout ByteWriter) {
    writer.append(UInt8(ascii: "{"))
    for (index, command) in visible.enumerated() {
      if index > 0 { writer.append(UInt8(ascii: ",")) }
      writer.appendQuoted(command.name)
      writer.append(UInt8(ascii: ":"))
      writer.appendQuoted(command.usage)
    }
    writer.append(UInt8(ascii: "}"))
  }
}
