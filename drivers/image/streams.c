/* From an alias to files, by `fpsync-fetch resolve`, which reads the server's index in a sandbox. What it says is as much
 * a stranger's word as the index was: paths, digests and sizes are checked here, before they are used. */
#include "drivers/image/streams.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "drivers/image/image.h"
#include "drivers/image/program.h"
#include "drivers/image/streams_index.h"
#include "drivers/storage/beside.h"
#include "lib/error.h"
#include "lib/json.h"

#define FIRST_INDEX  "streams/v1/index.json"
#define PATH_LENGTH  1024
#define LISTS_LIMIT  16
#define VERSION_SIZE 64

/* ---- asking ---- */

struct hearing {
    struct json *answer;   /* the last line that is JSON and tells of no product */
    struct json *products; /* array that takes those; NULL */
    char last[256];
};

static void hear(void *context, const char *line)
{
    struct hearing *hearing = context;
    struct json *said;
    if (json_parse(line, strlen(line), &said, NULL) < 0) {
        snprintf(hearing->last, sizeof(hearing->last), "%s", line);
        return;
    }
    struct json *product = hearing->products ? json_get(said, "product") : NULL;
    if (product) {
        json_append(hearing->products, json_clone(product));
        json_free(said);
        return;
    }
    json_free(hearing->answer);
    hearing->answer = said;
}

static int question_file(const struct json *question, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    json_print(question, false, &text);
    _cleanup_close_ int file = memfd_create("question", MFD_CLOEXEC);
    int result = file < 0 ? -errno : bytes_write(file, text.bytes, text.length);
    if (result < 0 || lseek(file, 0, SEEK_SET) < 0)
        return error_errno(error, result < 0 ? result : -errno, "cannot write the question");
    return TAKE_FD(file);
}

/* The answer to the question about the index in `file`; NULL after an error. `products`: takes those that are told of. */
static struct json *ask(const struct json *question, int file, const char *path, const struct call *call,
                        struct json *products, struct error *error)
{
    char program[PATH_MAX];
    if (program_beside("fpsync-fetch", program, sizeof(program), error) < 0)
        return NULL;
    _cleanup_close_ int input = question_file(question, error);
    if (input < 0)
        return NULL;
    char *const arguments[] = {program, (char[]){"resolve"}, NULL};
    struct hearing hearing = {.products = products, .last = ""};
    const struct program run = {
        .arguments = arguments, .input = input, .target = file, .line = hear, .context = &hearing};
    int result = program_run(&run, call, error);
    const char *text = json_as_text(json_get(hearing.answer, "error"));
    if (result >= 0 && text)
        error_set(error, -EBADMSG, "%s: %s", path, text);
    else if (result >= 0 && !hearing.answer)
        error_set(error, -EIO, "%s: fpsync-fetch ended with status %d and no result %s", path, result,
                  hearing.last);
    if (result < 0 || text) {
        json_free(hearing.answer);
        return NULL;
    }
    return hearing.answer;
}

/* ---- checking ---- */

/* Below the server's root, whatever it says: no scheme, no host, no way up; nothing that a URL would read otherwise. */
static bool path_is_fine(const char *path)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:+~@=,/-";
    if (!path || !*path || strlen(path) > PATH_LENGTH || path[strspn(path, letters)])
        return false;
    for (const char *at = path;; at++) {
        size_t length = strcspn(at, "/");
        if (!length || strspn(at, ".") == length || (at == path && memchr(at, ':', length)))
            return false;
        at += length;
        if (!*at)
            return true;
    }
}

static bool digest_is_fine(const char *digest)
{
    return digest && strlen(digest) == DIGEST_TEXT_SIZE - 1 &&
           strspn(digest, "0123456789abcdef") == DIGEST_TEXT_SIZE - 1;
}

static bool version_is_fine(const char *version)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._:+~-";
    return version && *version && strlen(version) < VERSION_SIZE && !version[strspn(version, letters)];
}

static int take_item(const struct image_make *request, const struct json *item, struct arena *arena,
                     struct stream_image *image, struct error *error)
{
    const char *role = json_as_text(json_get(item, "role")), *path = json_as_text(json_get(item, "path")),
               *digest = json_as_text(json_get(item, "sha256"));
    struct stream_item *to = !role                           ? NULL
                             : strcmp(role, "image") == 0    ? &image->whole
                             : strcmp(role, "metadata") == 0 ? &image->metadata
                             : strcmp(role, "root") == 0     ? &image->root
                             : strcmp(role, "recipe") == 0   ? &image->recipe
                                                             : NULL;
    const int64_t size = json_as_number(json_get(item, "size"), -1);
    if (!to)
        return 0;
    if (!path_is_fine(path))
        return error_set(error, -EBADMSG,
                         "the index of remote %s names the file \"%.200s\", which is no path below it",
                         request->remote->name, path ? path : "");
    if (!digest_is_fine(digest))
        return error_set(error, -EBADMSG, "the index of remote %s names no sha256 of %s: \"%.80s\"",
                         request->remote->name, path, digest ? digest : "");
    if (size <= 0 || size > request->downloads->size)
        return error_set(error, -EFBIG,
                         "%s has %lld bytes by the index of remote %s: from 1 to %lld are allowed", path,
                         (long long)size, request->remote->name, (long long)request->downloads->size);
    *to = (struct stream_item){.url = arena_printf(arena, "%s/%s", request->remote->url, path),
                               .digest = arena_strdup(arena, digest),
                               .size = size};
    return 0;
}

static int take_image(const struct image_make *request, const struct json *answer, struct arena *arena,
                      struct stream_image *image, struct error *error)
{
    const struct json *items = json_get(answer, "items");
    const char *version = json_as_text(json_get(answer, "version")),
               *fingerprint = json_as_text(json_get(answer, "fingerprint"));
    if (!version_is_fine(version))
        return error_set(error, -EBADMSG, "the index of remote %s names a version that is none",
                         request->remote->name);
    if (fingerprint && *fingerprint && !digest_is_fine(fingerprint))
        return error_set(error, -EBADMSG, "the index of remote %s names a fingerprint that is none",
                         request->remote->name);
    image->version = arena_strdup(arena, version);
    image->fingerprint = arena_strdup(arena, fingerprint ? fingerprint : "");
    for (size_t i = 0; i < json_length(items); i++) {
        int result = take_item(request, json_at(items, i), arena, image, error);
        if (result < 0)
            return result;
    }
    return image->whole.url || image->recipe.url || (image->metadata.url && image->root.url)
               ? 0
               : error_set(error, -EBADMSG, "the index of remote %s names no files", request->remote->name);
}

/* A server that goes back, or somebody between us who plays an old index again (S10). Versions are dates. */
static int check_not_older(const struct image_make *request, const struct stream_image *image,
                           struct error *error)
{
    char version[VERSION_SIZE], fingerprint[DIGEST_TEXT_SIZE];
    if (request->pin || !request->origin ||
        sscanf(request->origin, "%63s sha256:%64s", version, fingerprint) != 2)
        return 0;
    int order = strcmp(image->version, version);
    if (order < 0)
        return error_set(
            error, -EPERM,
            "%s: the newest version of the server is %s, older than %s, which was here before; an image "
            "that is meant to go back needs digest: \"sha256:...\"",
            request->source, image->version, version);
    if (order == 0 && *image->fingerprint && strcmp(image->fingerprint, fingerprint) != 0)
        return error_set(error, -EPERM,
                         "%s: version %s of the server is another one than the one that was here before",
                         request->source, version);
    return 0;
}

/* ---- the way through ---- */

const char *streams_machine(const struct image_make *request, struct arena *arena)
{
    static const struct {
        const char *kernel, *debian;
    } names[] = {{"x86_64", "amd64"}, {"aarch64", "arm64"}};
    struct utsname name;
    if (request->arch)
        return request->arch;
    if (uname(&name) < 0)
        return "unknown";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(names[i].kernel, name.machine) == 0)
            return names[i].debian;
    return arena_strdup(arena, name.machine);
}

static struct json *image_question(const struct image_make *request, const char *want, struct arena *arena)
{
    struct json *question = json_new_object();
    json_set(question, "want", json_new_text(want));
    json_set(question, "alias", json_new_text(strchr(request->source, ':') + 1));
    json_set(question, "arch", json_new_text(streams_machine(request, arena)));
    if (request->pin)
        json_set(question, "fingerprint", json_new_text(request->pin + strlen("sha256:")));
    return question;
}

static int look_into(const struct image_make *request, const char *want, const char *path,
                     const struct call *call, struct stream_image *image, struct error *error)
{
    _cleanup_json_ struct json *question = image_question(request, want, call->arena);
    int file = -1;
    int result = streams_index(request, path, call, &image->is_public, &file, error);
    if (result < 0)
        return result;
    _cleanup_close_ int index = file;
    _cleanup_json_ struct json *answer = ask(question, index, path, call, NULL, error);
    if (!answer)
        return error->code;
    const char *none = json_as_text(json_get(answer, "none"));
    return none ? error_set(error, -ENOENT, "%s: %s", request->source, none)
                : take_image(request, answer, call->arena, image, error);
}

static struct json *ask_for_lists(const struct image_make *request, const struct call *call, bool *is_public,
                                  struct error *error)
{
    _cleanup_json_ struct json *question = json_new_object();
    int file = -1;
    json_set(question, "want", json_new_text("products"));
    if (streams_index(request, FIRST_INDEX, call, is_public, &file, error) < 0)
        return NULL;
    _cleanup_close_ int index = file;
    return ask(question, index, FIRST_INDEX, call, NULL, error);
}

/* Of the lists that the server's first index names, as long as `look` answers -ENOENT. */
static int each_list(const struct image_make *request, const struct call *call, bool *is_public,
                     int (*look)(void *context, const char *path, struct error *error), void *context,
                     struct error *error)
{
    _cleanup_json_ struct json *lists = ask_for_lists(request, call, is_public, error);
    const struct json *paths = json_get(lists, "paths");
    int result =
        lists ? error_set(error, -ENOENT, "%s: the server lists no images", request->source) : error->code;
    for (size_t i = 0; lists && i < json_length(paths) && i < LISTS_LIMIT && result == -ENOENT; i++) {
        const char *path = json_as_text(json_at(paths, i));
        if (!path_is_fine(path))
            return error_set(error, -EBADMSG,
                             "the index of remote %s names the list \"%.200s\", which is no path below it",
                             request->remote->name, path ? path : "");
        result = look(context, path, error);
    }
    return result;
}

struct looking {
    const struct image_make *request;
    const char *want;
    const struct call *call;
    struct stream_image *image;
    const struct texts *words;
    struct json *products;
    int64_t more;
    bool found;
};

static int look_for_image(void *context, const char *path, struct error *error)
{
    struct looking *looking = context;
    return look_into(looking->request, looking->want, path, looking->call, looking->image, error);
}

static int resolve(const char *want, const struct image_make *request, const struct call *call,
                   struct stream_image *image, struct error *error)
{
    *image = (struct stream_image){0};
    struct looking looking = {.request = request, .want = want, .call = call, .image = image};
    int result = each_list(request, call, &image->is_public, look_for_image, &looking, error);
    return result < 0 ? result : check_not_older(request, image, error);
}

int streams_resolve(const struct image_make *request, const struct call *call, struct stream_image *image,
                    struct error *error)
{
    return resolve("image", request, call, image, error);
}

int streams_resolve_recipe(const struct image_make *request, const struct call *call,
                           struct stream_image *image, struct error *error)
{
    return resolve("recipe", request, call, image, error);
}

/* ---- lists ---- */

static int look_for_all(void *context, const char *path, struct error *error)
{
    struct looking *looking = context;
    const struct image_make *request = looking->request;
    _cleanup_json_ struct json *question = json_new_object();
    bool is_public;
    int file = -1;
    json_set(question, "want", json_new_text("list"));
    json_set(question, "arch", json_new_text(streams_machine(request, looking->call->arena)));
    struct json *words = json_set(question, "words", json_new_array());
    for (size_t i = 0; i < looking->words->count; i++)
        json_append(words, json_new_text(looking->words->items[i]));
    int result = streams_index(request, path, looking->call, &is_public, &file, error);
    if (result < 0)
        return result;
    _cleanup_close_ int index = file;
    _cleanup_json_ struct json *answer = ask(question, index, path, looking->call, looking->products, error);
    if (!answer)
        return error->code;
    looking->more += json_as_number(json_get(answer, "more"), 0);
    looking->found = true;
    return -ENOENT; /* the next one may have more */
}

struct json *streams_list(const struct image_make *request, const struct texts *words,
                          const struct call *call, int64_t *more, struct error *error)
{
    struct looking looking = {.request = request, .call = call, .words = words, .products = json_new_array()};
    bool is_public;
    int result = each_list(request, call, &is_public, look_for_all, &looking, error);
    *more = looking.more;
    if (result == -ENOENT && looking.found)
        return looking.products;
    json_free(looking.products);
    return NULL;
}
