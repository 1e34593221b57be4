// SPDX-License-Identifier: Apache-2.0
//
// What room a file system has left.

extension SyncTarget {
  /// Bytes that the file system of the file has left for processes without privileges. It may have to wait for the file system.
  package func freeBytes() -> Result<Int, SystemError> {
    do throws(SystemError) {
      return .success(try descriptor.fileSystem.freeBytes(descriptor.number))
    } catch {
      return .failure(error)
    }
  }
}
