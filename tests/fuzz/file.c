#include <sys/mman.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

int file_of(const void *bytes, size_t size)
{
    int fd = memfd_create("fuzz", MFD_CLOEXEC);
    MUST(fd >= 0 && pwrite(fd, bytes, size, 0) == (ssize_t)size);
    return fd;
}
