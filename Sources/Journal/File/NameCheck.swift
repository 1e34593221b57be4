// SPDX-License-Identifier: Apache-2.0
//
// Whether the names still lead to the files that the process has open. Somebody may remove, replace or truncate a database file that is
// in use, or its lock file: then what is written goes where nobody will read it, or another process writes the same file.

import Glibc

/// A name, and the file that it should lead to.
struct NamedFile: Sendable {
  /// From the root on: a daemon changes its working directory.
  let path: String
  let identity: FileStatus.Identity

  enum State {
    case same, removed, replaced
  }

  /// What the name leads to; `same` where that cannot be found out.
  func state(in fileSystem: FileSystem) -> State {
    do throws(SystemError) {
      return try fileSystem.statusOfName(path).identity == identity ? .same : .replaced
    } catch {
      return error.code == ENOENT || error.code == ENOTDIR ? .removed : .same
    }
  }
}

extension SyncTarget {
  /// Finds out whether the file is still the one at its name, has all that was written, and is locked by the lock file at its name.
  ///
  /// - Throws: What is wrong. After that the file takes no more records, as after a failed sync, until it is replaced: all that it
  ///   held is in memory.
  package func checkName() throws(LogError) {
    if let failure = shared.failure { throw failure }
    guard let flaw = flaw(), !shared.isReplaced.load(ordering: .acquiring) else { return }
    let report = LogError(.ioError, "\(path): \(flaw)")
    shared.fail(report)
    throw report
  }

  /// What is wrong, in words.
  private func flaw() -> String? {
    let fileSystem = descriptor.fileSystem
    let wanted = shared.readableSize.load(ordering: .acquiring)
    guard let present = try? fileSystem.status(descriptor.number) else { return nil }
    if present.size < wanted { return "the file was truncated to \(present.size) of \(wanted) bytes" }
    switch NamedFile(path: resolvedPath, identity: present.identity).state(in: fileSystem) {
    case .removed: return "the file was removed"
    case .replaced: return "another file was put in the place of the file"
    case .same: break
    }
    switch lockFile.state(in: fileSystem) {
    case .removed: return "the lock file was removed"
    case .replaced: return "another file was put in the place of the lock file"
    case .same: return nil
    }
  }
}
