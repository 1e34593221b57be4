// SPDX-License-Identifier: Apache-2.0
//
// Runs the commands of a page as one script of the shell, in a directory of its own that stands for the system's.

import Foundation

package final class DocumentRun {
  package let directory: RunDirectory
  /// A free TCP port, in the place of the 6640 of the pages.
  private let port: UInt16

  package init() throws {
    directory = try RunDirectory()
    port = try FreePort.take()
    try FileManager.default.createDirectory(atPath: directory.path(".steps"), withIntermediateDirectories: false)
  }

  deinit { endServers() }

  /// Runs blocks until one of their commands fails, and returns what is wrong with the page, one line of text each.
  package func defects(of blocks: [DocumentPage.Block]) throws -> [String] {
    let hidden = blocks.filter(\.isHidden).map(\.line)
    let steps = try blocks.flatMap { block in
      try DocumentStep.steps(of: local(block)) { try run("/bin/bash", ["-n", "-c", $0], in: directory).status == 0 }
        .map { step in
          var step = step
          if hidden.contains(block.line) { step.output = nil }
          return step
        }
    }
    let script = steps.enumerated().map { Self.part($0.offset, $0.element) }.joined()
    try write(script, to: directory.path(".steps/script"))
    _ = try run("/bin/bash", [".steps/script"], environment: ["PATH": path], in: directory, seconds: 240)
    return try steps.enumerated().compactMap { try defect(of: $0.element, at: $0.offset) }
  }

  /// A command with its output and status in files. The script ends with the first that has another status than the page says.
  private static func part(_ index: Int, _ step: DocumentStep) -> String {
    """
    {
    \(step.command)
    } >.steps/\(index).out 2>.steps/\(index).err
    echo $? >.steps/\(index).status
    [ "$(cat .steps/\(index).status)" = \(step.status) ] || exit 0

    """
  }

  private func defect(of step: DocumentStep, at index: Int) throws -> String? {
    guard let status = try? readText(directory.path(".steps/\(index).status")) else {
      // After a command that failed.
      return nil
    }
    let result = CommandResult(
      status: Int32(status.trimmingCharacters(in: .whitespacesAndNewlines)) ?? -1,
      standardOutput: try readText(directory.path(".steps/\(index).out")),
      standardError: try readText(directory.path(".steps/\(index).err")))
    guard result.status != step.status || !step.shows(result) else { return nil }
    let shown = step.output.map { "\nthe page shows: \($0.joined(separator: "\n"))" } ?? ""
    return "line \(step.line): \(step.command)\n\(result)\(shown)"
  }

  /// Our programs before those of the system, which has ovs-vsctl and openssl.
  private var path: String {
    let ours = (Side.ours.tool("ovsdb-client") as NSString).deletingLastPathComponent
    let server = (Side.ours.server as NSString).deletingLastPathComponent
    return "\(server):\(ours):\(ProcessInfo.processInfo.environment["PATH"] ?? ""):/usr/bin:/bin:/usr/sbin:/sbin"
  }

  /// A block with the directories and the port of this run in the place of the system's.
  private func local(_ block: DocumentPage.Block) -> DocumentPage.Block {
    var block = block
    let places = "/var/run/openvswitch|/run/openvswitch|/etc/openvswitch|/var/log/openvswitch|/var/backups|/run|/tmp"
    let system = "(?<![\\w./-])(\(places))(?=/|\\b)"
    block.text = block.text.map { line in
      line.replacingOccurrences(of: system, with: directory.path, options: .regularExpression)
        .replacingOccurrences(of: "\\b6640\\b", with: String(port), options: .regularExpression)
    }
    return block
  }

  /// Ends every program that was started here: a server that went to the background has left its process group.
  private func endServers() {
    let mark = Data("OVS_RUNDIR=\(directory.path)\0".utf8)
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
      guard let process = pid_t(name), process != getpid() else { continue }
      // A process that is gone by now, or that is another user's, is none of ours.
      guard let environment = try? Data(contentsOf: URL(fileURLWithPath: "/proc/\(name)/environ")) else { continue }
      if environment.range(of: mark) != nil { kill(process, SIGKILL) }
    }
  }
}
