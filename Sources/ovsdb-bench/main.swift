// SPDX-License-Identifier: Apache-2.0
//
// ovsdb-bench: a load generator and measuring tool for OVSDB servers. All of it is in the target `Benchmarking`.

import Benchmarking
import Daemon

Program.begin()
Program.exit(Command.main(CommandLine.arguments))
