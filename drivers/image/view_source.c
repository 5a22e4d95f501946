#include "drivers/image/view_source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/asked.h"
#include "lib/cleanup.h"
#include "lib/error.h"

#define TAR_NAME 100 /* bytes of the first field of a tar header */

/* The first entry of a tar: skopeo writes blobs first, docker a layer's folder, others the documents. */
static bool begins_as_layout(int file)
{
    static const char *const names[] = {"oci-layout", "index.json", "manifest.json", "blobs", "repositories"};
    static const char hex[] = "0123456789abcdef";
    char header[TAR_NAME + 1] = "";
    if (read(file, header, TAR_NAME) != TAR_NAME)
        return false;
    const char *name = strncmp(header, "./", 2) == 0 ? header + 2 : header;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strncmp(name, names[i], strlen(names[i])) == 0)
            return true;
    return strspn(name, hex) == 64;
}

bool image_source_is_layout(const char *path)
{
    struct stat status;
    /* O_NONBLOCK: a FIFO there must not hold us. */
    _cleanup_close_ int source = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (source < 0 || fstat(source, &status) < 0)
        return false;
    if (S_ISREG(status.st_mode))
        return begins_as_layout(source);
    return S_ISDIR(status.st_mode) &&
           (faccessat(source, "manifest.json", F_OK, 0) == 0 ||
            (faccessat(source, "index.json", F_OK, 0) == 0 && faccessat(source, "oci-layout", F_OK, 0) == 0));
}

int image_archive_digest(const char *path, char digest[static DIGEST_TEXT_SIZE], struct error *error)
{
    char piece[64 * 1024];
    struct stat status;
    ssize_t got;
    _cleanup_close_ int file = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    _cleanup_digest_ struct digest *sum = digest_new();
    if (file < 0 || fstat(file, &status) < 0)
        return error_errno(error, -errno, "%s", path);
    if (!S_ISREG(status.st_mode) || status.st_size > IMAGE_ARCHIVE_LIMIT)
        return error_set(error, -EFBIG, "%s is no archive of at most %d MiB", path,
                         IMAGE_ARCHIVE_LIMIT >> 20);
    while ((got = read(file, piece, sizeof(piece))) > 0)
        digest_add(sum, piece, (size_t)got);
    if (got < 0)
        return error_errno(error, -errno, "%s", path);
    digest_finish(sum, digest);
    return 0;
}
