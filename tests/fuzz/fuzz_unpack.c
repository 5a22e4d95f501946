/* Archives: unpacked for real, without the sandbox, so that an entry that leaves the target is seen beside it; as a root, as
 * the context of a build, and as a layer over one that has something to hide and a link that leads out. */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/fetch/fetch.h"
#include "lib/cleanup.h"
#include "lib/error.h"
#include "tests/fuzz/fuzz.h"

/* A squashfs may promise terabytes: what asks for that much memory gets none, as under the sandbox's bound. */
const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1:max_allocation_size_mb=1024";
}

static char folder[] = "/dev/shm/fpsync-fuzz-XXXXXX", root[64];

static int remove_entry(const char *path, const struct stat *info, int type, struct FTW *walk)
{
    (void)info;
    (void)type;
    (void)walk;
    return remove(path);
}

static void clean_up(void)
{
    rmdir(root);
    rmdir(folder);
}

static void begin(void)
{
    /* What an archive may fill of the memory that it is unpacked into. */
    const struct rlimit small = {.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
    MUST(mkdtemp(folder));
    snprintf(root, sizeof(root), "%s/root", folder);
    atexit(clean_up);
    signal(SIGXFSZ, SIG_IGN);
    setrlimit(RLIMIT_FSIZE, &small);
    umask(0);
}

static void say_nothing(int percent)
{
    MUST(percent >= 0 && percent <= 100);
}

static void lay_below(void)
{
    char path[96];
    snprintf(path, sizeof(path), "%s/etc", root);
    MUST(mkdir(path, 0755) == 0);
    snprintf(path, sizeof(path), "%s/etc/passwd", root);
    MUST(mknod(path, S_IFREG | 0644, 0) == 0);
    snprintf(path, sizeof(path), "%s/out", root);
    MUST(symlink("/../..", path) == 0);
}

static int unpack_it(const uint8_t *data, size_t size, enum unpack_what what, struct unpacked *unpacked)
{
    struct error error = {0};
    MUST(mkdir(root, 0755) == 0);
    if (what == UNPACK_LAYER)
        lay_below();
    _cleanup_close_ int archive = file_of(data, size), target = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct unpacking *unpacking = unpack_begin(archive, what, &error);
    MUST(unpacking || what == UNPACK_CHECK);
    int result = unpacking ? unpack(unpacking, target, say_nothing, unpacked, &error) : error.code;
    unpack_end(unpacking);
    MUST((result < 0) == (error.code != 0));
    MUST(what != UNPACK_CHECK || (rmdir(root) == 0 && mkdir(root, 0755) == 0)); /* nothing was made */
    MUST(nftw(root, remove_entry, 64, FTW_DEPTH | FTW_PHYS) == 0);
    MUST(rmdir(folder) == 0 && mkdir(folder, 0700) == 0); /* or something lies beside the target */
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!*root)
        begin();
    struct unpacked made = {0}, checked = {0}, other;
    const int result = unpack_it(data, size, UNPACK_ROOT, &made);
    unpack_it(data, size, UNPACK_CONTEXT, &other);
    unpack_it(data, size, UNPACK_LAYER, &other);
    /* What is kept as a squashfs could have been unpacked, to just that; but for what is larger than the bound above. */
    if (unpack_it(data, size, UNPACK_CHECK, &checked) == 0 && !checked.skipped && result != -EFBIG)
        MUST(result == 0 && !made.skipped && made.entries == checked.entries && made.bytes == checked.bytes);
    return 0;
}
