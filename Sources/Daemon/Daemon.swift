// SPDX-License-Identifier: Apache-2.0
//
// What every long-running program here does the same way, and what its users know from the programs they replace:
//
// - `Program`: name, version line, the way to fail. `Paths`: the directories and their environment variables.
// - `OptionParser` (getopt_long with a table), and groups of options to reuse: `DaemonOptions`, `LogOptions`, `TLSOptions`.
// - `LogModule` (what code calls), `LogSystem` (levels, patterns, destinations), `VlogHandler` (swift-log lands there too).
// - `PIDFile`, `Daemonizer` (detach, watcher process, user), `TerminationSignals`, `Cleanup`, `ChildProcess`,
//   `ReadinessNotice`, `TimeLimit`.
// - For people at a terminal: `ProgressMeter`, `Terminal`, `DisplayWidth`.
//
// The order of a program's life, see `Daemonizer`:
//
//     Program.begin ─▶ OptionParser.parse ─▶ Daemonizer.start (forks; then signals are watched)
//        ─▶ open files, listen ─▶ Daemonizer.complete (the parent may go) ─▶ serve ─▶ Program.exit
//
// Nothing here may start a thread before `Daemonizer.start` calls its closure: threads do not survive fork(2).
