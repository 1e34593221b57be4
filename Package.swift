// swift-tools-version: 6.2

import PackageDescription

/// One dialect for every target: language mode 6 (data races are errors), existentials are visible, a warning is an error.
let settings: [SwiftSetting] = [
  .swiftLanguageMode(.v6),
  .enableUpcomingFeature("ExistentialAny"),
  .treatAllWarnings(as: .error),
  // Access to a class's properties is checked at run time in debug builds, which the tests use; a release does without, as the checks
  // cost the hot path some 5 %.
  .unsafeFlags(["-enforce-exclusivity=unchecked"], .when(configuration: .release)),
]

let nioCore: Target.Dependency = .product(name: "NIOCore", package: "swift-nio")
let nioLocks: Target.Dependency = .product(name: "NIOConcurrencyHelpers", package: "swift-nio")
let nioEmbedded: Target.Dependency = .product(name: "NIOEmbedded", package: "swift-nio")
let nioPosix: Target.Dependency = .product(name: "NIOPosix", package: "swift-nio")
let hashTrees: Target.Dependency = .product(name: "HashTreeCollections", package: "swift-collections")
let deques: Target.Dependency = .product(name: "DequeModule", package: "swift-collections")
let crypto: Target.Dependency = .product(name: "Crypto", package: "swift-crypto")
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let nioTLS: Target.Dependency = .product(name: "NIOTLS", package: "swift-nio")
let nioSSL: Target.Dependency = .product(name: "NIOSSL", package: "swift-nio-ssl")

/// The libraries from the ground up: a target imports only what stands above it (Documentation/architecture.md; `TidyTests` checks it).
let libraries: [Target] = [
  .systemLibrary(name: "CJansson", pkgConfig: "jansson", providers: [.apt(["libjansson-dev"])]),
  .target(name: "CPosixShims"),
  .target(name: "CSHA1"),
  .target(name: "CBenchmarkingShims"),
  .target(name: "Files", swiftSettings: settings),
  .target(name: "JSON", dependencies: ["CJansson", "Files"], swiftSettings: settings),
  .target(name: "OVSDB", dependencies: ["JSON"], swiftSettings: settings),
  .target(name: "Engine", dependencies: ["JSON", "OVSDB", hashTrees, deques], swiftSettings: settings),
  .target(name: "Journal", dependencies: ["JSON", "OVSDB", "Engine", "CPosixShims", "CSHA1"], swiftSettings: settings),
  .target(name: "Monitoring", dependencies: ["JSON", "OVSDB", "Engine", hashTrees, deques], swiftSettings: settings),
  .target(name: "Serving", dependencies: ["OVSDB", "Engine", deques], swiftSettings: settings),
  .target(
    name: "Streams", dependencies: ["CPosixShims", "Files", nioCore, nioPosix, nioSSL, nioTLS, crypto, logging],
    swiftSettings: settings),
  .target(name: "JSONRPC", dependencies: ["JSON", "Streams", nioCore, nioPosix, logging], swiftSettings: settings),
  .target(
    name: "Daemon", dependencies: ["CPosixShims", logging, nioCore, nioLocks, nioPosix, deques], swiftSettings: settings),
  .target(
    name: "Control", dependencies: ["CPosixShims", "JSON", "JSONRPC", "Streams", "Daemon", nioCore, nioPosix, deques, logging],
    swiftSettings: settings),
  .target(
    name: "Client", dependencies: ["JSON", "OVSDB", "JSONRPC", "Streams", nioCore, nioPosix, logging],
    swiftSettings: settings),
  .target(
    name: "DatabaseTool", dependencies: ["JSON", "OVSDB", "Engine", "Journal", "Daemon"], swiftSettings: settings),
  .target(
    name: "Server",
    dependencies: [
      "JSON", "OVSDB", "Engine", "Journal", "Monitoring", "Serving", "Streams", "JSONRPC", "Control", "Daemon", "Client",
      "CPosixShims", nioCore, nioPosix, deques, logging,
    ],
    swiftSettings: settings),
  .target(
    name: "ClientTool",
    dependencies: [
      "CPosixShims", "JSON", "OVSDB", "Engine", "Journal", "Streams", "JSONRPC", "Control", "Daemon", "Client", nioCore,
      nioPosix,
    ],
    swiftSettings: settings),
  .target(name: "Benchmarking", dependencies: ["CBenchmarkingShims", "Daemon", crypto], swiftSettings: settings),
]

let programs: [Target] = [
  .executableTarget(name: "ovsdb-server", dependencies: ["Server"], swiftSettings: settings),
  .executableTarget(name: "ovsdb-client", dependencies: ["ClientTool"], swiftSettings: settings),
  .executableTarget(name: "ovsdb-tool", dependencies: ["DatabaseTool", "Daemon"], swiftSettings: settings),
  .executableTarget(name: "ovs-appctl", dependencies: ["Control", "Daemon"], swiftSettings: settings),
  .executableTarget(name: "ovsdb-bench", dependencies: ["Benchmarking", "Daemon"], swiftSettings: settings),
]

let tests: [Target] = [
  .executableTarget(
    name: "DaemonProbe", dependencies: ["Control", "Daemon", nioCore, nioPosix], path: "Tests/DaemonProbe",
    swiftSettings: settings),
  .testTarget(
    name: "DaemonTests", dependencies: ["Daemon", "DaemonProbe", "ovs-appctl", "CPosixShims", logging], swiftSettings: settings),
  .testTarget(
    name: "ControlTests", dependencies: ["Control", "Streams", "Daemon", "DaemonProbe", "ovs-appctl", nioCore, nioEmbedded, nioPosix],
    swiftSettings: settings),
  .testTarget(name: "BenchmarkingTests", dependencies: ["Benchmarking", "CBenchmarkingShims"], swiftSettings: settings),
  .testTarget(
    name: "DatabaseToolTests", dependencies: ["DatabaseTool", "Journal", "ovsdb-tool", "TestSupport"], swiftSettings: settings),
  .testTarget(
    name: "ClientTests", dependencies: ["Client", "JSON", "JSONRPC", "Streams", nioCore, nioPosix], swiftSettings: settings),
  .testTarget(name: "ClientToolTests", dependencies: ["ClientTool", "JSON", "OVSDB"], swiftSettings: settings),
  .testTarget(name: "FilesTests", dependencies: ["Files"], swiftSettings: settings),
  .testTarget(name: "JSONTests", dependencies: ["JSON", "TestSupport"], swiftSettings: settings),
  .testTarget(name: "OVSDBTests", dependencies: ["JSON", "OVSDB", "TestSupport"], swiftSettings: settings),
  .testTarget(name: "EngineTests", dependencies: ["JSON", "OVSDB", "Engine", "TestSupport"], swiftSettings: settings),
  .testTarget(
    name: "MonitoringTests", dependencies: ["JSON", "OVSDB", "Engine", "Monitoring", "FuzzTargets", "TestSupport"],
    swiftSettings: settings),
  .testTarget(
    name: "ScenarioTests", dependencies: ["JSON", "OVSDB", "Engine", "Monitoring"], exclude: ["Scenarios"],
    swiftSettings: settings),
  .testTarget(
    name: "JSONRPCTests", dependencies: ["JSON", "JSONRPC", "Streams", nioCore, nioPosix], swiftSettings: settings),
  .testTarget(
    name: "JournalTests", dependencies: ["Journal", "Engine", "OVSDB", "JSON", "CPosixShims", "CSHA1", "TestSupport", crypto],
    swiftSettings: settings),
  .testTarget(name: "ServingTests", dependencies: ["Serving", "Engine", "OVSDB", "JSON"], swiftSettings: settings),
  .testTarget(name: "StreamsTests", dependencies: ["Streams", nioSSL, nioCore, nioPosix], swiftSettings: settings),
]

/// What reads the bytes of strangers, for tests over the corpora and for libFuzzer (utilities/fuzz.sh).
let fuzzing: [Target] = [
  .target(
    name: "FuzzTargets",
    dependencies: [
      "JSON", "OVSDB", "Engine", "Journal", "Monitoring", "Streams", "JSONRPC", "Control", "Client", "Server", "ClientTool",
      "DatabaseTool", "Daemon", nioCore, nioEmbedded,
    ],
    path: "Fuzz/Targets", swiftSettings: settings),
  .target(
    name: "StatefulFuzz",
    dependencies: ["JSON", "OVSDB", "Engine", "Journal", "Monitoring", "Server", "FuzzTargets", "TestSupport", nioCore, nioPosix],
    path: "Fuzz/Stateful", swiftSettings: settings),
  .executableTarget(
    name: "ovsdb-fuzz-server", dependencies: ["StatefulFuzz"], path: "Fuzz/StatefulDriver", swiftSettings: settings),
  .testTarget(name: "FuzzTests", dependencies: ["FuzzTargets", "StatefulFuzz", "TestSupport"], swiftSettings: settings),
]

/// libFuzzer brings its own `main`, so this is no part of an ordinary build.
let fuzzDriver: [Target] =
  Context.environment["OVSDB_FUZZ"] == nil
  ? [] : [.executableTarget(name: "ovsdb-fuzz", dependencies: ["FuzzTargets"], path: "Fuzz/Driver", swiftSettings: settings)]

/// Tests that run whole programs: ours, Open vSwitch's, and OVN's. They share no code with what they test.
let wholeProgramTests: [Target] = [
  .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
  .testTarget(
    name: "InteropTests", dependencies: ["TestSupport"], path: "Tests/Interop", exclude: ["python"],
    swiftSettings: settings),
  .testTarget(
    name: "ServerTests",
    dependencies: ["Server", "Journal", "Streams", "JSON", "Engine", "OVSDB", "FuzzTargets", "TestSupport", nioCore, nioEmbedded],
    swiftSettings: settings),
  .testTarget(name: "ServerProgramTests", dependencies: ["TestSupport", "ovsdb-server"], swiftSettings: settings),
  .testTarget(name: "DifferentialTests", dependencies: ["TestSupport"], path: "Tests/Differential", swiftSettings: settings),
]

/// What the project's own files must obey (CONTRIBUTING.md).
let tidy: [Target] = [
  .testTarget(name: "TidyTests", path: "Tests/Tidy", swiftSettings: settings)
]

let package = Package(
  name: "swift-ovsdb",
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: libraries + programs + tests + fuzzing + fuzzDriver + wholeProgramTests + tidy
)
