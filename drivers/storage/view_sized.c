#include "drivers/storage/view_sized.h"

#include <unistd.h>

/* mkfs leaves an end unused that is too small for a group of blocks: that little is not worth growing for. */
#define SLACK (4 << 20) /* bytes */

static uint32_t le32(const unsigned char *bytes)
{
    return bytes[0] | (uint32_t)bytes[1] << 8 | (uint32_t)bytes[2] << 16 | (uint32_t)bytes[3] << 24;
}

/* As its superblock says: ext4(5). A mounted one says so when it was written back. */
static int64_t system_size(int image)
{
    unsigned char block[512];
    if (pread(image, block, sizeof(block), 1024) != sizeof(block))
        return 0;
    uint64_t blocks = le32(block + 4) | (uint64_t)le32(block + 0x150) << 32;
    return (int64_t)(blocks << (10 + le32(block + 24)));
}

int64_t sized_bytes(int image, int64_t size)
{
    const int64_t system = system_size(image);
    return system + SLACK < size ? system : size;
}
