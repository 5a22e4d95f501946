/* The word `resolve`: the request is read, the sandbox entered, and only then is the index looked at. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/fetch/fetch.h"
#include "drivers/image/fetch/get.h"
#include "drivers/image/fetch/resolve.h"
#include "lib/error.h"

#define REQUEST_LIMIT ((size_t)64 << 10)
#define INDEX_LIMIT   ((size_t)64 << 20)

static struct json *answer(const struct json *request, struct error *error)
{
    _cleanup_json_ struct json *index = NULL;
    const char *want = json_as_text(json_get(request, "want"));
    const char *alias = json_as_text(json_get(request, "alias")),
               *arch = json_as_text(json_get(request, "arch"));
    int result = request_read(TARGET_FD, INDEX_LIMIT, &index, error);
    if (result < 0)
        return NULL;
    if (want && strcmp(want, "products") == 0)
        return resolve_products(index, error);
    if (want && arch && strcmp(want, "list") == 0)
        return resolve_list(index, arch, json_get(request, "words"), say_object, error);
    if (want && alias && arch && strcmp(want, "recipe") == 0)
        return resolve_recipe(index, alias, arch, json_as_text(json_get(request, "fingerprint")), error);
    if (want && alias && arch)
        return resolve_image(index, alias, arch, json_as_text(json_get(request, "fingerprint")), error);
    error_set(error, -EINVAL, "the request asks for nothing");
    return NULL;
}

int resolve_main(void)
{
    _cleanup_json_ struct json *request = NULL;
    struct error error = {0};
    int result = request_read(STDIN_FILENO, REQUEST_LIMIT, &request, &error);
    if (result == 0)
        result = reading_sandbox_enter(&error);
    struct json *line = result < 0 ? NULL : answer(request, &error);
    if (!line) {
        line = json_new_object();
        json_set(line, "error", json_new_text(error.text));
        json_set(line, "code", json_new_number(-error.code));
    }
    say_object(line);
    _exit(error.code < 0);
}
