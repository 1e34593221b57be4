// SPDX-License-Identifier: Apache-2.0
//
// What `--help` and `help` print.

import Daemon

enum Usage {
  static var text: String {
    """
    \(Program.name): client of OVSDB servers
    usage: \(Program.name) [OPTION]... COMMAND [ARG]...

    Commands that show what a server has:
      list-dbs [SERVER]                          names of the databases
      get-schema [SERVER] [DATABASE]             the schema as JSON
      get-schema-version [SERVER] [DATABASE]     its version
      get-schema-cksum [SERVER] [DATABASE]       its checksum
      list-tables [SERVER] [DATABASE]            names of the tables
      list-columns [SERVER] [DATABASE] [TABLE]   columns and their types

    Commands on contents:
      transact [SERVER] TRANSACTION              run a transaction, print its results as JSON
      query [SERVER] TRANSACTION                 the same, but undo whatever it changes
      dump [SERVER] [DATABASE] [TABLE [COLUMN]...]
                                                 print tables
      monitor [SERVER] [DATABASE] TABLE [COLUMN,...]...
      monitor [SERVER] [DATABASE] ALL            print rows, then changes as they come; a COLUMN
                                                 may be !initial, !insert, !delete or !modify
                                                 to leave out that kind
      monitor-cond [SERVER] [DATABASE] CONDITION TABLE [COLUMN,...]
                                                 the same for the rows that meet a condition
      monitor-cond-since [SERVER] [DATABASE] [LASTID] CONDITION TABLE [COLUMN,...]...
                                                 the same, beginning after transaction LASTID
      watch [SERVER] [DATABASE] TABLE [COLUMN]...
                                                 show a table live on the terminal

    Commands on whole databases:
      convert [SERVER] SCHEMA                    change a database to the schema in a file
      needs-conversion [SERVER] SCHEMA           print whether that would change anything
      wait [SERVER] DATABASE STATE               wait until it is added, connected or removed
      backup [SERVER] [DATABASE] > FILE          write a database file
      [--force] restore [SERVER] [DATABASE] < FILE
                                                 replace the contents by those of a database file

    Commands on locks, which last as long as the program runs:
      lock [SERVER] LOCK                         ask for a lock, and wait for it
      steal [SERVER] LOCK                        take a lock from its owner
      unlock [SERVER] LOCK                       give a lock back

    The default SERVER is \(ServerArguments.defaultServer).
    The default DATABASE is Open_vSwitch, or the only one that the server has.

    A SERVER is one of, or several separated by commas:
      unix:FILE                  Unix socket
      tcp:HOST[:PORT]            TCP, port 6640 by default
      ssl:HOST[:PORT]            TLS over TCP
    or, to wait for a server that connects:
      punix:FILE, ptcp:[PORT][:HOST], pssl:[PORT][:HOST], pfd:FD

    Output options:
      -f, --format=FORMAT        table, html, csv, json or list (default: table)
      -d, --data=FORMAT          string, json or bare cells (default: string)
      --no-headings              leave out the headings
      --pretty                   indent JSON
      --bare                     short for --format=list --data=bare --no-headings
      --max-column-width=N       cut the columns of tables to N bytes
      --timestamp                print the time with each change of a monitor

    Output options for a terminal:
      --fit=HOW                  make wide tables fit: cut, wrap or off (default: cut)
      --no-pager                 do not use a pager

    Other options:
      --db-change-aware, --no-db-change-aware
                                 whether to be told when a database is converted or removed
      --leader-only, --no-leader-only
                                 whether only a cluster's leader will do (default: yes)
      --force                    restore in spite of a different schema
      -t, --timeout=SECS         give up after SECS seconds
      -h, --help                 display this help message
      -V, --version              display version information

    """ + DaemonOptions.usage + LogOptions.usage + TLSOptions.usage
  }
}
