#include "drivers/image/squashed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/make.h"
#include "drivers/image/oci.h"
#include "drivers/image/store.h"
#include "drivers/image/unified.h"
#include "drivers/storage/loop.h"
#include "drivers/storage/squash.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"

#define MAGIC "hsqs"

static bool is_squashfs(int archive)
{
    char magic[sizeof(MAGIC) - 1];
    struct stat status;
    return fstat(archive, &status) == 0 && S_ISREG(status.st_mode) &&
           pread(archive, magic, sizeof(magic), 0) == sizeof(magic) &&
           memcmp(magic, MAGIC, sizeof(magic)) == 0;
}

static void tell(const struct call *call, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void tell(const struct call *call, const char *format, ...)
{
    char text[ERROR_TEXT_SIZE + 64];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (call->progress)
        call->progress(call->context, text);
}

/* ---- the file ---- */

/* A loop device is of whole blocks; what is added lies behind all that the file system knows of. */
static int pad(int file, struct digest *digest, int64_t size)
{
    static const char zeros[LOOP_BLOCK];
    const size_t rest = (size_t)((LOOP_BLOCK - size % LOOP_BLOCK) % LOOP_BLOCK);
    digest_add(digest, zeros, rest);
    return bytes_write(file, zeros, rest);
}

static int copy_bytes(int archive, int file, struct digest *digest, const struct call *call)
{
    static char piece[256 * 1024];
    int64_t at = 0;
    for (ssize_t got; (got = pread(archive, piece, sizeof(piece), at)) != 0; at += got) {
        int result = got < 0 ? -errno : call_check(call);
        if (result == 0)
            result = bytes_write(file, piece, (size_t)got);
        if (result < 0)
            return result;
        digest_add(digest, piece, (size_t)got);
    }
    return pad(file, digest, at);
}

/* A copy, whoever can still write to the archive; its bytes are the last that anybody writes. Opened for reading. */
static int store_file(struct image_making *making, int archive, struct error *error)
{
    _cleanup_digest_ struct digest *digest = digest_new();
    _cleanup_close_ int file =
        openat(making->folder, SQUASH_FILE, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0400);
    int result = file < 0 ? -errno : copy_bytes(archive, file, digest, making->call);
    if (result < 0)
        return error_errno(error, result, "cannot keep the squashfs");
    digest_finish(digest, making->squashed);
    int stored = openat(making->folder, SQUASH_FILE, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    return stored < 0 ? error_errno(error, -errno, "cannot keep the squashfs") : stored;
}

static void forget_file(struct image_making *making)
{
    unlinkat(making->folder, SQUASH_FILE, 0);
    *making->squashed = '\0';
}

/* ---- whether it can be kept ---- */

/* 1: the kernel may see it; 0: unpacking would leave out or change some of it. */
static int check(struct image_making *making, const char *what, int file, struct error *error)
{
    struct unpack_answer answer;
    int result = unpack_by("check", what, file, making->root, making->call, &answer, error);
    if (result < 0)
        return result;
    if (answer.skipped)
        tell(making->call, "unpacking it: %lld of its entries or attributes are for no image",
             answer.skipped);
    return !answer.skipped;
}

/* Its own folder in the store is what others see of it without mounting it: build_making.c. */
static int take_attributes(const struct image_making *making, int root, struct error *error)
{
    struct stat status;
    if (fstat(root, &status) < 0 || fchown(making->root, status.st_uid, status.st_gid) < 0 ||
        fchmod(making->root, status.st_mode & 07777) < 0)
        return error_errno(error, -errno, "cannot make the image's root");
    const struct timespec times[2] = {status.st_atim, status.st_mtim};
    return futimens(making->root, times) < 0 ? error_errno(error, -errno, "cannot make the image's root") : 0;
}

/* 1: the making's root is what it shows. */
static int show(struct image_making *making, struct error *error)
{
    struct error told = {0};
    _cleanup_close_ int root = squash_open_root(making->folder, &told);
    if (root < 0) {
        tell(making->call, "unpacking it: %s", told.text);
        return 0;
    }
    if (unified_is(root) || oci_is_layout(root))
        return 0;
    int result = take_attributes(making, root, error);
    if (result < 0)
        return result;
    cleanup_close(&making->root);
    making->root = TAKE_FD(root);
    return 1;
}

static int keep(struct image_making *making, const char *what, int archive, struct error *error)
{
    _cleanup_close_ int file = store_file(making, archive, error);
    int result = file < 0 ? file : check(making, what, file, error);
    if (result > 0)
        result = show(making, error);
    if (result <= 0)
        forget_file(making);
    return result;
}

int squashed_make(struct image_making *making, const char *what, int archive, struct error *error)
{
    struct error lacking = {0};
    if (is_squashfs(archive) && squash_probe(&lacking) < 0)
        tell(making->call, "unpacking it: this kernel cannot mount it for containers: %s", lacking.text);
    else if (is_squashfs(archive)) {
        int result = keep(making, what, archive, error);
        if (result != 0)
            return result < 0 ? result : 0;
    }
    return unpack_archive(what, archive, making->root, making->call, error);
}
