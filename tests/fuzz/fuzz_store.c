/* An image server, from its first index to what would be fetched of it: between NULs index.json, the list of images, and,
 * where it is not left out, what fpsync-fetch says instead of what it found there. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "drivers/image/fetch/get.h"
#include "drivers/image/fetch/resolve.h"
#include "drivers/image/image.h"
#include "drivers/image/program.h"
#include "drivers/image/remote.h"
#include "drivers/image/streams.h"
#include "drivers/lines.h"
#include "lib/error.h"
#include "tests/fuzz/parts.h"

#define SERVER "https://images.example"
#define LIMIT  ((int64_t)1 << 30)

static struct bytes first, list, said;
static struct lines lines;

static void check_url(const char *url)
{
    MUST(strncmp(url, SERVER "/", strlen(SERVER "/")) == 0);
    for (const char *at = url; *at; at++)
        MUST(*at > 0x20 && *at < 0x7f && !strchr("\"<>\\^`{|}#?%", *at));
    for (const char *slash = strchr(url + strlen(SERVER), '/'); slash; slash = strchr(slash + 1, '/'))
        MUST(slash[1] && slash[1] != '/' && strncmp(slash, "/../", 4) != 0 && strcmp(slash, "/..") != 0);
}

/* In the place of drivers/image/remote.c. */
int remote_get(const struct remote_request *request, const struct call *call, struct remote_answer *answer,
               struct buffer *body, struct error *error)
{
    const struct bytes *part = strcmp(request->url, SERVER "/streams/v1/index.json") == 0 ? &first : &list;
    (void)call;
    (void)error;
    check_url(request->url);
    *answer = (struct remote_answer){.status = 200, .type = "", .challenge = "", .version = ""};
    buffer_add(body, part->data, part->size);
    return 0;
}

static void say(struct json *line)
{
    _cleanup_buffer_ struct buffer text = {0};
    json_print(line, false, &text);
    MUST(text.length < LINE_SIZE); /* else it is two, and neither is JSON */
    lines_take(&lines, text.bytes, text.length);
    lines_end(&lines);
    json_free(line);
}

static struct json *answer(const struct json *question, const struct json *index, struct error *error)
{
    const char *want = json_as_text(json_get(question, "want")),
               *alias = json_as_text(json_get(question, "alias")),
               *arch = json_as_text(json_get(question, "arch"));
    if (strcmp(want, "products") == 0)
        return resolve_products(index, error);
    if (strcmp(want, "list") == 0)
        return resolve_list(index, arch, json_get(question, "words"), say, error);
    return strcmp(want, "recipe") == 0 ? resolve_recipe(index, alias, arch, NULL, error)
                                       : resolve_image(index, alias, arch, NULL, error);
}

/* In the place of drivers/image/program.c: the word `resolve`, without its sandbox. */
int program_run(const struct program *program, const struct call *call, struct error *error)
{
    _cleanup_json_ struct json *question = NULL, *index = NULL;
    struct error own = {0};
    (void)call;
    (void)error;
    lines = (struct lines){.line = program->line, .context = program->context};
    if (said.size) {
        lines_take(&lines, (const char *)said.data, said.size);
        lines_end(&lines);
        return 0;
    }
    MUST(request_read(program->input, 1 << 16, &question, &own) == 0);
    struct json *line =
        request_read(program->target, 1 << 20, &index, &own) < 0 ? NULL : answer(question, index, &own);
    if (!line) {
        line = json_new_object();
        json_set(line, "error", json_new_text(own.text));
    }
    say(line);
    return own.code < 0;
}

static void check_item(const struct stream_item *item)
{
    if (!item->url)
        return;
    check_url(item->url);
    MUST(strlen(item->digest) == 64 && strspn(item->digest, "0123456789abcdef") == 64);
    MUST(item->size > 0 && item->size <= LIMIT);
}

static void resolve_it(struct image_make *request, struct arena *arena)
{
    const struct call call = {.arena = arena, .cancel = -1};
    struct stream_image image = {0};
    struct error error = {0};
    int result = streams_resolve(request, &call, &image, &error);
    MUST(result == 0 || error.code < 0);
    if (result < 0 && streams_resolve_recipe(request, &call, &image, &(struct error){0}) < 0)
        return;
    MUST(image.whole.url || image.recipe.url || (image.metadata.url && image.root.url));
    check_item(&image.whole);
    check_item(&image.metadata);
    check_item(&image.root);
    check_item(&image.recipe);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const sources[] = {"store:app", "store:debian/12"};
    static struct remote remote = {.name = "store", .url = SERVER, .protocol = "simplestreams"};
    static struct downloads downloads = {.size = LIMIT};
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct call call = {.arena = arena, .cancel = -1};
    struct error error = {0};
    int64_t more;
    first = fuzz_part(&data, &size);
    list = fuzz_part(&data, &size);
    said = fuzz_part(&data, &size);
    for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
        struct image_make request = {
            .source = sources[i], .remote = &remote, .downloads = &downloads, .arch = "amd64"};
        resolve_it(&request, arena);
    }
    struct image_make request = {
        .source = "store:", .remote = &remote, .downloads = &downloads, .arch = "amd64"};
    struct json *products = streams_list(&request, &(struct texts){0}, &call, &more, &error);
    MUST(products || error.code < 0);
    json_free(products);
    return 0;
}
