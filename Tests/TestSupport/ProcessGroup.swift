// SPDX-License-Identifier: Apache-2.0
//
// The processes that a program under test has begun, as /proc shows them.

import Foundation

package struct ProcessGroup {
  private let number: pid_t

  package init(_ number: pid_t) { self.number = number }

  /// Whether one of its processes has not ended; what is left of an ended one has let go of files and locks.
  package var isRunning: Bool {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.contains { pid_t($0) != nil && isRunning("/proc/\($0)/stat") }
  }

  /// Shape of the file: `PID (NAME) STATE PARENT GROUP ...`, where the name may contain anything.
  private func isRunning(_ path: String) -> Bool {
    guard let text = try? String(contentsOfFile: path, encoding: .utf8), let end = text.lastIndex(of: ")") else { return false }
    let fields = text[end...].split(separator: " ").dropFirst()
    guard let state = fields.first, let group = fields.dropFirst(2).first else { return false }
    return pid_t(group) == number && state != "Z" && state != "X"
  }
}
