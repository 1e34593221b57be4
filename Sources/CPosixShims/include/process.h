// SPDX-License-Identifier: Apache-2.0
//
// Processes and command lines: variadic calls, code that runs in a signal handler, and the C library's global variables,
// none of which Swift can name. Nothing here decides anything: policy is in Swift.
#ifndef CPOSIXSHIMS_PROCESS_H
#define CPOSIXSHIMS_PROCESS_H

#include <stddef.h>
#include <pthread.h>
#include <sys/types.h>

/// One long option for `posix_shim_getopt`: `argument` is 0 (none), 1 (required) or 2 (optional, only with `=`).
struct posix_shim_option {
    const char *name;
    int argument;
};

/// What one step of `posix_shim_getopt` found.
struct posix_shim_option_found {
    int code;             /* a short option's letter, 0: a long option, '?': an error already printed, -1: the end */
    int index;            /* of a long option in the table */
    const char *argument; /* NULL: none */
};

/// One step of getopt_long(3), without its global variables. `table` has `count` entries; at most 512 are looked at.
/// Not for two threads at a time. The first step of a new command line passes `restart` other than 0.
struct posix_shim_option_found posix_shim_getopt(int argc, char *const *argv, const char *letters,
                                                 const struct posix_shim_option *table, size_t count, int restart);

/// The index of the first argument that is no option, once `posix_shim_getopt` has returned -1.
int posix_shim_getopt_end(void);

/// Replaces what ps(1) shows for this process; NULL puts the original back. Cut to the room that the command line and
/// the environment took at the start; the environment is moved elsewhere first. Only while one thread runs.
void posix_shim_set_title(const char *title);

/// Makes the signal end up as one byte (its number) in the pipe whose write end was given to `posix_shim_signal_pipe`.
/// Unblocks it in the calling thread: a parent that blocked it for itself must not make us immortal.
/// Returns 0, or an errno value.
int posix_shim_catch_signal(int signal);

/// Whether the signal is ignored, as inherited from the parent. Such a signal is left alone by programs under nohup(1).
int posix_shim_signal_is_ignored(int signal);

/// Puts the default action back (`ignore` other than 0: ignores the signal).
void posix_shim_default_signal(int signal, int ignore);

/// Ends the process by a signal that kills by default. Returns only for a signal that does not.
///
/// Unblocks it in the calling thread: only then does kill(2) deliver before it returns.
void posix_shim_die_of_signal(int signal);

/// The write end of the pipe that caught signals go to; -1: signals are dropped. Must be non-blocking.
void posix_shim_signal_pipe(int descriptor);

/// syslog(3) with one text, openlog(3) done before.
void posix_shim_syslog(int priority, const char *text);
/// openlog(3) with LOG_NDELAY; the identity is copied.
void posix_shim_openlog(const char *identity, int facility);

/// Locks the whole file for writing with fcntl(2). Returns 0, or an errno value (EAGAIN, EACCES: somebody has it).
int posix_shim_lock_file(int descriptor);
/// The process that holds a write lock on the file, `*locked` whether there is one. The kernel names a process of another pid namespace 0,
/// and -1 stands for a lock that belongs to an open file. A question that failed sets `*error`.
pid_t posix_shim_lock_owner(int descriptor, int *locked, int *error);

/// fork(2) from a thread that is made for it. The child goes on as that thread, in `body(argument)`, which must not return; the caller
/// does not exist there, but its memory does. To be called while there is no other thread.
///
/// A thread that has run code of Swift must not survive fork(2): locks of the Swift runtime name their holder by a thread id that each
/// thread asks the kernel for once and keeps, and in the child it is another one.
///
/// Returns the child's process id, or -1 with an errno value in `*error`.
pid_t posix_shim_fork(void (*body)(void *), void *argument, int *error);

/// What waitpid(2) reported.
int posix_shim_exited(int status);
int posix_shim_exit_status(int status);
int posix_shim_signaled(int status);
int posix_shim_term_signal(int status);
int posix_shim_core_dumped(int status);

/// open(2) with a mode.
int posix_shim_open(const char *path, int flags, mode_t mode);

/// pthread_setname_np(3), cut to what it takes.
void posix_shim_name_thread(pthread_t thread, const char *name);

/// pipe2(2) with O_CLOEXEC. Returns 0, or an errno value.
int posix_shim_pipe(int *read_end, int *write_end);

/// Starts `/bin/sh -c command` with the three standard files, no other descriptor, and SIGPIPE at its default.
/// Returns 0, or an errno value.
int posix_shim_spawn_shell(const char *command, pid_t *child);

/// The same with another standard input; -1: ours.
int posix_shim_spawn_shell_reading(const char *command, int input, pid_t *child);

/// Whether the kernel lets this process count the processor's cycles (perf_event_open(2)).
int posix_shim_counts_cycles(void);

/// memfd_create(2) with MFD_CLOEXEC: a file without a name that lives as long as somebody has it open. -1: see errno.
int posix_shim_memory_file(const char *name);

/// fcntl(2) F_SETFL O_NONBLOCK added to the flags, F_SETFD FD_CLOEXEC. Return 0, or an errno value.
int posix_shim_set_nonblocking(int descriptor);
int posix_shim_set_close_on_exec(int descriptor);

#endif
