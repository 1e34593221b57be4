// SPDX-License-Identifier: Apache-2.0
//
// Unix socket paths of any length. sockaddr_un holds 107 bytes; longer paths go through a descriptor of the directory.

internal import CPosixShims
import Glibc

/// The path of a Unix socket.
struct SocketPath {
  /// Absolute when the run directory is.
  let path: String

  /// Resolves a path as connection methods have it: a relative one lies in the run directory.
  init(_ path: String, rundir: String) {
    self.path = path.utf8.first == UInt8(ascii: "/") ? path : "\(rundir)/\(path)"
  }

  private static let pathBytesMax = MemoryLayout.size(ofValue: sockaddr_un().sun_path) - 1

  /// Calls the body with an address that names this path.
  ///
  /// The address of a long path is `/proc/self/fd/N/NAME` and lasts as long as the call.
  ///
  /// - Throws: what opening the directory says, or ENAMETOOLONG when the last component alone is too long.
  func withAddress<R>(_ body: (SocketAddressStorage) throws(StreamError) -> R) throws(StreamError) -> R {
    // A NUL would silently end the path in the middle.
    guard !path.utf8.contains(0) else { throw StreamError(errnoCode: EINVAL) }
    if let address = Self.address(of: path) {
      return try body(address)
    }
    let slash = path.utf8.lastIndex(of: UInt8(ascii: "/")) ?? path.startIndex
    let directory = slash == path.startIndex ? "/" : String(path[..<slash])
    let name = path[path.utf8.index(after: slash)...]
    let descriptor = posix_shim_open_directory_path(directory)
    guard descriptor >= 0 else { throw StreamError(errnoCode: errno) }
    defer { Glibc.close(descriptor) }
    guard let address = Self.address(of: "/proc/self/fd/\(descriptor)/\(name)") else {
      throw StreamError(errnoCode: ENAMETOOLONG)
    }
    return try body(address)
  }

  private static func address(of path: String) -> SocketAddressStorage? {
    let bytes = Array(path.utf8)
    guard bytes.count <= pathBytesMax else { return nil }
    var result = SocketAddressStorage()
    withUnsafeMutableBytes(of: &result.storage) { storage in
      storage.withMemoryRebound(to: sockaddr_un.self) { unixAddress in
        unixAddress[0].sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &unixAddress[0].sun_path) { $0.copyBytes(from: bytes) }
      }
    }
    result.length = socklen_t(MemoryLayout<sockaddr_un>.offset(of: \.sun_path).map { $0 + bytes.count + 1 } ?? 0)
    return result
  }
}

/// Which file a path names at the moment, or nil when there is none.
struct FileIdentity: Equatable {
  let device: dev_t
  let inode: ino_t
  let isSocket: Bool

  init?(path: String) {
    var status = stat()
    guard lstat(path, &status) == 0 else { return nil }
    self.init(status)
  }

  init?(descriptor: CInt) {
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { return nil }
    self.init(status)
  }

  private init(_ status: stat) {
    device = status.st_dev
    inode = status.st_ino
    isSocket = status.st_mode & S_IFMT == S_IFSOCK
  }
}
