#include "specs/remote.h"

#include <string.h>

#include "lib/map.h"
#include "lib/units.h"
#include "specs/forms.h"
#include "specs/oci_name.h"
#include "specs/policy.h"
#include "specs/rows.h"

static const char *const protocols[] = {"simplestreams", "oci", NULL};

static const struct field remote_rows[] = {
    {.id = 1,
     .key = "name",
     .type = FIELD_TEXT,
     .form = FORM_NAME,
     AT(remote, name),
     .flags = FIELD_REQUIRED,
     .example = "store",
     .help = "What stands before the colon of a source."},
    {.id = 2,
     .key = "url",
     .type = FIELD_TEXT,
     .form = FORM_SERVER,
     AT(remote, url),
     .flags = FIELD_REQUIRED,
     .example = "https://images.example.org",
     .help = "Address of the server's root. It is https://, or http:// where `key` or `gpg` vouches for what "
             "comes."},
    {.id = 3,
     .key = "protocol",
     .type = FIELD_TEXT,
     AT(remote, protocol),
     .standard = "simplestreams",
     .words = protocols,
     .example = "simplestreams",
     .help =
         "How it is asked: simplestreams, an image server of LXC, LXD or Incus, or what fpsync published; "
         "oci, a registry."},
    {.id = 4,
     .key = "key",
     .type = FIELD_TEXT,
     .form = FORM_KEY,
     AT(remote, key),
     .example = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3",
     .help = "Public key of minisign or signify. What lists the images must be signed with it, in a file "
             "beside it that ends in .minisig or .sig."},
    {.id = 5,
     .key = "gpg",
     .type = FIELD_TEXT,
     .form = FORM_HOST_PATH,
     AT(remote, gpg),
     .example = "/usr/share/keyrings/ubuntu-cloudimage-keyring.gpg",
     .help = "Keyring of gpgv(1), readable by all. What lists the images is taken from the .sjson files, "
             "which are "
             "signed with one of its keys."},
    {.id = 6,
     .key = "ca",
     .type = FIELD_TEXT,
     .form = FORM_HOST_PATH,
     AT(remote, ca),
     .example = "/etc/fpsync/store-ca.pem",
     .help = "Certificates (PEM) that the server is verified by, instead of the host's."},
};
const struct table remote_table = {.name = "remote",
                                   .size = sizeof(struct remote),
                                   TABLE_ROWS(remote_rows),
                                   .help = "A server that images come from."};

static const struct field downloads_rows[] = {
    {.id = 1,
     .key = "size",
     .type = FIELD_NUMBER,
     .form = FORM_SIZE,
     AT(downloads, size),
     .standard = "16GiB",
     .minimum = 1,
     .maximum = (int64_t)1 << 40,
     .example = "4GiB",
     .help = "How large one file may be."},
    {.id = 2,
     .key = "stall",
     .type = FIELD_NUMBER,
     .form = FORM_DURATION,
     AT(downloads, stall),
     .standard = "30s",
     .minimum = 1000,
     .maximum = 3600 * 1000,
     .example = "10s",
     .help = "A download that brings less than a KiB a second on average for so long has failed."},
    {.id = 3,
     .key = "tries",
     .type = FIELD_NUMBER,
     AT(downloads, tries),
     .standard = "4",
     .minimum = 0,
     .maximum = 20,
     .example = "10",
     .help =
         "How often a failure that may pass is tried again, after 0.5 s and then twice as long each time."},
    {.id = 4,
     .key = "ca",
     .type = FIELD_TEXT,
     .form = FORM_HOST_PATH,
     AT(downloads, ca),
     .example = "/etc/fpsync/ca.pem",
     .help = "Certificates (PEM) that servers are verified by, instead of the host's; a remote may have its "
             "own."},
    {.id = 5,
     .key = "crl",
     .type = FIELD_TEXT,
     .form = FORM_HOST_PATH,
     AT(downloads, crl),
     .example = "/etc/fpsync/crl.pem",
     .help =
         "Revocation lists (PEM) of the authorities that vouch for servers, each signed by its own; one that "
         "is out of date counts all the same. A server whose certificate is in one is refused. Without it "
         "nothing is looked up: a revoked certificate passes until it expires."},
};
const struct table downloads_table = {.name = "downloads",
                                      .size = sizeof(struct downloads),
                                      TABLE_ROWS(downloads_rows),
                                      .help = "Bounds of what is fetched from servers."};

static const struct remote *preset(const char *name, struct arena *arena)
{
    if (strcmp(name, "images") != 0)
        return NULL;
    struct remote *remote = described_new(arena, &remote_table);
    remote->name = "images";
    remote->url = "https://images.linuxcontainers.org";
    return described_whole(&remote_table, remote);
}

const struct remote *remote_find(const struct policy *policy, const char *name, struct arena *arena)
{
    const struct remote *remote = policy ? list_find(&policy->remotes, &remote_table, name) : NULL;
    return remote ? remote : preset(name, arena);
}

/* What may stand before the colon of a source; what docker has there is another word of the same. */
static const char *nearest_scheme(const struct policy *policy, const char *name, bool image,
                                  struct arena *arena)
{
    static const char *const kinds[] = {"bootstrap", "file", "oci", "oci-layout", "docker"};
    _cleanup_map_ struct map known = {0};
    for (size_t i = 0; image && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        map_add(&known, kinds[i], &known);
    map_add(&known, "images", &known); /* the preset one */
    for (size_t i = 0; policy && i < policy->remotes.count; i++)
        map_add(&known, ((const struct remote *)policy->remotes.items[i])->name, &known);
    const char *near = map_nearest(&known, name);
    return near && strcmp(near, "docker") == 0 ? "oci" : arena_strdup(arena, near);
}

/* All of the source, or its begin alone where the rest would be wrong, too. */
static const char *with_scheme(struct arena *arena, const char *scheme, const char *colon)
{
    const struct form_context context = {.arena = arena, .project = "default", .folder = "/"};
    const char *source = arena_printf(arena, "%s%s", scheme, colon);
    return form_canonical(&context, FORM_IMAGE_SOURCE, source) ? source : arena_printf(arena, "%s:", scheme);
}

const char *source_meant(const struct policy *policy, const char *source, struct arena *arena)
{
    const char *colon = strchr(source, ':');
    if (!colon || colon == source || !colon[1])
        return NULL;
    const char *name = arena_strndup(arena, source, (size_t)(colon - source));
    const char *near = nearest_scheme(policy, name, true, arena);
    if (!near || strcmp(near, name) == 0 || strcmp(name, "docker") == 0)
        return NULL;
    return with_scheme(arena, near, colon);
}

const char *remote_hint(const struct policy *policy, const char *source, bool image, const char *conf,
                        struct arena *arena)
{
    const char *colon = strchrnul(source, ':');
    const char *name = arena_strndup(arena, source, (size_t)(colon - source));
    const char *near = nearest_scheme(policy, name, image, arena), *meant = "";
    if (near)
        meant = arena_printf(arena, "did you mean '%s'? ", with_scheme(arena, near, colon));
    else if (image && oci_name_parse(arena, source))
        meant = arena_printf(arena, "an image of a registry is 'oci:%s'; ", source);
    return arena_printf(arena, "%s%s into %s: remotes: { %s: { url: \"https://...\" } }", meant,
                        near     ? "A remote is written"
                        : *meant ? "a remote is written"
                                 : "write",
                        conf, name);
}

const char *remote_of_source(const char *source, struct arena *arena)
{
    static const char *const others[] = {"bootstrap:", "file:", "https:", "oci:", "oci-layout:"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strncmp(source, others[i], strlen(others[i])) == 0)
            return NULL;
    size_t length = strcspn(source, ":");
    return source[length] ? arena_strndup(arena, source, length) : NULL;
}

bool source_is_fetched(const char *source)
{
    static const char *const others[] = {"bootstrap:", "file:", "oci-layout:"};
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        if (strncmp(source, others[i], strlen(others[i])) == 0)
            return false;
    return strchr(source, ':') != NULL;
}
