#define _GNU_SOURCE
#include "sockets.h"

#include <fcntl.h>
#include <stddef.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <unistd.h>

int posix_shim_accept(int listening, struct sockaddr *address, socklen_t *length) {
  return accept4(listening, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int posix_shim_set_nonblocking_cloexec(int fd) {
  int flags = fcntl(fd, F_GETFL);
  if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0) {
    return -1;
  }
  flags = fcntl(fd, F_GETFD);
  return flags < 0 ? -1 : fcntl(fd, F_SETFD, flags | FD_CLOEXEC);
}

int posix_shim_open_directory_path(const char *path) { return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC); }

static int peer_credentials(int fd, struct ucred *credentials) {
  socklen_t length = sizeof *credentials;
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, credentials, &length) != 0 || length != sizeof *credentials) return -1;
  return credentials->uid == (uid_t)-1 ? -1 : 0;
}

int posix_shim_peer_user(int fd, uid_t *user) {
  struct ucred credentials;
  if (peer_credentials(fd, &credentials) != 0) return -1;
  *user = credentials.uid;
  return 0;
}

int posix_shim_peer_process(int fd, pid_t *process) {
  struct ucred credentials;
  if (peer_credentials(fd, &credentials) != 0) return -1;
  *process = credentials.pid;
  return 0;
}

int posix_shim_epoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int posix_shim_epoll_add(int epoll, int fd) {
  struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
  return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
}

int posix_shim_epoll_remove(int epoll, int fd) { return epoll_ctl(epoll, EPOLL_CTL_DEL, fd, NULL); }

int posix_shim_epoll_wait(int epoll, int *ready, int max, int timeout_ms) {
  enum { EVENTS = 64 };
  struct epoll_event events[EVENTS];
  int count = epoll_wait(epoll, events, max < EVENTS ? max : EVENTS, timeout_ms);
  for (int i = 0; i < count; i++) {
    ready[i] = events[i].data.fd;
  }
  return count;
}

int posix_shim_anonymous_file(void) { return memfd_create("standard input", MFD_CLOEXEC); }
