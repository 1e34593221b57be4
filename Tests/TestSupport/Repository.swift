// SPDX-License-Identifier: Apache-2.0
//
// The files of this package, wherever the test that asks for them lies.

import Foundation

package enum Repository {
  /// The directory with Package.swift.
  package static let root: String = {
    var directory = URL(filePath: #filePath)
    repeat {
      directory.deleteLastPathComponent()
    } while directory.path() != "/" && access(directory.path() + "Package.swift", F_OK) != 0
    return directory.path()
  }()

  /// - Parameter name: relative to the package.
  package static func path(_ name: String) -> String { root + name }
}
