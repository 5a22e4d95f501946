#include "reconciler/plan_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "specs/specs.h"

#define PLAN_FILE_LIMIT ((size_t)64 << 20) /* bytes */

static struct json *leases_json(const struct grants *grants)
{
    struct json *leases = json_new_array();
    for (size_t i = 0; i < grants->count; i++) {
        if (!grants->fresh[i])
            continue;
        _cleanup_buffer_ struct buffer text = {0};
        fields_print_flow(&lease_table, grants->items[i], &text);
        json_append(leases, json_new_text(text.bytes));
    }
    return leases;
}

struct json *plan_document(const struct plan *plan, const struct spec_set *set)
{
    struct json *document = plan_to_json(plan);
    json_set(document, "leases", leases_json(&plan->grants));
    json_set(document, "files", json_new_text(set->digest));
    return document;
}

int plan_file_write(const char *path, const struct json *document, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0}, beside = {0};
    json_print(document, true, &text);
    buffer_text(&text, "\n");
    buffer_printf(&beside, "%s.new", path);
    unlink(beside.bytes);
    _cleanup_close_ int fd = open(beside.bytes, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return error_errno(error, -errno, "cannot make %s", beside.bytes);
    int result = bytes_write(fd, text.bytes, text.length);
    if (result < 0) {
        unlink(beside.bytes);
        return error_errno(error, result, "cannot write %s", beside.bytes);
    }
    return rename(beside.bytes, path) < 0 ? error_errno(error, -errno, "cannot rename %s", beside.bytes) : 0;
}

int plan_file_read(const char *path, struct json **document, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    int result = buffer_read_file(&text, AT_FDCWD, path, PLAN_FILE_LIMIT, NULL);
    if (result < 0)
        return error_errno(error, result, "cannot read the plan %s", path);
    result = json_parse(text.bytes ? text.bytes : "", text.length, document, error);
    if (result < 0)
        return error_wrap(error, result, "the plan %s", path);
    if (json_as_number(json_get(*document, "schema"), 0) == 1 &&
        json_holds_array(json_get(*document, "actions")))
        return 0;
    json_free(*document);
    *document = NULL;
    return error_set(error, -EINVAL, "%s is no plan of fpsync plan --out", path);
}

/* ---- differences ---- */

static bool is_same(const struct json *left, const struct json *right)
{
    _cleanup_buffer_ struct buffer one = {0}, other = {0};
    if (left)
        json_print(left, false, &one);
    if (right)
        json_print(right, false, &other);
    return one.length == other.length && (!one.length || memcmp(one.bytes, other.bytes, one.length) == 0);
}

static const char *as_text(struct arena *arena, const struct json *value)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (!value)
        return "nothing";
    json_print(value, false, &text);
    return arena_strdup(arena, text.bytes);
}

static const char *differs(struct arena *arena, const char *what, const struct json *shown,
                           const struct json *now)
{
    return arena_printf(arena, "%s: it was %s, now it is %s", what, as_text(arena, shown),
                        as_text(arena, now));
}

/* Within one action: the first cause, else whatever else. */
static const char *action_difference(const struct json *shown, const struct json *now, struct arena *arena)
{
    const char *id = json_as_text(json_get(shown, "id")), *other = json_as_text(json_get(now, "id"));
    if (!shown || !now || !text_is_same(id, other))
        return arena_printf(arena, "planned was %s, now it is %s", id ? id : "nothing more",
                            other ? other : "nothing more");
    const struct json *before = json_get(shown, "causes"), *after = json_get(now, "causes");
    for (size_t i = 0; i < json_length(before) || i < json_length(after); i++)
        if (!is_same(json_at(before, i), json_at(after, i)))
            return differs(arena, id, json_at(before, i), json_at(after, i));
    return differs(arena, id, shown, now);
}

const char *plan_difference(const struct json *shown, const struct json *now, struct arena *arena)
{
    const struct json *before = json_get(shown, "actions"), *after = json_get(now, "actions");
    for (size_t i = 0; i < json_length(before) || i < json_length(after); i++)
        if (!is_same(json_at(before, i), json_at(after, i)))
            return action_difference(json_at(before, i), json_at(after, i), arena);
    static const char *const parts[] = {"held", "leases"};
    for (size_t k = 0; k < sizeof(parts) / sizeof(*parts); k++) {
        before = json_get(shown, parts[k]), after = json_get(now, parts[k]);
        for (size_t i = 0; i < json_length(before) || i < json_length(after); i++)
            if (!is_same(json_at(before, i), json_at(after, i)))
                return differs(arena, parts[k], json_at(before, i), json_at(after, i));
    }
    return is_same(json_get(shown, "files"), json_get(now, "files"))
               ? NULL
               : "the spec files, or the variables that they read, are not what they were";
}
