#define _GNU_SOURCE
#include "CPosixShims.h"

#include <malloc.h>

#include <fcntl.h>
#include <unistd.h>

int posix_shim_lock_description(int descriptor)
{
    struct flock request = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
    return fcntl(descriptor, F_OFD_SETLK, &request);
}

int posix_shim_unlock_description(int descriptor)
{
    struct flock request = { .l_type = F_UNLCK, .l_whence = SEEK_SET };
    return fcntl(descriptor, F_OFD_SETLK, &request);
}

void posix_shim_trim_memory(void) { malloc_trim(0); }
