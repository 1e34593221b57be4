// SPDX-License-Identifier: Apache-2.0
//
// Socket activation: a service manager opens, binds and listens, and starts us with the sockets from descriptor 3 on. Here its message is
// read; what is done with the sockets is the server's business, and InheritedDescriptors.swift keeps what was passed.
//
// Source: sd_listen_fds(3).

import Glibc

/// What a service manager passed to this process.
package struct SocketActivation: Equatable, Sendable {
  /// One descriptor.
  package struct Passed: Equatable, Sendable {
    package let number: CInt
    /// Its FileDescriptorName; nil when none was given.
    package let name: String?

    package init(number: CInt, name: String?) {
      self.number = number
      self.name = name
    }
  }

  package private(set) var passed: [Passed] = []
  /// What in the environment was ignored, and why.
  package private(set) var warnings: [String] = []

  /// The first descriptor that is passed (SD_LISTEN_FDS_START).
  package static let firstNumber: CInt = 3
  /// The name that stands for none.
  private static let unknownName = "unknown"
  private static let variables = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"]

  /// A start that cannot go well: the service manager says that it passed what is not there.
  package struct Failure: Error, Equatable, CustomStringConvertible {
    package let description: String
  }

  /// Takes what was passed: removes the variables, so that no program started from here takes our sockets for its own, and marks each
  /// descriptor close-on-exec. To be called once, in the first process, before anything else is opened that might get such a number.
  ///
  /// - Throws: when a descriptor is not open.
  package static func take() throws(Failure) -> SocketActivation {
    let values = variables.map { name in getenv(name).map { String(cString: $0) } }
    for name in variables { unsetenv(name) }
    let activation = SocketActivation(process: values[0], count: values[1], names: values[2], processID: getpid())
    for descriptor in activation.passed {
      guard fcntl(descriptor.number, F_GETFD) >= 0 else {
        let reason = errnoText(errno)
        throw Failure(
          description: "LISTEN_FDS=\(activation.passed.count): descriptor \(descriptor.number) was not passed (\(reason))")
      }
      guard fcntl(descriptor.number, F_SETFD, FD_CLOEXEC) == 0 else {
        throw Failure(description: "descriptor \(descriptor.number): cannot be made close-on-exec (\(errnoText(errno)))")
      }
    }
    return activation
  }

  /// Nothing was passed.
  package init() {}

  /// Reads the values of `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`.
  init(process: String?, count: String?, names: String?, processID: pid_t) {
    guard process != nil || count != nil else { return }
    guard let process, let count else {
      warnings.append("ignoring \(count == nil ? "LISTEN_PID without LISTEN_FDS" : "LISTEN_FDS without LISTEN_PID")")
      return
    }
    guard let target = Self.number(process), target > 0 else {
      warnings.append("ignoring LISTEN_FDS: LISTEN_PID is \"\(process)\", which is no process id")
      return
    }
    // Meant for the program that started us, or for one that it started before: nothing strange.
    guard target == processID else { return }
    guard let count = Self.number(count), count <= CInt.max - Self.firstNumber else {
      warnings.append("ignoring LISTEN_FDS: \"\(count)\" is no number of descriptors")
      return
    }
    var list = (names ?? "").split(separator: ":", omittingEmptySubsequences: false).map(String.init)
    if names != nil, list.count != count, !(count == 0 && names == "") {
      warnings.append("ignoring LISTEN_FDNAMES: \(list.count) names for \(count) descriptors")
      list = []
    }
    passed = (0..<count).map { index in
      let name = list.indices.contains(Int(index)) ? list[Int(index)] : ""
      return Passed(number: Self.firstNumber + index, name: name.isEmpty || name == Self.unknownName ? nil : name)
    }
  }

  /// A decimal number without sign.
  private static func number(_ text: String) -> CInt? {
    guard !text.isEmpty, text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
    return CInt(text)
  }
}
