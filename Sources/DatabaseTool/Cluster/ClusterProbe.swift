// SPDX-License-Identifier: Apache-2.0
//
// What the commands do with the file of a cluster's member, without their output: for fuzzers.

import JSON
import Journal

package enum ClusterProbe {
  /// Shows a file, examines it as a cluster of one, and makes a standalone file of it.
  ///
  /// - Returns: whether there is a standalone file now.
  package static func run(_ path: String, to output: String) -> Bool {
    var show = ShowLog(path: path, detail: 2)
    _ = try? show.run()
    _ = try? ClusterFile.header(path)
    _ = try? ClusterCheck.examine([path]) { _ in }
    return (try? StandaloneConversion.run(from: path, to: output, warn: { _ in })) != nil
  }

  /// Examines several files as those of one cluster.
  package static func compare(_ paths: [String]) { _ = try? ClusterCheck.examine(paths) { _ in } }
}
