// Terminals: calls that the overlay does not show because they are variadic.
#ifndef CPOSIXSHIMS_TERMINAL_H
#define CPOSIXSHIMS_TERMINAL_H

/// ioctl(2) TIOCGWINSZ: the size in characters; 0 where the terminal does not know. Returns 0, or -1 with errno.
int posix_shim_terminal_size(int descriptor, int *rows, int *columns);

#endif
