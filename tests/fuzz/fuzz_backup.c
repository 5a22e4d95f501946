/* A backup that somebody else made, read into an empty root: its bytes and their digest, as a forger can compute it. What
 * was put in place are folders and a file, and nothing lies beside the root. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/archive.h"
#include "drivers/storage/storage.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/fuzz.h"

static void write_archive(const uint8_t *data, size_t size)
{
    _cleanup_buffer_ struct buffer bytes = {0};
    _cleanup_digest_ struct digest *digest = digest_new();
    char text[DIGEST_TEXT_SIZE];
    digest_add(digest, data, size);
    digest_finish(digest, text);
    buffer_add(&bytes, data, size);
    buffer_printf(&bytes, "fpsync-backup-sha256 %s\n", text);
    fuzz_write("backup", bytes.bytes, bytes.length);
}

static bool has_type(const char *name, mode_t type)
{
    char path[128];
    struct stat status;
    snprintf(path, sizeof(path), "%s/root/store/%s", fuzz_folder(), name);
    return lstat(path, &status) < 0 || (status.st_mode & S_IFMT) == type;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    const char *root = arena_printf(arena, "%s/root", fuzz_folder());
    const struct paths paths = {.root = root,
                                .store = arena_printf(arena, "%s/store", root),
                                .state = arena_printf(arena, "%s/store/state", root)};
    const struct call call = {.arena = arena, .cancel = -1};
    const struct archive request = {.file = arena_printf(arena, "%s/backup", fuzz_folder())};
    static const char *const folders[] = {"secrets", "images", "layers", "volumes", "state"};
    struct error error = {0};
    fuzz_clear("");
    write_archive(data, size);
    MUST(mkdir(root, 0700) == 0 && mkdir(paths.store, 0700) == 0);
    int result = archive_read(&paths, &request, &call, &error);
    MUST((result < 0) == (error.code != 0));
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
        MUST(has_type(folders[i], S_IFDIR));
    MUST(has_type("state/data.mdb", S_IFREG));
    fuzz_clear("root/store");
    MUST(rmdir(root) == 0 && unlink(request.file) == 0 && rmdir(fuzz_folder()) == 0 &&
         mkdir(fuzz_folder(), 0700) == 0); /* or something lies beside it */
    return 0;
}
