/* The lists that LXC's template `download` reads: NAME;RELEASE;ARCH;VARIANT;VERSION;/PATH/, a line a product. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "drivers/image/publish.h"
#include "lib/error.h"

/* Others' lines stay where they are, and ours stays in its place. */
static void replace_line(const struct publishing *publishing, const struct buffer *before,
                         struct buffer *after)
{
    const struct image_publish *request = publishing->request;
    struct arena *arena = publishing->call->arena;
    const char *key = arena_printf(arena, "%s;current;%s;default;", request->name, request->arch);
    const char *line = arena_printf(arena, "%s%s;/%s/%s/\n", key, publishing->version, publishing->place,
                                    publishing->version);
    bool found = false;
    for (const char *at = before->length ? before->bytes : ""; *at;) {
        const size_t length = strcspn(at, "\n");
        const bool ours = strncmp(at, key, strlen(key)) == 0;
        if (ours && !found)
            buffer_text(after, line);
        else if (!ours && length)
            buffer_printf(after, "%.*s\n", (int)length, at);
        found = found || ours;
        at += length + (at[length] == '\n');
    }
    if (!found)
        buffer_text(after, line);
}

static int write_list(struct publishing *publishing, int folder, const char *name, struct error *error)
{
    _cleanup_buffer_ struct buffer before = {0}, after = {0};
    const char *part = arena_printf(publishing->call->arena, ".new-%s", name);
    int result = publish_read(folder, name, &before, error);
    if (result < 0 && result != -ENOENT)
        return result;
    replace_line(publishing, &before, &after);
    if (before.length == after.length && memcmp(before.bytes, after.bytes, after.length) == 0)
        return 0;
    if (unlinkat(folder, part, 0) < 0 && errno != ENOENT)
        return error_errno(error, -errno, "%s", part);
    result = publish_write(folder, part, after.bytes, after.length, error);
    if (result == 0 && renameat(folder, part, folder, name) < 0)
        result = error_errno(error, -errno, "%s", name);
    publishing->changed = true;
    return result;
}

/* As LXC 5's template asks for them: those of its own format first. */
int publish_lists(struct publishing *publishing, struct error *error)
{
    static const char *const names[] = {"index-system", "index-system.7", "index-user", "index-user.7"};
    _cleanup_close_ int folder = publish_folder(publishing->tree, PUBLISH_LISTS, true, error);
    int result = folder < 0 ? folder : 0;
    for (size_t i = 0; i < sizeof(names) / sizeof(*names) && result == 0; i++)
        result = write_list(publishing, folder, names[i], error);
    if (result < 0)
        return error_wrap(error, result, PUBLISH_LISTS);
    return fsync(folder) < 0 ? error_errno(error, -errno, PUBLISH_LISTS) : 0;
}
