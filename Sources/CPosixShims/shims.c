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

void posix_shim_begin_writing(int descriptor, off_t offset, off_t count)
{
    sync_file_range(descriptor, offset, count, SYNC_FILE_RANGE_WRITE);
}

int posix_shim_sync_all(int descriptor) { return syncfs(descriptor); }

void posix_shim_trim_memory(void) { malloc_trim(0); }

void posix_shim_join_freed_memory(void) { mallopt(M_MXFAST, 0); }
