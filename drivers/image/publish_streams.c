/* The folder streams/v1 of a published tree: made anew beside the old one, and exchanged with it in one step, so that
 * indexes and signatures are of one make at every instant. What others have in it is linked into the new one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "drivers/image/publish.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "lib/signing.h"

#define NEW     ".new-v1"
#define INDEXES 2

static const char *const index_names[INDEXES] = {"index", "images"};

struct streams_file {
    const char *name, *text;
};

struct streams {
    struct publishing *publishing;
    int before, folder;           /* streams/v1, -1 where there is none; and streams */
    struct streams_file files[8]; /* as they are to be */
    size_t count;
    struct error *error;
};

/* ---- what is to be there ---- */

static void add(struct streams *streams, const char *name, const char *text)
{
    streams->files[streams->count++] = (struct streams_file){name, text};
}

static const char *read_file(const struct streams *streams, const char *name)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct error unused;
    if (streams->before < 0 || publish_read(streams->before, name, &text, &unused) < 0)
        return NULL;
    return arena_strndup(streams->publishing->call->arena, text.length ? text.bytes : "", text.length);
}

static int sign_by_key(struct streams *streams, const char *name, const char *text)
{
    const struct publishing *publishing = streams->publishing;
    struct arena *arena = publishing->call->arena;
    const char *comment = arena_printf(arena, "file:%s\thashed", name);
    const char *minisign =
        signing_minisign(publishing->key, arena, text, strlen(text), comment, streams->error);
    const char *signify =
        minisign ? signing_signify(publishing->key, arena, text, strlen(text), streams->error) : NULL;
    if (!signify)
        return streams->error->code;
    add(streams, arena_printf(arena, "%s.minisig", name), minisign);
    add(streams, arena_printf(arena, "%s.sig", name), signify);
    return 0;
}

/* GPG never signs the same text in the same way twice: one that is there stays. */
static int sign_by_gpg(struct streams *streams, const char *index, const char *text, bool is_same)
{
    const struct publishing *publishing = streams->publishing;
    struct arena *arena = publishing->call->arena;
    const char *name = arena_printf(arena, "%s.sjson", index);
    const char *before = is_same ? read_file(streams, name) : NULL;
    if (before) {
        add(streams, name, before);
        return 0;
    }
    _cleanup_buffer_ struct buffer plain = {0}, out = {0};
    buffer_text(&plain, text);
    int result = publish_gpg(publishing, &plain, &out, streams->error);
    if (result == 0)
        add(streams, name, arena_strndup(arena, out.bytes, out.length));
    return result;
}

static int add_index(struct streams *streams, const char *index, const struct json *document,
                     const char *before)
{
    const struct publishing *publishing = streams->publishing;
    struct arena *arena = publishing->call->arena;
    _cleanup_buffer_ struct buffer text = {0};
    const char *name = arena_printf(arena, "%s.json", index);
    if (before)
        buffer_text(&text, before);
    else
        json_print(document, true, &text);
    add(streams, name, arena_strdup(arena, text.bytes));
    int result = publishing->key ? sign_by_key(streams, name, text.bytes) : 0;
    return result == 0 && publishing->request->gpg ? sign_by_gpg(streams, index, text.bytes, before != NULL)
                                                   : result;
}

static bool is_as_meant(const struct streams *streams)
{
    for (size_t i = 0; i < streams->count; i++)
        if (!text_is_same(read_file(streams, streams->files[i].name), streams->files[i].text))
            return false;
    return true;
}

/* ---- how it gets there ---- */

static bool is_ours(const struct streams *streams, const char *name)
{
    for (size_t i = 0; i < streams->count; i++)
        if (strcmp(streams->files[i].name, name) == 0)
            return true;
    return false;
}

static int link_others(const struct streams *streams, int to)
{
    int copy = streams->before < 0 ? -1 : openat(streams->before, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    int result = 0;
    if (streams->before >= 0 && !directory)
        return error_errno(streams->error, -errno, PUBLISH_STREAMS);
    for (struct dirent *item; directory && result == 0 && (item = readdir(directory));) {
        struct stat status;
        const char *name = item->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || is_ours(streams, name))
            continue;
        if (fstatat(streams->before, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
            result = error_set(streams->error, -EEXIST, PUBLISH_STREAMS "/%s is no file", name);
        else if (linkat(streams->before, name, to, name, 0) < 0)
            result = error_errno(streams->error, -errno, PUBLISH_STREAMS "/%s", name);
    }
    if (directory)
        closedir(directory);
    return result;
}

static int fill(const struct streams *streams)
{
    struct stat status;
    if (mkdirat(streams->folder, NEW, 0755) < 0)
        return error_errno(streams->error, -errno, "streams/" NEW);
    _cleanup_close_ int to = openat(streams->folder, NEW, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (to < 0)
        return error_errno(streams->error, -errno, "streams/" NEW);
    if (streams->before >= 0 && fstat(streams->before, &status) == 0 &&
        (fchown(to, status.st_uid, status.st_gid) < 0 || fchmod(to, status.st_mode & 07777) < 0))
        return error_errno(streams->error, -errno, "streams/" NEW);
    int result = link_others(streams, to);
    for (size_t i = 0; i < streams->count && result == 0; i++)
        result = publish_write(to, streams->files[i].name, streams->files[i].text,
                               strlen(streams->files[i].text), streams->error);
    return result == 0 && fsync(to) < 0 ? error_errno(streams->error, -errno, "streams/" NEW) : result;
}

static int show(const struct streams *streams)
{
    const unsigned flags = streams->before < 0 ? RENAME_NOREPLACE : RENAME_EXCHANGE;
    if (renameat2(streams->folder, NEW, streams->folder, "v1", flags) < 0)
        return error_errno(streams->error, -errno, "cannot put the new " PUBLISH_STREAMS " into its place");
    return fsync(streams->folder) < 0 ? error_errno(streams->error, -errno, "streams") : 0;
}

static int make(struct streams *streams)
{
    const struct publishing *publishing = streams->publishing;
    int result = add_index(streams, "index", publishing->index, publishing->index_text);
    if (result == 0)
        result = add_index(streams, "images", publishing->images, publishing->images_text);
    if (result == 0) /* before anything is compared: what a crash has left */
        result = tree_remove(streams->folder, NEW, streams->error);
    if (result < 0 || is_as_meant(streams))
        return result;
    streams->publishing->changed = true;
    result = fill(streams);
    if (result == 0)
        result = show(streams);
    return result == 0 ? tree_remove(streams->folder, NEW, streams->error) : result;
}

int publish_streams(struct publishing *publishing, struct error *error)
{
    _cleanup_close_ int folder = publish_folder(publishing->tree, "streams", true, error);
    if (folder < 0)
        return folder;
    _cleanup_close_ int before = openat(folder, "v1", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (before < 0 && errno != ENOENT)
        return error_errno(error, -errno, PUBLISH_STREAMS);
    struct streams streams = {.publishing = publishing, .before = before, .folder = folder, .error = error};
    return make(&streams);
}

/* ---- signed before ---- */

static int check_one(const struct streams *streams, const char *name, bool by_gpg)
{
    const struct publishing *publishing = streams->publishing;
    const char *text = read_file(streams, name);
    if (!text)
        return 0;
    if (by_gpg ? !publishing->request->gpg : !publishing->key)
        return error_set(streams->error, -EPERM,
                         "the tree is signed (" PUBLISH_STREAMS
                         "/%s), and would not be any more: publish with %s",
                         name, by_gpg ? "--gpg" : "--key");
    if (!by_gpg && !signing_key_is_of(publishing->key, text))
        return error_set(streams->error, -EPERM,
                         "the tree is signed with another key (" PUBLISH_STREAMS
                         "/%s): whoever has that key pinned would not read it any more",
                         name);
    return 0;
}

int publish_check_signed(const struct publishing *publishing, struct error *error)
{
    static const char *const endings[] = {".json.minisig", ".json.sig", ".sjson"};
    struct error unused;
    _cleanup_close_ int before = publish_folder(publishing->tree, PUBLISH_STREAMS, false, &unused);
    const struct streams streams = {
        .publishing = (struct publishing *)publishing, .before = before, .error = error};
    int result = 0;
    for (size_t i = 0; i < INDEXES * 3 && result == 0; i++)
        result = check_one(&streams,
                           arena_printf(publishing->call->arena, "%s%s", index_names[i / 3], endings[i % 3]),
                           i % 3 == 2);
    return result;
}
