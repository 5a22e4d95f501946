/* What a registry wants to know of who asks, between NULs: auth.json, the WWW-Authenticate of its 401, and what the server
 * of tokens that it sends us to answers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/image/oci_auth.h"
#include "lib/error.h"
#include "tests/fuzz/folder.h"
#include "tests/fuzz/parts.h"

static struct bytes token;

static void check_line(const char *text)
{
    for (const char *at = text; *at; at++)
        MUST(*at >= 0x20 && *at < 0x7f);
}

/* In the place of drivers/image/remote.c. */
int remote_get(const struct remote_request *request, const struct call *call, struct remote_answer *answer,
               struct buffer *body, struct error *error)
{
    (void)call;
    (void)error;
    MUST(strncmp(request->url, "https://", 8) == 0 && !strchr(request->url, ' ') && request->guarded);
    check_line(request->url);
    for (const char *const *header = request->headers; header && *header; header++)
        check_line(*header);
    *answer = (struct remote_answer){.status = 200, .type = "", .challenge = "", .version = ""};
    buffer_add(body, token.data, token.size);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static char path[64];
    static const struct oci_name name = {.host = "registry.example:5000", .path = "team/app", .tag = "1"};
    const struct remote_request first = {.url = "https://registry.example:5000/v2/team/app/manifests/1"};
    _cleanup_arena_ struct arena *arena = arena_new();
    const struct call call = {.arena = arena, .cancel = -1};
    struct error error = {0};
    if (!*path) {
        snprintf(path, sizeof(path), "%s/auth.json", fuzz_folder());
        setenv("REGISTRY_AUTH_FILE", path, 1);
    }
    const struct paths paths = {.conf = "/nowhere/fpsync.conf"};
    const struct bytes file = fuzz_part(&data, &size), challenge = fuzz_part(&data, &size);
    token = fuzz_part(&data, &size);
    fuzz_write("auth.json", file.data, file.size);
    const struct remote_answer refused = {
        .status = 401, .challenge = arena_strndup(arena, challenge.data, challenge.size), .is_public = true};
    const char *header = oci_authorize(&paths, &name, &first, &refused, &call, &error);
    MUST((header == NULL) == (error.code < 0));
    if (header)
        check_line(header);
    return 0;
}
