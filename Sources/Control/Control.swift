// SPDX-License-Identifier: Apache-2.0
//
// The control socket of a running program: an operator asks it things and tells it things with `ovs-appctl`.
//
// - `ControlCommands`: what a program can be told. `ControlCommands+Standard.swift`: what every program can be told.
// - `ControlServer` and `ControlSession`: the socket, on an event loop. `CommandTurns`: whose command comes next. `ControlRequest`: one
//   command being carried out.
// - `ControlClient`: the other side, blocking, for command-line programs.
// - `Coverage`: counters of events, shown by `coverage/show`. `MemoryReport`: what `memory/show` and the log say.
//
// A program: makes a `ControlCommands`, adds its own, opens a `ControlServer` after `Daemonizer.start`, closes it at the end.
//
// Source: ovs-appctl(8); Documentation/protocol/server.md#control-protocol.
