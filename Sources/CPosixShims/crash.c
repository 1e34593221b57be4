// SPDX-License-Identifier: Apache-2.0
//
// Implementation of crash.h. The handler calls only what signal-safety(7) allows, but for backtrace(3), whose library is loaded before, and
// dladdr(3), which may wait for ever when the crash is in the dynamic linker: an alarm ends that.
#define _GNU_SOURCE
#include "crash.h"

#include <dlfcn.h>
#include <execinfo.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FRAMES_MAX = 64, LINE_SIZE = 512, STACK_SIZE = 128 << 10, SECONDS_MAX = 5 };

static volatile sig_atomic_t log_descriptor = -1;
static volatile int is_crashing;

static const char *signal_name(int number) {
    switch (number) {
    case SIGSEGV: return "SIGSEGV";
    case SIGBUS: return "SIGBUS";
    case SIGABRT: return "SIGABRT";
    case SIGILL: return "SIGILL";
    case SIGFPE: return "SIGFPE";
    case SIGTRAP: return "SIGTRAP";
    default: return "signal";
    }
}

/// A line that is made without the C library's formatting, which may allocate.
struct line {
    char bytes[LINE_SIZE];
    size_t count;
};

static void append(struct line *line, const char *text) {
    while (*text != 0 && line->count < LINE_SIZE - 1) line->bytes[line->count++] = *text++;
}

static void append_hex(struct line *line, uintptr_t value, int digits_min) {
    char digits[2 * sizeof value + 1] = {0};
    size_t start = sizeof digits - 1;
    for (int written = 0; value != 0 || written < digits_min; written++, value >>= 4) digits[--start] = "0123456789abcdef"[value & 15];
    append(line, "0x");
    append(line, digits + start);
}

static void write_line(struct line *line) {
    line->bytes[line->count++] = '\n';
    int descriptors[] = {log_descriptor, STDERR_FILENO};
    for (size_t i = 0; i < 2; i++) {
        if (descriptors[i] < 0) continue;
        ssize_t ignored = write(descriptors[i], line->bytes, line->count);
        (void)ignored;
    }
}

/// Shape: `0x00007f0123456789 <function+0x1c>`; without a symbol the file and the offset in it, for addr2line(1).
static void write_frame(void *address) {
    struct line line = {.count = 0};
    Dl_info info = {0};
    append_hex(&line, (uintptr_t)address, 16);
    if (dladdr(address, &info) != 0 && info.dli_fname != NULL) {
        const char *slash = strrchr(info.dli_fname, '/');
        const char *name = info.dli_sname != NULL ? info.dli_sname : slash != NULL ? slash + 1 : info.dli_fname;
        void *base = info.dli_sname != NULL ? info.dli_saddr : info.dli_fbase;
        append(&line, " <");
        append(&line, name);
        append(&line, "+");
        append_hex(&line, (uintptr_t)address - (uintptr_t)base, 1);
        append(&line, ">");
    }
    write_line(&line);
}

/// The default action is back already (SA_RESETHAND); the signal that is raised here arrives when the handler returns.
static void report(int number) {
    if (!__sync_bool_compare_and_swap(&is_crashing, 0, 1)) {
        // Another thread is at it, and ends the process.
        while (1) pause();
    }
    signal(SIGALRM, SIG_DFL);
    alarm(SECONDS_MAX);
    struct line line = {.count = 0};
    append(&line, signal_name(number));
    append(&line, " detected, backtrace:");
    write_line(&line);
    void *frames[FRAMES_MAX];
    int count = backtrace(frames, FRAMES_MAX);
    for (int i = 0; i < count; i++) write_frame(frames[i]);
    raise(number);
}

void posix_shim_report_crash(int number) {
    void *frame;
    backtrace(&frame, 1);
    struct sigaction action = {.sa_handler = report, .sa_flags = SA_RESETHAND | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    sigaction(number, &action, NULL);
}

void posix_shim_crash_log(int descriptor) { log_descriptor = descriptor; }

void posix_shim_crash_stack(void) {
    void *memory = mmap(NULL, STACK_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return;
    stack_t stack = {.ss_sp = memory, .ss_size = STACK_SIZE};
    sigaltstack(&stack, NULL);
}
