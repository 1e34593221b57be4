// SPDX-License-Identifier: Apache-2.0
//
// ovsdb-client: all of it is in ClientTool.

import ClientTool

ClientTool.main()
