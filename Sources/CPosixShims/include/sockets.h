// Socket calls that the overlay does not show.
#ifndef CPOSIXSHIMS_SOCKETS_H
#define CPOSIXSHIMS_SOCKETS_H

#include <sys/types.h>
#include <sys/socket.h>

/// accept4(2) with SOCK_NONBLOCK and SOCK_CLOEXEC: a GNU extension the overlay does not show.
int posix_shim_accept(int listening, struct sockaddr *address, socklen_t *length);

/// fcntl(2) for the two flags a descriptor that was handed to us needs: O_NONBLOCK and FD_CLOEXEC. 0 or -1 with errno.
int posix_shim_set_nonblocking_cloexec(int fd);

/// open(2) of a directory for use as /proc/self/fd/N only: O_PATH is a GNU extension, and open is variadic.
int posix_shim_open_directory_path(const char *path);

/// epoll(7) on readability, with descriptors as the only data: the overlay does not show it. Results as of the calls
/// behind; `wait` fills `ready` with at most `max` descriptors and returns their number.
int posix_shim_epoll_create(void);
int posix_shim_epoll_add(int epoll, int fd);
int posix_shim_epoll_remove(int epoll, int fd);
int posix_shim_epoll_wait(int epoll, int *ready, int max, int timeout_ms);

/// The user at the other end of a connected Unix socket (SO_PEERCRED, unix(7)). Returns 0, or -1 when the socket knows none.
int posix_shim_peer_user(int fd, uid_t *user);
/// The process at the other end: of a client's socket, the one that called listen(2). Returns as above.
int posix_shim_peer_process(int fd, pid_t *process);

/// memfd_create(2): a file without a name that lives in memory. A descriptor or -1 with errno.
int posix_shim_anonymous_file(void);

#endif
