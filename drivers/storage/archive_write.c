/* Writing a backup: tar by tar, its guests held still, and the digest of all behind it. */
#include "drivers/storage/archive.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/storage/archive_internal.h"
#include "drivers/storage/still.h"
#include "drivers/storage/storage.h"
#include "lib/buffer.h"
#include "lib/error.h"

struct output {
    int fd;
    struct digest *digest; /* of what has been written */
    int64_t total;         /* bytes of it */
    const struct call *call;
};

static int put_bytes(struct output *output, const char *bytes, size_t size, struct error *error)
{
    digest_add(output->digest, bytes, size);
    int result = bytes_write(output->fd, bytes, size);
    archive_tell(output->call, "written:", output->total, output->total + (int64_t)size);
    output->total += (int64_t)size;
    result = result < 0 ? result : call_check(output->call);
    return result < 0 ? error_errno(error, result, "cannot write the backup") : 0;
}

/* Bytes of one archive. */
static int pass_on(int from, struct output *output, struct error *error)
{
    _cleanup_free_ char *bytes = malloc(ARCHIVE_CHUNK);
    if (!bytes)
        return error_errno(error, -ENOMEM, "cannot write the backup");
    for (;;) {
        ssize_t got = archive_get(from, bytes, ARCHIVE_CHUNK);
        if (got < 0)
            return error_errno(error, (int)got, "cannot write the backup");
        int result = got ? put_bytes(output, bytes, (size_t)got, error) : 0;
        if (!got || result < 0)
            return result;
    }
}

/* Behind all archives the line with the digest of them. */
static int write_trailer(struct output *output, struct error *error)
{
    char text[DIGEST_TEXT_SIZE], trailer[ARCHIVE_TRAILER + 1];
    digest_finish(output->digest, text);
    archive_trailer(text, trailer);
    int result = bytes_write(output->fd, trailer, ARCHIVE_TRAILER);
    return result < 0 ? error_errno(error, result, "cannot write the backup") : 0;
}

#define BLOCK 512 /* bytes of a tar archive */

static void put_number(char *field, size_t size, unsigned value)
{
    snprintf(field, size, "%0*o", (int)size - 1, value);
}

/* One member (POSIX ustar) without an end behind it: tar goes on with its own. Written by hand, for tar would want a file
 * of it, and a store that is full has to be backed up, too. */
static int write_note(struct output *output, struct error *error)
{
    struct {
        char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6],
            version[2], owner[32], group[32], major[8], minor[8], prefix[155], padding[12];
        char bytes[BLOCK];
    } note = {.name = "./" ARCHIVE_NOTE,
              .sum = {' ', ' ', ' ', ' ', ' ', ' ', ' ', ' '}, /* as it is summed up */
              .type = '0',
              .magic = "ustar",
              .version = {'0', '0'},
              .bytes = ARCHIVE_NOTE_TEXT};
    _Static_assert(sizeof(note) == (size_t)2 * BLOCK, "a header and its bytes");
    unsigned sum = 0;
    put_number(note.mode, sizeof(note.mode), 0600);
    put_number(note.uid, sizeof(note.uid), 0);
    put_number(note.gid, sizeof(note.gid), 0);
    put_number(note.size, sizeof(note.size), sizeof(ARCHIVE_NOTE_TEXT) - 1);
    put_number(note.mtime, sizeof(note.mtime), 0);
    for (size_t i = 0; i < BLOCK; i++)
        sum += ((const unsigned char *)&note)[i];
    put_number(note.sum, sizeof(note.sum) - 1, sum);
    return put_bytes(output, (const char *)&note, sizeof(note), error);
}

struct arguments {
    const struct paths *paths;
    struct arena *arena;
    const char **items;
    size_t count;
};

static void add_argument(struct arguments *arguments, const char *word)
{
    *arena_append(arguments->arena, arguments->items, arguments->count) = word;
}

/* Not bound to one file system: subvolumes look like others, and nothing of ours is mounted below the store on the host. */
static struct arguments new_arguments(const struct paths *paths, struct arena *arena)
{
    static const char *const words[] = {"tar",
                                        "--create",
                                        "--file=-",
                                        "--format=posix",
                                        "--numeric-owner",
                                        "--sparse",
                                        "--acls",
                                        "--xattrs",
                                        "--xattrs-include=*",
                                        "--warning=no-file-ignored",  /* sockets */
                                        "--no-wildcards-match-slash", /* a guest's own names may begin so */
                                        "--exclude=./*/.tmp-*",
                                        "-C"};
    struct arguments arguments = {.paths = paths, .arena = arena};
    for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
        add_argument(&arguments, words[i]);
    add_argument(&arguments, paths->store);
    return arguments;
}

/* "./layers/NAME", where it is there. */
static void add_file(struct arguments *arguments, const char *folder, const char *name)
{
    const char *path = arena_printf(arguments->arena, "./%s%s%s", folder, name ? "/" : "", name ? name : "");
    if (access(arena_printf(arguments->arena, "%s/%s", arguments->paths->store, path), F_OK) == 0)
        add_argument(arguments, path);
}

static int write_tar(struct arguments *arguments, struct output *output, struct error *error)
{
    struct archive_tar tar;
    add_argument(arguments, NULL);
    int result = archive_tar_start(arguments->items, false, &tar, error);
    if (result < 0)
        return result;
    result = pass_on(tar.stream, output, error);
    int ended = archive_tar_end(&tar, result < 0, result < 0 ? NULL : error);
    return result < 0 ? result : ended;
}

static bool is_in(const struct texts *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->items[i], name) == 0)
            return true;
    return false;
}

static bool is_in_part(const struct archive *request, bool layer, const char *name)
{
    for (size_t i = 0; i < request->parts.count; i++) {
        const struct archive_part *part = request->parts.items[i];
        if (is_in(layer ? &part->layers : &part->volumes, name))
            return true;
    }
    return false;
}

/* What a store holds beside the parts: the folder itself, then name by name. */
static int add_rest(struct arguments *arguments, const struct archive *request, const char *folder,
                    struct error *error)
{
    const char *path = arena_printf(arguments->arena, "%s/%s", arguments->paths->store, folder);
    DIR *names = opendir(path);
    if (!names)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", path);
    add_argument(arguments, "--no-recursion");
    add_file(arguments, folder, NULL);
    add_argument(arguments, "--recursion");
    for (struct dirent *entry; (entry = readdir(names));)
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
            strncmp(entry->d_name, ".tmp-", strlen(".tmp-")) != 0 &&
            !is_in_part(request, strcmp(folder, "layers") == 0, entry->d_name))
            add_file(arguments, folder, arena_strdup(arguments->arena, entry->d_name));
    closedir(names);
    return 0;
}

/* Once before they stand, so that there is little left to write while they do. */
static int hold(struct still *still, const struct list *guests, struct arena *arena, struct error *error)
{
    if (guests->count)
        sync();
    int result = still_hold(still, guests, arena, error);
    if (result == 0)
        sync(); /* file systems in files, too */
    return result;
}

/* Images and records do not change while we hold the lock; of all else nobody writes to it who is not in `guests`. */
static int write_base(const struct paths *paths, const struct archive *request, struct output *output,
                      struct error *error)
{
    struct arguments arguments = new_arguments(paths, output->call->arena);
    _cleanup_still_ struct still still = NOT_STILL;
    int result = hold(&still, &request->guests, output->call->arena, error);
    if (result < 0)
        return result;
    add_file(&arguments, "secrets", NULL);
    add_file(&arguments, "images", NULL);
    result = add_rest(&arguments, request, "layers", error);
    if (result == 0)
        result = add_rest(&arguments, request, "volumes", error);
    add_argument(&arguments, "./state/data.mdb");
    return result < 0 ? result : write_tar(&arguments, output, error);
}

static int write_part(const struct paths *paths, const struct archive_part *part, struct output *output,
                      struct error *error)
{
    struct arguments arguments = new_arguments(paths, output->call->arena);
    const size_t before = arguments.count;
    for (size_t i = 0; i < part->layers.count; i++)
        add_file(&arguments, "layers", part->layers.items[i]);
    for (size_t i = 0; i < part->volumes.count; i++)
        add_file(&arguments, "volumes", part->volumes.items[i]);
    if (arguments.count == before)
        return 0;
    _cleanup_still_ struct still still = NOT_STILL;
    int result = hold(&still, &part->guests, output->call->arena, error);
    return result < 0 ? result : write_tar(&arguments, output, error);
}

static int write_all_parts(const struct paths *paths, const struct archive *request, struct output *output,
                           struct error *error)
{
    int result = write_note(output, error);
    if (result == 0)
        result = write_base(paths, request, output, error);
    for (size_t i = 0; result == 0 && i < request->parts.count; i++)
        result = write_part(paths, request->parts.items[i], output, error);
    return result < 0 ? result : write_trailer(output, error);
}

/* "/proc/PID/fd/1" is somebody's open output: there is nothing to rename. */
static bool is_stream(const char *file)
{
    return strncmp(file, "/proc/", strlen("/proc/")) == 0;
}

/* What is said to be written is there after a power cut, too: so its name has to be on the disk. */
static int put_in_place(int target, const char *part, const char *file, struct arena *arena,
                        struct error *error)
{
    const char *slash = strrchr(file, '/');
    const char *folder = slash ? arena_strndup(arena, file, (size_t)(slash - file) + 1) : ".";
    _cleanup_close_ int names = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fsync(target) < 0 || rename(part, file) < 0 ||
        (names >= 0 && fsync(names) < 0 && errno != EINVAL)) /* not every file system can do that */
        return error_errno(error, -errno, "cannot write %s", file);
    return 0;
}

int archive_write(const struct paths *paths, const struct archive *request, const struct call *call,
                  struct error *error)
{
    bool stream = is_stream(request->file);
    const char *part = stream ? request->file : arena_printf(call->arena, "%s.part", request->file);
    _cleanup_close_ int target = open(
        part, stream ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (target < 0)
        return error_errno(error, -errno, "cannot open %s", part);
    struct output output = {.fd = target, .digest = digest_new(), .call = call};
    int result = write_all_parts(paths, request, &output, error);
    digest_free(output.digest);
    if (result == 0 && !stream)
        result = put_in_place(target, part, request->file, call->arena, error);
    if (result < 0 && !stream)
        unlink(part);
    unlink(arena_printf(call->arena, "%s/" ARCHIVE_NOTE, paths->store)); /* of earlier versions */
    return result;
}
