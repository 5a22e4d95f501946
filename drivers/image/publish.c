/* See publish.h: the order of it all. */
#include "drivers/image/publish.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "lib/error.h"
#include "lib/json.h"
#include "lib/signing.h"
#include "specs/image_config.h"

#define TIME_LIMIT INT64_C(253402300799) /* the last second of the year 9999 */

static bool is_word(const char *text, const char *letters, size_t limit)
{
    const size_t length = text ? strlen(text) : 0;
    return length && length <= limit && strspn(text, letters) == length;
}

static int read_time(struct publishing *publishing, struct error *error)
{
    const char *text = publishing->request->time;
    publishing->time = text ? strtoll(text, NULL, 10) : (int64_t)time(NULL);
    if ((text && !is_word(text, "0123456789", 12)) || publishing->time < 0 || publishing->time > TIME_LIMIT)
        return error_set(error, -EINVAL, "SOURCE_DATE_EPOCH: expected seconds since 1970, found '%s'",
                         text ? text : "");
    return 0;
}

/* All of it becomes a part of a path or an index. */
static int check(struct publishing *publishing, struct error *error)
{
    static const char small[] = "abcdefghijklmnopqrstuvwxyz0123456789-", hex[] = "0123456789abcdef";
    const struct image_publish *request = publishing->request;
    if (!is_word(request->name, small, 62) || *request->name == '-')
        return error_set(error, -EINVAL, "\"%s\" is not a name", request->name);
    if (!is_word(request->arch, small, 16))
        return error_set(error, -EINVAL, "\"%s\" is not an architecture", request->arch);
    if (!is_word(request->digest, hex, 64) || strlen(request->digest) != 64)
        return error_set(error, -EINVAL, "\"%s\" is not the digest of an image", request->digest);
    if (*request->path != '/')
        return error_set(error, -EINVAL, "\"%s\" is not an absolute path", request->path);
    if (strcmp(request->format, "squashfs") != 0 && strcmp(request->format, "tar.xz") != 0)
        return error_set(error, -EINVAL, "\"%s\" is neither squashfs nor tar.xz", request->format);
    if (request->keep < 1)
        return error_set(error, -EINVAL, "at least one version is kept");
    return read_time(publishing, error);
}

static int read_config(struct publishing *publishing, struct error *error)
{
    char path[PATH_MAX];
    _cleanup_buffer_ struct buffer text = {0};
    struct arena *arena = publishing->call->arena;
    snprintf(path, sizeof(path), "%s/%s/config", publishing->paths->images, publishing->request->digest);
    int result =
        access(path, F_OK) < 0 ? 0 : buffer_read_file(&text, AT_FDCWD, path, IMAGE_CONFIG_SIZE, error);
    if (result < 0)
        return result;
    publishing->config_text = text.length ? arena_strndup(arena, text.bytes, text.length) : NULL;
    return image_config_parse(arena, publishing->config_text, &publishing->config, error);
}

static int make(struct publishing *publishing, struct error *error)
{
    int result = publish_read_index(publishing, error);
    if (result == 0)
        result = publish_check_signed(publishing, error);
    if (result == 0)
        result = publish_choose_version(publishing, error);
    if (result < 0)
        return result;
    if (!publishing->is_there) {
        result = publish_files(publishing, error);
        if (result < 0)
            return result;
        publish_add_version(publishing);
    }
    result = publish_streams(publishing, error);
    if (result == 0)
        result = publish_lists(publishing, error);
    return result == 0 ? publish_clean(publishing, error) : result;
}

static int publish(struct publishing *publishing, struct error *error)
{
    int result = check(publishing, error);
    if (result == 0)
        result = read_config(publishing, error);
    if (result == 0 && publishing->request->key)
        result = signing_key_read(publishing->request->key, &publishing->key, error);
    if (result == 0)
        result = publish_open(publishing, error);
    return result == 0 ? make(publishing, error) : result;
}

static void tell(const struct publishing *publishing, struct image_published *published)
{
    published->version = publishing->version;
    published->changed = publishing->changed;
    for (size_t i = 0; i < publishing->count; i++)
        published->bytes += publishing->items[i].size;
}

int image_publish(const struct paths *paths, const struct image_publish *request, const struct call *call,
                  struct image_published *published, struct error *error)
{
    struct publishing publishing = {.paths = paths, .request = request, .call = call, .tree = -1};
    int result = publish(&publishing, error);
    if (result == 0)
        tell(&publishing, published);
    signing_key_free(publishing.key);
    json_free(publishing.index);
    json_free(publishing.images);
    cleanup_close(&publishing.tree);
    return result < 0 ? error_wrap(error, result, "image %s", request->name) : 0;
}
