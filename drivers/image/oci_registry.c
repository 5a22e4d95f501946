/* Images out of registries (distribution-spec, pull): the same documents and blobs as in a layout, by their digests, from a
 * server. Layers go through downloads/, so that what was cut off goes on. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "drivers/image/make.h"
#include "drivers/image/oci.h"
#include "drivers/image/oci_auth.h"
#include "drivers/image/store.h"
#include "lib/arena.h"
#include "lib/error.h"
#include "lib/json.h"
#include "lib/machine.h"
#include "specs/remote.h"

struct registry {
    struct fetching *fetching;
    const struct oci_name *name;
    const struct remote *remote; /* NULL: the source names the host */
    const char *base;            /* "https://HOST/v2/PATH" */
    const char *authorization;   /* header; NULL: not asked for yet */
    struct oci_descriptor first; /* what the tag or digest led to */
    int document;                /* that, in memory */
};

static const char accept[] = "Accept: application/vnd.oci.image.index.v1+json, "
                             "application/vnd.docker.distribution.manifest.list.v2+json, "
                             "application/vnd.oci.image.manifest.v1+json, "
                             "application/vnd.docker.distribution.manifest.v2+json";

struct asking {
    const char *url;
    const char *digest; /* of a blob for downloads/; NULL: into `body` */
    int64_t limit;
    struct buffer *body;
    int *file;
};

static int ask_once(struct registry *registry, const struct asking *asking, struct remote_request *request,
                    struct remote_answer *answer, struct error *error)
{
    const struct image_make *make = registry->fetching->request;
    const struct image_making *making = registry->fetching->making;
    const char *headers[3] = {accept};
    headers[1] = registry->authorization;
    *request = (struct remote_request){.url = asking->url,
                                       .headers = headers,
                                       .ca = registry->remote ? registry->remote->ca : NULL,
                                       .limit = asking->limit,
                                       .bounds = make->downloads,
                                       .offline = make->offline};
    int result = asking->digest ? remote_download(making->paths, request, asking->digest, making->call,
                                                  answer, asking->file, error)
                                : remote_get(request, making->call, answer, asking->body, error);
    request->headers = NULL;
    return result;
}

/* A 401 says what is wanted; a token may have grown old in between. */
static int ask(struct registry *registry, const struct asking *asking, struct remote_answer *answer,
               struct error *error)
{
    const struct image_making *making = registry->fetching->making;
    struct remote_request request;
    int result = ask_once(registry, asking, &request, answer, error);
    if (result != -EACCES || answer->status != 401 || !*answer->challenge)
        return result;
    const char *authorization =
        oci_authorize(making->paths, registry->name, &request, answer, making->call, error);
    if (!authorization)
        return error->code;
    registry->authorization = authorization;
    if (asking->body)
        buffer_clear(asking->body);
    return ask_once(registry, asking, &request, answer, error);
}

/* ---- documents ---- */

static int keep_in_memory(const struct buffer *body, struct error *error)
{
    _cleanup_close_ int file = memfd_create("document", MFD_CLOEXEC);
    int result = file < 0 ? -errno : bytes_write(file, body->bytes, body->length);
    if (result < 0 || lseek(file, 0, SEEK_SET) < 0)
        return error_errno(error, result < 0 ? result : -errno, "cannot make a file in memory");
    return TAKE_FD(file);
}

/* A pin is all there is, else the name decides. */
static const char *wanted(const struct registry *registry)
{
    const struct image_make *make = registry->fetching->request;
    return make->pin ? make->pin : registry->name->digest ? registry->name->digest : registry->name->tag;
}

static const char *type_of(const struct json *document, const struct remote_answer *answer,
                           struct arena *arena)
{
    const char *type = json_as_text(json_get(document, "mediaType"));
    size_t length = strcspn(answer->type, "; ");
    return type ? arena_strdup(arena, type) : arena_strndup(arena, answer->type, length);
}

static int fetch_first(struct registry *registry, struct error *error)
{
    struct arena *arena = registry->fetching->making->call->arena;
    struct remote_answer answer;
    _cleanup_buffer_ struct buffer body = {0};
    _cleanup_json_ struct json *document = NULL;
    const char *reference = wanted(registry);
    const struct asking asking = {.url = arena_printf(arena, "%s/manifests/%s", registry->base, reference),
                                  .limit = (int64_t)OCI_DOCUMENT_LIMIT,
                                  .body = &body};
    int result = ask(registry, &asking, &answer, error);
    if (result == 0)
        result = json_parse(body.bytes, body.length, &document, error);
    if (result < 0)
        return result;
    digest_of(body.bytes, body.length, registry->first.digest);
    if (strncmp(reference, "sha256:", 7) == 0 && strcmp(reference + 7, registry->first.digest) != 0)
        return error_set(error, -EBADMSG, "the registry sends another manifest than %.19s", reference);
    registry->first.size = (int64_t)body.length;
    registry->first.type = type_of(document, &answer, arena);
    registry->document = keep_in_memory(&body, error);
    return registry->document < 0 ? registry->document : 0;
}

static int fetch_document(struct registry *registry, const struct oci_descriptor *descriptor,
                          const char *kind, struct error *error)
{
    struct remote_answer answer;
    _cleanup_buffer_ struct buffer body = {0};
    const struct asking asking = {.url =
                                      arena_printf(registry->fetching->making->call->arena, "%s/%s/sha256:%s",
                                                   registry->base, kind, descriptor->digest),
                                  .limit = descriptor->size,
                                  .body = &body};
    int result = ask(registry, &asking, &answer, error);
    return result < 0 ? result : keep_in_memory(&body, error);
}

static int fetch_layer(struct registry *registry, const struct oci_descriptor *descriptor,
                       struct error *error)
{
    struct fetching *fetching = registry->fetching;
    struct arena *arena = fetching->making->call->arena;
    struct remote_answer answer;
    int file = -1;
    const struct asking asking = {
        .url = arena_printf(arena, "%s/blobs/sha256:%s", registry->base, descriptor->digest),
        .digest = descriptor->digest,
        .limit = descriptor->size,
        .file = &file};
    int result = ask(registry, &asking, &answer, error);
    if (result < 0)
        return result;
    *arena_append(arena, fetching->fetched.items, fetching->fetched.count) = asking.url;
    return file;
}

static int open_blob(void *context, const struct oci_descriptor *descriptor, struct error *error)
{
    struct registry *registry = context;
    bool manifest = oci_is_index(descriptor->type) || oci_is_manifest(descriptor->type);
    if (strcmp(descriptor->digest, registry->first.digest) == 0) {
        int copy = fcntl(registry->document, F_DUPFD_CLOEXEC, 3);
        return copy < 0 || lseek(copy, 0, SEEK_SET) < 0
                   ? error_errno(error, -errno, "cannot read the manifest")
                   : copy;
    }
    if (descriptor->size <= (int64_t)OCI_DOCUMENT_LIMIT && (manifest || oci_is_config(descriptor->type)))
        return fetch_document(registry, descriptor, manifest ? "manifests" : "blobs", error);
    return fetch_layer(registry, descriptor, error);
}

/* ---- all of it ---- */

static const char *base_of(const struct oci_name *name, const struct remote *remote, struct arena *arena)
{
    if (remote)
        return arena_printf(arena, "%s/v2/%s", remote->url, name->path);
    const char *host = strcmp(name->host, "docker.io") == 0 ? "registry-1.docker.io" : name->host;
    return arena_printf(arena, "https://%s/v2/%s", host, name->path);
}

/* "HOST/PATH:TAG", with the remote's host before what its source names. */
static const char *name_of(const char *source, const struct remote *remote, struct arena *arena)
{
    const char *name = source + strcspn(source, ":") + 1;
    if (!remote)
        return name;
    const char *host = strstr(remote->url, "://") + 3;
    return arena_printf(arena, "%.*s/%s", (int)strcspn(host, "/"), host, name);
}

/* -EINVAL where the source names nothing that a registry could have. */
static int open_registry(struct fetching *fetching, struct registry *registry, const char **text,
                         struct error *error)
{
    struct arena *arena = fetching->making->call->arena;
    const struct image_make *request = fetching->request;
    const struct remote *remote = strncmp(request->source, "oci:", 4) == 0 ? NULL : request->remote;
    *text = name_of(request->source, remote, arena);
    const struct oci_name *name = oci_name_parse(arena, *text);
    if (!name)
        return error_set(error, -EINVAL, "\"%.200s\" is not the name of an image in a registry", *text);
    *registry = (struct registry){.fetching = fetching,
                                  .name = name,
                                  .remote = remote,
                                  .base = base_of(name, remote, arena),
                                  .document = -1};
    return 0;
}

int oci_registry_make(struct fetching *fetching, struct error *error)
{
    const struct image_make *request = fetching->request;
    struct registry registry;
    const char *text;
    int result = open_registry(fetching, &registry, &text, error);
    if (result < 0)
        return result;
    const struct oci_source source = {.context = &registry,
                                      .open = open_blob,
                                      .what = text,
                                      .arch = request->arch ? request->arch : machine_architecture()};
    result = fetch_first(&registry, error);
    if (result == 0)
        result = oci_make(fetching->making, &source, registry.first, error);
    cleanup_close(&registry.document);
    if (result < 0)
        oci_told(error, error_wrap(error, result, "%s", text));
    return result;
}

int oci_registry_look(const struct paths *paths, const struct image_make *request, const struct call *call,
                      struct image_looked *looked, struct error *error)
{
    struct image_making making = NO_IMAGE_MAKING;
    struct fetching fetching = {.making = &making, .request = request};
    struct registry registry;
    const char *text;
    making.paths = paths;
    making.call = call;
    int result = open_registry(&fetching, &registry, &text, error);
    if (result < 0)
        return result;
    result = fetch_first(&registry, error);
    cleanup_close(&registry.document);
    if (result < 0)
        return oci_told(error, error_wrap(error, result, "%s", text));
    looked->origin = arena_printf(call->arena, "sha256:%s", registry.first.digest);
    return 0;
}
