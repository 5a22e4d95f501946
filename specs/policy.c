#include "specs/policy.h"

#include <string.h>

#include "lib/buffer.h"
#include "specs/alias.h"
#include "specs/read.h"
#include "specs/sources.h"

#define AT(type, member) .offset = offsetof(struct type, member)

static const struct field allow_rows[] = {
    {.id = 1,
     .key = "privileged",
     .type = FIELD_BOOL,
     AT(policy_allow, privileged),
     .standard = "false",
     .example = "true",
     .help = "Containers may run without an id range of their own."},
    {.id = 2,
     .key = "raw_lxc",
     .type = FIELD_BOOL,
     AT(policy_allow, raw_lxc),
     .standard = "false",
     .example = "true",
     .help = "Containers may bring lines of the LXC config."},
    {.id = 3,
     .key = "binds",
     .type = FIELD_TEXTS,
     .form = FORM_HOST_PATH,
     AT(policy_allow, binds),
     .example = "[/srv, /var/www]",
     .help = "Folders of the host that containers may be lent, with all that lies below them."},
    {.id = 4,
     .key = "devices",
     .type = FIELD_TEXTS,
     .form = FORM_LENT,
     AT(policy_allow, devices),
     .example = "[/dev/fuse, usb, gpu]",
     .help =
         "Devices of the host that containers may open; of a folder, all that lie below it; usb, whatever "
         "is plugged in; gpu, graphics processors."},
    {.id = 5,
     .key = "host_network",
     .type = FIELD_BOOL,
     AT(policy_allow, host_network),
     .standard = "false",
     .example = "true",
     .help = "Containers may share the host's network: its addresses, ports and abstract sockets."},
};
const struct table allow_table = {
    .name = "allow", .size = sizeof(struct policy_allow), TABLE_ROWS(allow_rows)};

static const struct field policy_images_rows[] = {
    {.id = 1,
     .key = "budget",
     .type = FIELD_NUMBER,
     .form = FORM_SIZE,
     AT(policy_images, budget),
     .minimum = 1,
     .maximum = INT64_MAX,
     .example = "20GiB",
     .help =
         "How large all images of the store may be together before fpsync image gc frees those that nobody "
         "uses, the ones that were used longest ago first."},
    {.id = 2,
     .key = "age",
     .type = FIELD_NUMBER,
     .form = FORM_DURATION,
     AT(policy_images, age),
     .minimum = 1000,
     .maximum = INT64_C(3660) * 86400 * 1000,
     .example = "30d",
     .help =
         "How long after its last use fpsync image gc frees an image that nobody uses, whatever the budget."},
};
const struct table policy_images_table = {.name = "images",
                                          .size = sizeof(struct policy_images),
                                          TABLE_ROWS(policy_images_rows),
                                          .help = "What fpsync image gc spares of images that nobody uses."};

static const struct field builds_rows[] = {
    {.id = 1,
     .key = "budget",
     .type = FIELD_NUMBER,
     .form = FORM_SIZE,
     AT(policy_builds, budget),
     .standard = "10GiB",
     .example = "2GiB",
     .help =
         "What steps and caches of builds may hold together. Those that were used least recently go first."},
    {.id = 2,
     .key = "age",
     .type = FIELD_NUMBER,
     .form = FORM_DURATION,
     AT(policy_builds, age),
     .standard = "30d",
     .example = "7d",
     .help = "How long a step or cache is kept that no build uses."},
    {.id = 3,
     .key = "private_addresses",
     .type = FIELD_BOOL,
     AT(policy_builds, private_addresses),
     .standard = "false",
     .example = "true",
     .help =
         "Whether ADD of a recipe may fetch from servers without a public address: those of this host and of "
         "the networks around it."},
};
const struct table builds_table = {.name = "builds",
                                   .size = sizeof(struct policy_builds),
                                   TABLE_ROWS(builds_rows),
                                   .help = "What is kept of builds to make the next one quick."};

static const struct field policy_rows[] = {
    {.id = 1,
     .key = "allow",
     .type = FIELD_STRUCT,
     AT(policy, allow),
     .nested = &allow_table,
     .example = "{ privileged: true }",
     .help = "What specs may ask for beyond what is harmless."},
    {.id = 2,
     .key = "retention",
     .type = FIELD_NUMBER,
     .form = FORM_DURATION,
     AT(policy, retention),
     .standard = "30d",
     .example = "7d",
     .help = "How long fpsync gc spares data that is declared no more."},
    {.id = 3,
     .key = "remotes",
     .type = FIELD_LIST,
     AT(policy, remotes),
     .nested = &remote_table,
     .example = "{ store: { url: \"https://images.example.org\" } }",
     .help = "Servers that images come from, by the name that sources use. `images` is "
             "https://images.linuxcontainers.org, the public one of LXC, unless it is said here."},
    {.id = 5,
     .key = "downloads",
     .type = FIELD_STRUCT,
     AT(policy, downloads),
     .nested = &downloads_table,
     .example = "{ stall: 10s }",
     .help = "Bounds of what is fetched from servers."},
    {.id = 6,
     .key = "images",
     .type = FIELD_STRUCT,
     AT(policy, images),
     .nested = &policy_images_table,
     .example = "{ budget: 20GiB, age: 30d }",
     .help = "What fpsync image gc spares of images that nobody uses."},
    {.id = 7,
     .key = "builds",
     .type = FIELD_STRUCT,
     AT(policy, builds),
     .nested = &builds_table,
     .example = "{ budget: 2GiB, age: 7d }",
     .help = "What is kept of builds; what is more goes after each build and by fpsync gc."},
    {.id = 4,
     .key = "aliases",
     .type = FIELD_PAIRS,
     AT(policy, aliases),
     .example = "{ \"debian:*\": \"bootstrap:bookworm\" }",
     .help = "What images are that recipes name and no spec declares: sources by patterns, in which '*' "
             "stands for anything but a '/'. A name without wildcards goes before patterns, and a longer "
             "pattern before a shorter one."},
};
const struct table policy_table = {
    .name = "fpsync.conf", .size = sizeof(struct policy), TABLE_ROWS(policy_rows)};

/* What comes over http:// could be anybody's. */
static void check_remotes(const struct policy *policy, struct arena *arena, struct problems *problems)
{
    for (size_t i = 0; i < policy->remotes.count; i++) {
        const struct remote *remote = policy->remotes.items[i];
        if (remote->url && strncmp(remote->url, "http:", 5) == 0 && !remote_is_signed(remote))
            problem_add(
                problems, field_place(&remote_table, remote, field_by_key(&remote_table, "url")),
                arena_printf(arena, "write https://%s, or pin a key", remote->url + strlen("http://")),
                "remote %s: nothing vouches for what comes over http://", remote->name);
    }
}

bool policy_load(const char *path, struct arena *arena, struct policy **policy, struct problems *problems)
{
    const size_t before = problems->count;
    struct policy *loaded = described_new(arena, &policy_table);
    struct documents documents = {0};
    const struct reader reader = {
        .arena = arena, .problems = problems, .context = {.arena = arena, .project = "default"}};
    _cleanup_buffer_ struct buffer text = {0};
    *policy = described_new(arena, &policy_table);
    if (spec_file_read(path, false, true, problems, &text) && text.length &&
        yaml_read(path, text.bytes, text.length, arena, problems, &documents))
        for (size_t i = 0; i < documents.count; i++)
            read_object(&reader, &policy_table, documents.roots[i], loaded);
    if (problems->count == before)
        check_remotes(loaded, arena, problems);
    if (problems->count == before)
        aliases_check(&loaded->aliases, arena, problems);
    if (problems->count > before)
        return false;
    *policy = loaded;
    return true;
}
