// SPDX-License-Identifier: Apache-2.0
//
// The descriptors that this process was started with and that `pfd:` remotes may serve. They are looked at once, at the start, because
// a number says nothing later: the system gives it to the next file that is opened, which may be the control socket.

internal import CPosixShims
import Glibc
import Synchronization

/// The inherited descriptors of this process, by the numbers they were started with.
package final class InheritedDescriptors: Sendable {
  private struct Entry {
    /// Where it is now: standard files are moved out of the way.
    var descriptor: CInt
    /// What it is; nil when it was no socket.
    var identity: FileIdentity?
    /// Why it was none.
    var errnoCode: CInt
  }

  private struct State {
    /// Nil until the program claims: then any number may be served, as in a program that opens nothing before.
    var entries: [CInt: Entry]?
    var numbersByName: [String: [CInt]] = [:]
  }

  private let state = Mutex(State())

  package static let shared = InheritedDescriptors()

  /// Takes note of the descriptors that may be served; from now on no other is. To be called before anything is opened.
  ///
  /// - Parameters:
  ///   - numbers: those that the command line names.
  ///   - passed: those that a service manager passed.
  package func claim(_ numbers: [CInt], passed: [SocketActivation.Passed] = []) {
    state.withLock { state in
      var entries = state.entries ?? [:]
      for number in numbers + passed.map(\.number) where entries[number] == nil {
        entries[number] = Self.inspect(number)
      }
      for descriptor in passed {
        if let name = descriptor.name { state.numbersByName[name, default: []].append(descriptor.number) }
      }
      state.entries = entries
    }
  }

  private static func inspect(_ number: CInt) -> Entry {
    var type: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    guard getsockopt(number, SOL_SOCKET, SO_TYPE, &type, &length) == 0 else {
      return Entry(descriptor: number, identity: nil, errnoCode: errno)
    }
    _ = fcntl(number, F_SETFD, FD_CLOEXEC)
    let identity = FileIdentity(descriptor: number)
    return Entry(descriptor: movedFromStandardFiles(number), identity: identity, errnoCode: 0)
  }

  /// A program in the background gives its standard files up, and anybody may write to them: a socket that came there moves elsewhere.
  private static func movedFromStandardFiles(_ number: CInt) -> CInt {
    guard number <= STDERR_FILENO else { return number }
    let moved = fcntl(number, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)
    guard moved >= 0 else { return number }
    let null = open("/dev/null", O_RDWR | O_CLOEXEC)
    if null >= 0 {
      dup2(null, number)
      if null > STDERR_FILENO { Glibc.close(null) }
    }
    return moved
  }

  /// The number of the descriptor that was passed under a name.
  ///
  /// - Throws: EBADF when there is none, or several. The message says which.
  func number(named name: String) throws(InheritedDescriptorError) -> CInt {
    let numbers = state.withLock { $0.numbersByName[name] ?? [] }
    guard let number = numbers.first else {
      throw InheritedDescriptorError(
        message: "bad file descriptor (no descriptor was passed under that name; \(namesText))", errnoCode: EBADF)
    }
    guard numbers.count == 1 else {
      let list = numbers.map(String.init).joined(separator: ", ")
      throw InheritedDescriptorError(message: "bad file descriptor (the name belongs to \(list))", errnoCode: EBADF)
    }
    return number
  }

  /// The names that there are, for messages.
  private var namesText: String {
    let names = state.withLock { $0.numbersByName.keys.sorted() }
    return names.isEmpty ? "none has a name" : "names: \(names.map(\.debugDescription).joined(separator: ", "))"
  }

  /// Whether one of them is bound to a Unix socket's path.
  func isBound(to path: String) -> Bool {
    let descriptors = state.withLock { $0.entries.map { $0.values.filter { $0.identity != nil }.map(\.descriptor) } ?? [] }
    return descriptors.contains { descriptor in
      var address = SocketAddressStorage()
      return address.withMutablePointer { getsockname(descriptor, $0, $1) } == 0 && address.unixName == path
    }
  }

  /// Where the descriptor is that was started with under a number.
  ///
  /// - Throws: when it was not open then, was no socket, or is another file by now.
  func descriptor(_ number: CInt) throws(InheritedDescriptorError) -> CInt {
    let entry: Result<CInt, InheritedDescriptorError> = state.withLock { state in
      guard let entries = state.entries else { return .success(number) }
      guard let entry = entries[number] else { return .failure(.notASocket(EBADF)) }
      guard let identity = entry.identity else { return .failure(.notASocket(entry.errnoCode)) }
      guard FileIdentity(descriptor: entry.descriptor) == identity else { return .failure(.notASocket(EBADF)) }
      return .success(entry.descriptor)
    }
    return try entry.get()
  }

  /// Whether a descriptor that was claimed has not been closed.
  package func isOpen(_ number: CInt) -> Bool {
    state.withLock { ($0.entries?[number]?.descriptor ?? -1) >= 0 }
  }

  /// Closes a descriptor for good: nobody may serve its number any more.
  package func close(_ number: CInt) {
    let descriptor: CInt? = state.withLock { state in
      guard state.entries != nil else { return number }
      guard let entry = state.entries?.updateValue(Entry(descriptor: -1, identity: nil, errnoCode: EBADF), forKey: number),
        let identity = entry.identity, FileIdentity(descriptor: entry.descriptor) == identity
      else { return nil }
      return entry.descriptor
    }
    if let descriptor { Glibc.close(descriptor) }
  }
}

/// Why an inherited descriptor cannot be served; `message` ends the log line `pfd:N: MESSAGE`.
struct InheritedDescriptorError: Error {
  let message: String
  let errnoCode: CInt

  static func notASocket(_ errnoCode: CInt) -> InheritedDescriptorError {
    InheritedDescriptorError(message: "not a socket (\(errnoText(errnoCode)))", errnoCode: errnoCode)
  }
}

/// What an inherited descriptor is, for people.
package struct InheritedDescriptor: Sendable {
  package let number: CInt
  package let name: String?
  /// `unix`, `inet`, `inet6`, another family's number, or `file`.
  package let family: String
  /// The address that it is bound to; empty: none, or no socket.
  package let address: String
  /// Whether a remote can serve it: a stream socket that listens.
  package let isListening: Bool
  /// What it is when it is not.
  package let kind: String

  package init(_ passed: SocketActivation.Passed) {
    number = passed.number
    name = passed.name
    let descriptor = (try? InheritedDescriptors.shared.descriptor(passed.number)) ?? passed.number
    var storage = SocketAddressStorage()
    guard storage.withMutablePointer({ getsockname(descriptor, $0, $1) }) == 0 else {
      (family, address, isListening, kind) = ("file", "", false, "not a socket")
      return
    }
    family =
      switch storage.family {
      case AF_UNIX: "unix"
      case AF_INET: "inet"
      case AF_INET6: "inet6"
      default: "\(storage.family)"
      }
    address = storage.hostAndPort.map { "\($0.host):\($0.port)" } ?? storage.unixName
    let type = Self.option(descriptor, SO_TYPE)
    let listens = Self.option(descriptor, SO_ACCEPTCONN) == 1
    isListening = type == CInt(SOCK_STREAM.rawValue) && listens
    kind = type != CInt(SOCK_STREAM.rawValue) ? "not a stream socket (type \(type))" : "not a listening socket"
  }

  private static func option(_ descriptor: CInt, _ option: CInt) -> CInt {
    var value: CInt = 0
    var length = socklen_t(MemoryLayout<CInt>.size)
    return getsockopt(descriptor, SOL_SOCKET, option, &value, &length) == 0 ? value : -1
  }

  /// Closes it for good.
  package func close() {
    InheritedDescriptors.shared.close(number)
    if family == "file" { Glibc.close(number) }
  }
}

extension SocketAddressStorage {
  /// The path of a Unix socket, `@NAME` for an abstract one, empty for one without a name and for other families.
  var unixName: String {
    guard family == AF_UNIX, let offset = MemoryLayout<sockaddr_un>.offset(of: \.sun_path) else { return "" }
    let bytes = withUnsafeBytes(of: storage) { Array($0[offset..<max(offset, min(Int(length), $0.count))]) }
    guard let first = bytes.first else { return "" }
    if first == 0 { return "@" + String(decoding: bytes.dropFirst(), as: UTF8.self) }
    return String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
  }
}
