// SPDX-License-Identifier: Apache-2.0
//
// ovsdb-tool: works on database files without a server. Everything is in the target DatabaseTool, where tests reach it.

import Daemon
import DatabaseTool

Program.exit(DatabaseTool.run(CommandLine.arguments))
