#include "specs/policy.h"

#include "lib/buffer.h"
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
};
const struct table policy_table = {
    .name = "fpsync.conf", .size = sizeof(struct policy), TABLE_ROWS(policy_rows)};

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
    if (problems->count > before)
        return false;
    *policy = loaded;
    return true;
}
