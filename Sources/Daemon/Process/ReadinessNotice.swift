// SPDX-License-Identifier: Apache-2.0
//
// Tells a service manager that started us how far we are, as sd_notify(3) does: a datagram with lines `KEY=VALUE` to the
// socket named by `NOTIFY_SOCKET` (a path, or `@` and an abstract name). Without the variable nothing happens.

// The constants of sys/socket.h belong to whichever C module includes the header first; a release build finds them here only.
import CPosixShims
import Glibc
import Synchronization

package enum ReadinessNotice {
  /// Everything is open: `READY=1`.
  ///
  /// - Parameter mainProcess: The process to follow from now on, when it is not the one that was started.
  package static func ready(mainProcess: pid_t? = nil) {
    send("READY=1\n" + (mainProcess.map { "MAINPID=\($0)\n" } ?? ""), mayWait: true)
  }

  /// What the program is doing, in a line for people.
  package static func status(_ text: String) { send("STATUS=\(text)\n") }

  /// Configuration is being read again. The time lets the manager tell this from a notice that was under way before.
  package static func reloading() {
    send("RELOADING=1\nMONOTONIC_USEC=\(Clock.monotonicMicroseconds())\n")
  }

  /// `reloading` is over.
  package static func reloaded() { send("READY=1\n") }

  /// The orderly end has begun.
  package static func stopping() { send("STOPPING=1\n") }

  /// - Returns: Whether somebody was there to be told. A failure is logged and changes nothing else: the manager has its
  ///   own time limit.
  ///
  /// - Parameter mayWait: Wait until a manager that is behind takes it. Else it is lost then, which an event loop can bear and a pause
  ///   it cannot.
  @discardableResult package static func send(_ text: String, mayWait: Bool = false) -> Bool {
    guard let name = Paths.environment("NOTIFY_SOCKET") else { return false }
    guard name.hasPrefix("/") || name.hasPrefix("@") else {
      complain("NOTIFY_SOCKET \"\(name)\" is no path and no abstract name")
      return false
    }
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    var bytes = Array(name.utf8)
    guard bytes.count < MemoryLayout.size(ofValue: address.sun_path) else {
      complain("NOTIFY_SOCKET \"\(name)\" is too long")
      return false
    }
    if bytes.first == UInt8(ascii: "@") { bytes[0] = 0 }
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: bytes) }
    let length = socklen_t(MemoryLayout<sa_family_t>.size + bytes.count)

    let descriptor = openSocket()
    guard descriptor >= 0 else { return false }
    var text = text
    let sent = text.withUTF8 { bytes in
      withUnsafePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
          sendto(descriptor, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL) | (mayWait ? 0 : Int32(MSG_DONTWAIT)), $0, length)
        }
      }
    }
    if sent < 0 { complain("\(name): notification failed (\(SystemError.text(errno)))") }
    return sent >= 0
  }

  /// Kept from the first notice on: a program that ran out of descriptors is alive, and has to be able to say so.
  private static let socketDescriptor = Mutex<Int32>(-1)

  private static func openSocket() -> Int32 {
    socketDescriptor.withLock { descriptor in
      if descriptor < 0 { descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0) }
      return descriptor
    }
  }

  private static let complaints = LogRateLimit(perMinute: 1, burst: 3)

  private static func complain(_ text: String) { LogModule("daemon_unix").warn(complaints, text) }
}
