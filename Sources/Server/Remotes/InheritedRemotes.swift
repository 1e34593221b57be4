// SPDX-License-Identifier: Apache-2.0
//
// What the process was started with: descriptors that the command line names (`pfd:N`), and sockets that a service manager passed. It is
// sorted out once, in the first process and before anything is opened.

import Daemon
import OVSDB
import Streams

/// The inherited descriptors and the remotes that serve them.
package struct InheritedRemotes {
  /// What a service manager passed.
  let passed: [InheritedDescriptor]
  /// Remotes for passed sockets that the command line does not name.
  let unnamed: [String]

  /// Takes over what the process was started with.
  ///
  /// - Parameters:
  ///   - remotes: as the command line names them.
  ///   - servesUnnamed: serve passed sockets that no remote names; else they are closed.
  ///   - detaches: the program is to go to the background.
  ///   - writesPIDFile: from which a service manager of `Type=forking` learns the process to watch.
  /// - Throws: why the program must not go on.
  static func take(
    remotes: [String], servesUnnamed: Bool, detaches: Bool, writesPIDFile: Bool
  ) throws(ConfigurationError) -> InheritedRemotes {
    let activation: SocketActivation
    do throws(SocketActivation.Failure) {
      activation = try SocketActivation.take()
    } catch {
      throw ConfigurationError(description: error.description)
    }
    let log = LogModule("ovsdb_server")
    for warning in activation.warnings { log.warn(warning) }
    let methods = Set(remotes).compactMap { try? ConnectionMethod.parse($0, origin: .commandLine) }
    if detaches, !activation.passed.isEmpty, !(methods.contains(where: \.isInherited) && writesPIDFile) {
      throw ConfigurationError(
        description: "--detach cannot be used with socket activation unless a remote names a passed socket (pfd:) and --pidfile names the "
          + "process: the one that the service manager started ends at once")
    }
    let numbers = methods.compactMap { if case .pfd(let number) = $0.kind { number } else { nil } }
    InheritedDescriptors.shared.claim(numbers, passed: activation.passed)
    let names = try remotesByNumber(methods)
    var unnamed: [String] = []
    let passed = activation.passed.map { InheritedDescriptor($0) }
    for descriptor in passed where names[descriptor.number] == nil {
      if descriptor.isListening, servesUnnamed {
        unnamed.append("pfd:\(descriptor.number)")
      } else {
        let reason = descriptor.isListening ? "no remote names it" : descriptor.kind
        log.warn("descriptor \(descriptor.number)\(descriptor.name.map { " (\($0))" } ?? ""): \(reason); closing it")
        descriptor.close()
      }
    }
    return InheritedRemotes(passed: passed, unnamed: unnamed)
  }

  /// Two remotes cannot share one descriptor: a client would come in by either, as chance has it.
  private static func remotesByNumber(_ methods: [ConnectionMethod]) throws(ConfigurationError) -> [Int32: String] {
    var names: [Int32: String] = [:]
    for method in methods.sorted(by: { Text($0.name) < Text($1.name) }) {
      guard let number = method.inheritedNumber else { continue }
      if let other = names[number] {
        throw ConfigurationError(description: "--remote=\(method.name): descriptor \(number) is served by remote \(other) already")
      }
      names[number] = method.name
    }
    return names
  }

  /// What was passed, as a table for people.
  ///
  /// - Parameter server: the name of the remote that serves a number.
  func table(server: (Int32) -> String?) -> String {
    guard !passed.isEmpty else { return "" }
    let rows =
      [["fd", "name", "family", "address", "remote"]]
      + passed.map { descriptor in
        [
          "\(descriptor.number)", descriptor.name ?? "-", descriptor.family, descriptor.address.isEmpty ? "-" : descriptor.address,
          server(descriptor.number) ?? (InheritedDescriptors.shared.isOpen(descriptor.number) ? "-" : "(closed)"),
        ].map { $0.escapingControlCharacters() }
      }
    return alignedTable(rows)
  }
}
