#include "CPosixShims.h"

#include <unistd.h>

pid_t posix_shim_fork(void) { return fork(); }
