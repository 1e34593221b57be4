/// Files that still have lines above 140 columns, and how many. None has, and none is added.
let longLines: [String: Int] = [:]

/// Files above 300 lines, with their size as ceiling. Lower the figure when a file shrinks.
let largerFiles = [
  "Sources/Client/ClientSession.swift": 348,
  "Sources/Client/SourceLink.swift": 420,
  "Sources/Daemon/Logging/LogSystem.swift": 319,
  "Sources/JSON/Parser/JSONParser.swift": 364,
  "Sources/JSONRPC/RPCConnection.swift": 346,
  "Sources/Journal/File/LogReplacement.swift": 302,
  "Sources/OVSDB/Notation/Datum+JSON.swift": 362,
  "Sources/Server/Following/Relay.swift": 442,
  "Sources/Server/Following/Backup.swift": 319,
  "Tests/Differential/Contest.swift": 357,
  "Tests/Interop/ClientCommandTests.swift": 340,
  "Tests/JournalTests/LogFileTests.swift": 332,
  "Tests/JournalTests/LogReplacementTests.swift": 347,
  "Tests/JournalTests/SimulatedDisk.swift": 306,
  "Tests/ServerProgramTests/Following/RelayTests.swift": 408,
  "Tests/ServerProgramTests/Following/BackupTests.swift": 371,
  "Tests/ServerProgramTests/Program/DaemonLifeTests.swift": 307,
  "Tests/ServerProgramTests/Remotes/TLSTests.swift": 465,
  "Tests/ServerProgramTests/Sessions/RoleTests.swift": 420,
]

/// Targets that do no I/O, and what they may import besides themselves.
let pureTargets: [String: Set<String>] = ["Serving": ["DequeModule", "Engine", "JSON", "Monitoring", "OVSDB"]]

/// Targets that write to a terminal.
private let tools: Set<String> = [
  "Benchmarking", "ClientTool", "DatabaseTool", "ovsdb-bench", "ovsdb-client", "ovsdb-server", "ovsdb-tool", "ovs-appctl",
]

/// Texts that may not occur.
let forbiddenTexts: [ForbiddenText] = [
  ForbiddenText(text: "try!", why: "throw, or handle the error", applies: isSwift),
  ForbiddenText(text: "as!", why: "use as? and handle nil", applies: isSwift),
  ForbiddenText(text: "fatalError(", why: "use precondition with the values", applies: isSwift),
  ForbiddenText(text: "import Foundation", why: "the programs do without Foundation", applies: { $0.target != nil }),
  ForbiddenText(text: "print(", why: "libraries log", applies: { $0.target.map { !tools.contains($0) } ?? false }),
  ForbiddenText(text: "ContinuousClock", why: "time is an input", applies: isPure),
  ForbiddenText(text: "SuspendingClock", why: "time is an input", applies: isPure),
  ForbiddenText(text: "SystemRandomNumberGenerator", why: "random numbers come from a source that is handed in", applies: isPure),
  ForbiddenText(text: "TODO", why: "do it, or file an issue"),
  ForbiddenText(text: "FIXME", why: "do it, or file an issue"),
  ForbiddenText(text: "XXX", why: "do it, or file an issue"),
  ForbiddenText(text: "HACK", why: "explain it"),
  // In two parts, so that a search for such paths does not find the rule.
  ForbiddenText(text: "/" + "root/", why: "a path of one machine"),
  ForbiddenText(text: "/home/", why: "a path of one machine"),
]

@Sendable private func isPure(_ file: ProjectFile) -> Bool { file.target.map { pureTargets[$0] != nil } ?? false }

@Sendable private func isSwift(_ file: ProjectFile) -> Bool { file.hasExtension("swift") }
