// SPDX-License-Identifier: Apache-2.0
//
// Implementation of process.h. One file: each shim is a few lines around one call of the C library.
#define _GNU_SOURCE
#include "process.h"

#include "crash.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <linux/perf_event.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>

#define OPTIONS_MAX 512
/// Above every letter. Options need different values: getopt_long takes two with the same for one option under two names,
/// and then an abbreviation of both is not ambiguous.
#define LONG_OPTION 1000

struct posix_shim_option_found posix_shim_getopt(int argc, char *const *argv, const char *letters,
                                                 const struct posix_shim_option *table, size_t count, int restart) {
    static struct option options[OPTIONS_MAX + 1];
    if (count > OPTIONS_MAX) count = OPTIONS_MAX;
    for (size_t i = 0; i < count; i++)
        options[i] = (struct option){.name = table[i].name, .has_arg = table[i].argument, .flag = NULL, .val = LONG_OPTION + (int)i};
    options[count] = (struct option){0};
    if (restart) optind = 0;  // glibc: 0 also resets what it remembers between calls
    opterr = 1;
    struct posix_shim_option_found found = {0, -1, NULL};
    optarg = NULL;
    found.code = getopt_long(argc, argv, letters, options, &found.index);
    if (found.code >= LONG_OPTION) found.code = 0;
    found.argument = optarg;
    return found;
}

int posix_shim_getopt_end(void) { return optind; }

// ---- The title shown by ps(1) ----

extern char **environ;
static char *title_begin;
static size_t title_size;
static char *title_original;

/// glibc hands the arguments to constructors: the only place where the original strings can be found in a library.
__attribute__((constructor)) static void remember_arguments(int argc, char **argv, char **envp) {
    if (argc < 1 || argv == NULL || argv[0] == NULL) return;
    char *end = argv[0];
    for (int i = 0; i < argc && argv[i] != NULL && argv[i] == end; i++) end = argv[i] + strlen(argv[i]) + 1;
    for (char **e = envp; e != NULL && *e != NULL && *e == end; e++) end = *e + strlen(*e) + 1;
    title_begin = argv[0];
    title_size = (size_t)(end - argv[0]);
}

static int move_environment(void) {
    size_t count = 0;
    while (environ != NULL && environ[count] != NULL) count++;
    char **copy = calloc(count + 1, sizeof *copy);
    if (copy == NULL) return ENOMEM;
    for (size_t i = 0; i < count; i++) {
        copy[i] = strdup(environ[i]);
        if (copy[i] == NULL) return ENOMEM;  // leaks what was copied: the caller gives up for good
    }
    environ = copy;
    return 0;
}

void posix_shim_set_title(const char *title) {
    if (title_size < 2) return;
    if (title_original == NULL) {
        if (title == NULL) return;
        char *original = malloc(title_size);
        if (original == NULL || move_environment() != 0) {
            free(original);
            title_size = 0;
            return;
        }
        title_original = memcpy(original, title_begin, title_size);
    }
    if (title == NULL) {
        memcpy(title_begin, title_original, title_size);
        return;
    }
    size_t length = strlen(title);
    if (length > title_size - 1) length = title_size - 1;
    memset(title_begin, 0, title_size);
    memcpy(title_begin, title, length);
}

// ---- Signals ----

static volatile sig_atomic_t signal_pipe = -1;

static void forward_signal(int number) {
    int saved = errno;
    int descriptor = signal_pipe;
    if (descriptor >= 0) {
        unsigned char byte = (unsigned char)number;
        // A full pipe already holds signals that nobody has read yet; one more would change nothing.
        ssize_t ignored = write(descriptor, &byte, 1);
        (void)ignored;
    }
    errno = saved;
}

static int unblock(int number) {
    sigset_t unblocked;
    sigemptyset(&unblocked);
    sigaddset(&unblocked, number);
    return pthread_sigmask(SIG_UNBLOCK, &unblocked, NULL);
}

int posix_shim_catch_signal(int number) {
    struct sigaction action = {.sa_handler = forward_signal, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    if (sigaction(number, &action, NULL) != 0) return errno;
    return unblock(number);
}

int posix_shim_signal_is_ignored(int number) {
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

void posix_shim_default_signal(int number, int ignore) { signal(number, ignore ? SIG_IGN : SIG_DFL); }

void posix_shim_die_of_signal(int number) {
    posix_shim_default_signal(number, 0);
    unblock(number);
    kill(getpid(), number);
}

void posix_shim_signal_pipe(int descriptor) { signal_pipe = descriptor; }

// ---- System log ----

void posix_shim_syslog(int priority, const char *text) { syslog(priority, "%s", text); }

void posix_shim_openlog(const char *identity, int facility) {
    static char *kept;  // openlog keeps the pointer
    char *copy = strdup(identity);
    if (copy == NULL) return;
    openlog(copy, LOG_NDELAY, facility);
    free(kept);
    kept = copy;
}

// ---- Locks of files ----

int posix_shim_lock_file(int descriptor) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    return fcntl(descriptor, F_SETLK, &lock) == 0 ? 0 : errno;
}

pid_t posix_shim_lock_owner(int descriptor, int *locked, int *error) {
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(descriptor, F_GETLK, &lock) != 0) {
        *error = errno;
        return -1;
    }
    *locked = lock.l_type != F_UNLCK;
    return *locked ? lock.l_pid : 0;
}

// ---- Children ----

struct fork_request {
    void (*body)(void *);
    void *argument;
    pid_t child;
    int error;
};

/// Allocates nothing, so that glibc gives the child's first thread the heap that the caller had.
static void *fork_here(void *argument) {
    struct fork_request *request = argument;
    request->child = fork();
    request->error = errno;
    if (request->child != 0) return NULL;
    posix_shim_crash_stack();
    request->body(request->argument);
    abort();
}

#ifdef __has_feature
#if __has_feature(thread_sanitizer)
#define UNDER_THREAD_SANITIZER 1
#endif
#endif

/// The child has no other stack than the thread's: as much as a program's first thread usually has.
#define FORK_STACK_SIZE ((size_t)8 << 20)

pid_t posix_shim_fork(void (*body)(void *), void *argument, int *error) {
    struct fork_request request = {.body = body, .argument = argument, .child = -1};
#ifdef UNDER_THREAD_SANITIZER
    // It gives up on the child of a program that has two threads, signals included.
    fork_here(&request);
    *error = request.error;
    return request.child;
#endif
    pthread_attr_t attributes;
    pthread_t thread;
    *error = pthread_attr_init(&attributes);
    if (*error != 0) return -1;
    *error = pthread_attr_setstacksize(&attributes, FORK_STACK_SIZE);
    if (*error == 0) *error = pthread_create(&thread, &attributes, fork_here, &request);
    pthread_attr_destroy(&attributes);
    if (*error != 0) return -1;
    pthread_join(thread, NULL);
    *error = request.error;
    return request.child;
}

int posix_shim_exited(int status) { return WIFEXITED(status); }
int posix_shim_exit_status(int status) { return WEXITSTATUS(status); }
int posix_shim_signaled(int status) { return WIFSIGNALED(status); }
int posix_shim_spawn_shell(const char *command, pid_t *child) { return posix_shim_spawn_shell_reading(command, -1, child); }

int posix_shim_spawn_shell_reading(const char *command, int input, pid_t *child) {
    char *arguments[] = {"/bin/sh", "-c", (char *)command, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    int error = posix_spawn_file_actions_init(&actions);
    if (error != 0) return error;
    error = posix_spawnattr_init(&attributes);
    if (error != 0) {
        posix_spawn_file_actions_destroy(&actions);
        return error;
    }
    if (input >= 0) error = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    if (error == 0) error = posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);  // ours ignore it; a pipeline in the command needs the default
    if (error == 0) error = posix_spawnattr_setsigdefault(&attributes, &defaults);
    if (error == 0) error = posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    if (error == 0) error = posix_spawn(child, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

int posix_shim_term_signal(int status) { return WTERMSIG(status); }
int posix_shim_core_dumped(int status) { return WCOREDUMP(status); }

// ---- Descriptors ----

int posix_shim_open(const char *path, int flags, mode_t mode) { return open(path, flags, mode); }

void posix_shim_name_thread(pthread_t thread, const char *name) {
    char cut[16] = {0};
    strncpy(cut, name, sizeof cut - 1);
    pthread_setname_np(thread, cut);
}

int posix_shim_pipe(int *read_end, int *write_end) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) return errno;
    *read_end = ends[0];
    *write_end = ends[1];
    return 0;
}

int posix_shim_counts_cycles(void) {
    struct perf_event_attr attributes = {
        .type = PERF_TYPE_HARDWARE, .size = sizeof attributes, .config = PERF_COUNT_HW_CPU_CYCLES, .disabled = 1, .exclude_kernel = 1};
    long descriptor = syscall(SYS_perf_event_open, &attributes, 0, -1, -1, PERF_FLAG_FD_CLOEXEC);
    if (descriptor < 0) return 0;
    close((int)descriptor);
    return 1;
}

int posix_shim_memory_file(const char *name) { return memfd_create(name, MFD_CLOEXEC); }

int posix_shim_set_nonblocking(int descriptor) {
    int flags = fcntl(descriptor, F_GETFL);
    if (flags < 0 || fcntl(descriptor, F_SETFL, flags | O_NONBLOCK) < 0) return errno;
    return 0;
}

int posix_shim_set_close_on_exec(int descriptor) {
    int flags = fcntl(descriptor, F_GETFD);
    if (flags < 0 || fcntl(descriptor, F_SETFD, flags | FD_CLOEXEC) < 0) return errno;
    return 0;
}
