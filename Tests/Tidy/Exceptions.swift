/// Files with lines above 140 columns, and how many of them. Entries go; none is added.
let longLines = [
  "Fuzz/Targets/SourceTarget.swift": 1,
  "Sources/Engine/Transaction.swift": 1,
  "Sources/Monitoring/InitialContents.swift": 1,
  "Sources/Server/RowArranger.swift": 1,
  "Sources/Server/Locks.swift": 1,
  "Sources/Server/Relay.swift": 1,
  "Sources/Server/SavedConfiguration.swift": 1,
  "Sources/Server/Server+Databases.swift": 1,
  "Sources/Streams/Dial.swift": 1,
  "Tests/OVSDBTests/DatumTests.swift": 1,
  "Tests/ServerTests/CommandLineTests.swift": 1,
  "Tests/ServerTests/HostileConnectionTests.swift": 1,
  "Tests/ServerTests/TestSockets.swift": 1,
]

/// Files above 300 lines, with their size as ceiling. Lower the figure when a file shrinks.
let largerFiles = [
  "Sources/Client/ClientSession.swift": 339,
  "Sources/Client/SourceLink.swift": 433,
  "Sources/Daemon/LogSystem.swift": 317,
  "Sources/JSON/JSONParser.swift": 364,
  "Sources/JSONRPC/RPCConnection.swift": 330,
  "Sources/Journal/LogFile.swift": 404,
  "Sources/OVSDB/Datum+JSON.swift": 362,
  "Sources/Server/Relay.swift": 423,
  "Sources/Server/Replication.swift": 364,
  "Sources/Server/Session+Dispatch.swift": 339,
  "Sources/Server/Session.swift": 334,
  "Sources/Server/Turn.swift": 301,
  "Sources/Streams/Listener.swift": 340,
  "Tests/Differential/Contest.swift": 357,
  "Tests/Interop/ClientCommandTests.swift": 329,
  "Tests/ServerTests/RelayTests.swift": 388,
  "Tests/ServerTests/ReplicationTests.swift": 328,
  "Tests/ServerTests/RoleTests.swift": 413,
  "Tests/ServerTests/TLSTests.swift": 353,
]

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
  ForbiddenText(text: "TODO", why: "do it, or file an issue"),
  ForbiddenText(text: "FIXME", why: "do it, or file an issue"),
  ForbiddenText(text: "XXX", why: "do it, or file an issue"),
  ForbiddenText(text: "HACK", why: "explain it"),
  ForbiddenText(text: "/work/", why: "a path of one machine"),
  ForbiddenText(text: "/root/", why: "a path of one machine"),
  ForbiddenText(text: "/home/", why: "a path of one machine"),
]

@Sendable private func isSwift(_ file: ProjectFile) -> Bool { file.hasExtension("swift") }
