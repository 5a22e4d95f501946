/* What an image was made of, as text, and what differs between two of those. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "reconciler/build_internal.h"

#define CUT         16 /* hex digits of a digest in the text */
#define SHOWN       12 /* and in a change */
#define MOST_INPUTS 256

/* ---- writing ---- */

/* Names of files may hold what ends a line. */
static void add_line_text(struct buffer *out, const char *text)
{
    for (; *text; text++)
        buffer_printf(out, "%c", iscntrl((unsigned char)*text) ? '?' : *text);
    buffer_text(out, "\n");
}

static void add_digest(struct buffer *out, const char *digest)
{
    buffer_printf(out, "%.*s ", CUT, digest ? digest : "-");
}

const char *made_of(struct arena *arena, const struct build *build)
{
    _cleanup_buffer_ struct buffer out = {0};
    buffer_text(&out, "");
    for (size_t i = 0; i < build->part_count; i++) {
        const struct build_part *part = &build->parts[i];
        buffer_printf(&out, part->is_base ? "%u base " : "%u ", part->at.line);
        add_digest(&out, part->digest);
        add_line_text(&out, part->text);
        for (size_t j = 0; j < part->input_count && j < MOST_INPUTS; j++) {
            buffer_printf(&out, "%u in ", part->at.line);
            add_digest(&out, part->inputs[j].digest);
            add_line_text(&out, part->inputs[j].path);
        }
    }
    return arena_strdup(arena, out.bytes);
}

/* ---- reading ---- */

struct record { /* a line */
    unsigned line;
    bool is_base, is_input;
    const char *digest, *text;
    struct place at; /* of those of now */
};

struct records {
    struct record *items;
    size_t count;
};

static bool read_record(struct arena *arena, const char *text, size_t length, struct record *record)
{
    char *copy = arena_strndup(arena, text, length), *at = copy;
    *record = (struct record){.line = (unsigned)strtoul(copy, &at, 10)};
    if (at == copy || *at != ' ')
        return false;
    at++;
    record->is_base = strncmp(at, "base ", 5) == 0;
    record->is_input = strncmp(at, "in ", 3) == 0;
    at += record->is_base ? 5 : record->is_input ? 3 : 0;
    char *space = strchr(at, ' ');
    if (!space)
        return false;
    *space = '\0';
    record->digest = at;
    record->text = space + 1;
    return true;
}

static struct records read_records(struct arena *arena, const char *text)
{
    struct records records = {0};
    while (text && *text) {
        struct record record;
        const size_t length = strcspn(text, "\n");
        if (read_record(arena, text, length, &record))
            *arena_append(arena, records.items, records.count) = record;
        text += length + (text[length] == '\n');
    }
    return records;
}

/* The places are not in the text. */
static void add_places(struct records *records, const struct build *build)
{
    size_t next = 0;
    for (size_t i = 0; i < build->part_count && next < records->count; i++) {
        records->items[next++].at = build->parts[i].at;
        while (next < records->count && records->items[next].is_input)
            records->items[next++].at = build->parts[i].at;
    }
}

/* ---- comparing ---- */

struct comparing {
    const char *file;
    struct arena *arena;
    struct changes *changes;
    struct place recipe;
};

static bool is_same(const struct record *old, const struct record *new)
{
    return old->is_base == new->is_base &&
           old->is_input == new->is_input &&strcmp(old->digest, new->digest) == 0 &&
           ((!new->is_base && !new->is_input) || strcmp(old->text, new->text) == 0);
}

static void add_change(struct comparing *comparing, const char *field, const char *old, const char *new,
                       struct place at)
{
    struct change *change =
        arena_append(comparing->arena, comparing->changes->items, comparing->changes->count);
    *change = (struct change){.field = field, .old = old, .new = new, .class = CLASS_RECREATE, .at = at};
}

static const char *shown(struct comparing *comparing, const struct record *record)
{
    if (!record)
        return NULL;
    if (!record->is_base && !record->is_input)
        return record->text;
    if (strcmp(record->digest, "-") == 0 && strncmp(record->text, "https://", 8) == 0)
        return "to be fetched";
    return strcmp(record->digest, "-") == 0 ? "to be made"
                                            : arena_printf(comparing->arena, "%.*s", SHOWN, record->digest);
}

/* "Recipe:4", "Recipe:3 COPY app.py", "base debian". `above`: the instruction that an input is of. */
static const char *field_of(struct comparing *comparing, const struct record *record,
                            const struct record *above)
{
    struct arena *arena = comparing->arena;
    if (record->is_base)
        return arena_printf(arena, "base %s", record->text);
    if (!record->is_input)
        return arena_printf(arena, "%s:%u", comparing->file, record->line);
    return arena_printf(arena, "%s:%u %.*s %s", comparing->file, record->line,
                        above ? (int)strcspn(above->text, " \t") : 0, above ? above->text : "", record->text);
}

static const struct record *instruction_of(const struct records *records, size_t number)
{
    while (number && records->items[number].is_input)
        number--;
    return records->items[number].is_input ? NULL : &records->items[number];
}

/* One of each side, or of one alone. */
static void compare(struct comparing *comparing, const struct records *old, size_t i,
                    const struct records *new, size_t j)
{
    const struct record *before = i < old->count ? &old->items[i] : NULL,
                        *now = j < new->count ? &new->items[j] : NULL;
    const struct record *named = now ? now : before;
    const char *field = field_of(comparing, named, instruction_of(now ? new : old, now ? j : i));
    const char *was = shown(comparing, before), *is = shown(comparing, now);
    /* Written as before, but with variables of other values, or another here-document. */
    if (was && is && !named->is_input && !named->is_base && strcmp(was, is) == 0)
        is = arena_printf(comparing->arena, "%s (with other values in it)", is);
    add_change(comparing, field, was, is, now ? now->at : comparing->recipe);
}

static bool is_kind(const struct record *old, const struct record *new)
{
    return old->is_base == new->is_base && old->is_input == new->is_input &&
           (!new->is_input || strcmp(old->text, new->text) == 0);
}

void build_changes(const char *file, struct place recipe, const char *before, const struct build *now,
                   struct arena *arena, struct changes *changes)
{
    const struct records old = read_records(arena, before);
    struct records new = read_records(arena, now->made_of);
    struct comparing comparing = {.file = file, .recipe = recipe, .arena = arena, .changes = changes};
    size_t first = 0, old_end = old.count, new_end = new.count;
    add_places(&new, now);
    while (first < old_end && first < new_end && is_same(&old.items[first], &new.items[first]))
        first++;
    while (old_end > first && new_end > first && is_same(&old.items[old_end - 1], &new.items[new_end - 1])) {
        old_end--;
        new_end--;
    }
    size_t i = first, j = first;
    while (i < old_end || j < new_end) {
        const bool both = i < old_end && j < new_end;
        if (both && is_same(&old.items[i], &new.items[j])) {
            i++;
            j++;
        } else if (both && is_kind(&old.items[i], &new.items[j])) {
            compare(&comparing, &old, i++, &new, j++);
        } else if (j < new_end && (i == old_end || new.items[j].is_input || !old.items[i].is_input)) {
            compare(&comparing, &old, SIZE_MAX, &new, j++);
        } else {
            compare(&comparing, &old, i++, &new, SIZE_MAX);
        }
    }
}
