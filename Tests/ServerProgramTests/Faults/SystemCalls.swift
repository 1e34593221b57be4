// SPDX-License-Identifier: Apache-2.0
//
// The system calls of the server, and how each of them can fail here. A call that the server makes and that is missing fails
// `SystemCallFaultTests`.

import Testing

/// A system call and the errors that its manual page lists and Linux can produce for what the server does with it.
struct SystemCall: Sendable, CustomTestStringConvertible {
  var name: String
  var errors: [String]
  /// Why a failure may end the server, with a message or by the memory's lack; nil: it may only before the server serves, in order.
  var endsServer: String?

  var testDescription: String { name }

  init(_ name: String, _ errors: String, endsServer: String? = nil) {
    self.name = name
    self.errors = errors.split(separator: " ").map(String.init)
    self.endsServer = endsServer
  }

  private static let memory = "Swift ends a program that gets no memory"
  private static let loop = "without its selector an event loop cannot begin"

  /// All that can fail. Those that cannot are in `infallible`.
  static let all: [SystemCall] = [
    // Files.
    SystemCall("openat", "EACCES EMFILE ENFILE ENOMEM ENOSPC EIO EINTR ELOOP ENOENT"),
    SystemCall("read", "EIO EINTR ECONNRESET ENOMEM"),
    SystemCall("pread64", "EIO EINTR"),
    SystemCall("write", "EIO EINTR ENOSPC EDQUOT EPIPE ECONNRESET ENOMEM"),
    SystemCall("pwrite64", "EIO EINTR ENOSPC EDQUOT"),
    SystemCall("writev", "EIO EINTR EPIPE ECONNRESET ENOMEM"),
    SystemCall("close", "EIO EINTR ENOSPC EDQUOT"),
    SystemCall("newfstatat", "EACCES ENOENT ENOMEM EIO"),
    SystemCall("fstatfs", "EIO ENOMEM ENOSYS"),
    SystemCall("fsync", "EIO ENOSPC EDQUOT EINTR"),
    SystemCall("fdatasync", "EIO ENOSPC EDQUOT EINTR"),
    SystemCall("rename", "EACCES EIO ENOSPC EDQUOT ENOMEM"),
    SystemCall("unlink", "EACCES EIO ENOMEM ENOENT"),
    SystemCall("ftruncate", "EIO EINTR"),
    SystemCall("fchmod", "EPERM EIO"),
    SystemCall("fchown", "EPERM EIO"),
    SystemCall("chmod", "EPERM EIO"),
    SystemCall("lseek", "ESPIPE"),
    SystemCall("access", "EACCES EIO"),
    SystemCall("readlink", "EACCES EIO ENOMEM"),
    SystemCall("getcwd", "EACCES ENOENT ENOMEM"),
    SystemCall("getdents64", "ENOENT ENOMEM EIO"),
    SystemCall("ioctl", "ENOTTY"),
    // Sockets.
    SystemCall("socket", "EMFILE ENFILE ENOMEM ENOBUFS EACCES"),
    SystemCall("bind", "EACCES EADDRINUSE ENOMEM EROFS"),
    SystemCall("listen", "EADDRINUSE"),
    SystemCall("accept4", "EMFILE ENFILE ENOMEM ENOBUFS ECONNABORTED EINTR EPERM"),
    SystemCall("connect", "ECONNREFUSED ENETUNREACH EACCES EADDRNOTAVAIL ETIMEDOUT EINTR"),
    SystemCall("getsockname", "ENOBUFS"),
    SystemCall("getpeername", "ENOTCONN ENOBUFS"),
    SystemCall("getsockopt", "ENOPROTOOPT ENOMEM"),
    SystemCall("setsockopt", "ENOPROTOOPT ENOMEM"),
    SystemCall("shutdown", "ENOTCONN"),
    SystemCall("sendto", "ECONNREFUSED ENOBUFS EINTR EPIPE"),
    SystemCall("recvfrom", "ECONNREFUSED EINTR ENOMEM"),
    // Waiting.
    SystemCall("epoll_wait", "EINTR"),
    SystemCall("poll", "EINTR ENOMEM"),
    SystemCall("epoll_ctl", "ENOMEM ENOSPC", endsServer: loop),
    SystemCall("epoll_create", "EMFILE ENFILE ENOMEM", endsServer: loop),
    SystemCall("epoll_create1", "EMFILE ENFILE ENOMEM", endsServer: loop),
    SystemCall("eventfd2", "EMFILE ENFILE ENOMEM", endsServer: loop),
    SystemCall("timerfd_create", "EMFILE ENFILE ENOMEM", endsServer: loop),
    SystemCall("pipe2", "EMFILE ENFILE"),
    // Processes and memory.
    SystemCall("clone3", "EAGAIN ENOMEM"),
    SystemCall("mmap", "ENOMEM", endsServer: memory),
    SystemCall("munmap", "ENOMEM"),
    SystemCall("mprotect", "ENOMEM", endsServer: memory),
    SystemCall("brk", "ENOMEM", endsServer: memory),
    SystemCall("mremap", "ENOMEM", endsServer: memory),
    SystemCall("madvise", "EAGAIN ENOMEM"),
    SystemCall("prlimit64", "EPERM"),
    SystemCall("getrandom", "EINTR"),
  ]

  /// Whether a call, as strace shows it, is one that cannot fail although its name can: on the counters and timers of an event loop.
  static func isInfallible(_ line: String) -> Bool {
    line.contains("<anon_inode:[eventfd]>") || line.contains("<anon_inode:[timerfd]>")
  }

  /// Calls that cannot fail as the server makes them, by the reason.
  static let infallible: [String: Set<String>] = [
    "no errors, or none for valid arguments": [
      "arch_prctl", "clock_gettime", "exit", "exit_group", "getegid", "geteuid", "getgid", "getpid", "getppid", "gettid", "getuid",
      "rseq", "rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "sched_getaffinity", "sched_yield", "set_robust_list",
      "set_tid_address", "sigaltstack", "sysinfo", "times", "uname",
    ],
    "locks of processes and threads, which wait": ["futex"],
    "names of threads and the like, whose loss nobody notices": ["prctl"],
    "flags of descriptors that are open; its locks are tried in FileLockTests": ["fcntl"],
    "a timer of its own, with a valid time": ["timerfd_settime"],
    "once, by whoever starts the server": ["execve"],
    "sleeps": ["clock_nanosleep", "restart_syscall"],
  ]
}
