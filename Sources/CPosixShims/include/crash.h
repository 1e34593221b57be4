// SPDX-License-Identifier: Apache-2.0
//
// The last words of a process that a defect kills: `SIGSEGV detected, backtrace:` and the frames, in the log and on standard error.
#ifndef CPOSIXSHIMS_CRASH_H
#define CPOSIXSHIMS_CRASH_H

/// Has the signal write a backtrace before it kills as it would by default, with the same status and core file.
void posix_shim_report_crash(int signal);

/// Where backtraces go besides standard error; -1: nowhere.
void posix_shim_crash_log(int descriptor);

/// Gives the calling thread another stack for such signals, so that a stack that overflows is reported too.
void posix_shim_crash_stack(void);

#endif
