/* What differs between two objects of a table, and the class of it. */
#include "lib/fields.h"

#include <string.h>

struct comparison {
    struct arena *arena;
    struct changes *changes;
};

/* Where a comparison stands. Most find nothing to say, so the text is made for a change only. */
struct path {
    const struct path *outer; /* NULL: `key` is of the object itself */
    const char *key;
};

static const char *path_text(struct arena *arena, const struct path *path)
{
    return path->outer ? arena_printf(arena, "%s.%s", path_text(arena, path->outer), path->key) : path->key;
}

static const char *printed(struct arena *arena, const struct table *table, const void *object,
                           const struct field *row)
{
    /* An unsaid value is shown as its default, so that "pids: 100 -> 8192" can be read. */
    if (!field_is_said(table, object, row) && !row->standard)
        return NULL;
    _cleanup_buffer_ struct buffer text = {0};
    field_print(row, object, &text);
    return text.length ? arena_strdup(arena, text.bytes) : NULL;
}

static void note(const struct comparison *to, const struct path *path, const char *old, const char *new,
                 enum field_class class, struct place at)
{
    struct change *change = arena_append(to->arena, to->changes->items, to->changes->count);
    *change = (struct change){
        .field = path_text(to->arena, path), .old = old, .new = new, .class = class, .at = at};
}

static void diff_pairs(const struct comparison *to, const struct field *row, const struct path *path,
                       const struct pairs *old, const struct pairs *new, struct place place)
{
    size_t i = 0, j = 0;
    while (i < old->count || j < new->count) {
        int order = i == old->count ? 1 : j == new->count ? -1 : strcmp(old->items[i].key, new->items[j].key);
        const struct pair *left = order <= 0 ? &old->items[i++] : NULL;
        const struct pair *right = order >= 0 ? &new->items[j++] : NULL;
        if (left && right && strcmp(left->value, right->value) == 0)
            continue;
        const char *was = left ? left->value : NULL, *is = right ? right->value : NULL;
        if (pair_is_hidden(row, (left ? left : right)->key)) {
            was = left && !right ? "(sensitive)" : NULL;
            is = left && right ? "(sensitive, changed)" : right ? "(sensitive)" : NULL;
        }
        note(to, &(struct path){path, (left ? left : right)->key}, was, is, row->class,
             right && right->place.file ? right->place : place);
    }
}

static const char *flow(struct arena *arena, const struct table *table, const void *object)
{
    _cleanup_buffer_ struct buffer text = {0};
    fields_print_flow(table, object, &text);
    return arena_strdup(arena, text.bytes);
}

/* The keys of what both lists hold, in the order of the first. */
static const char *common_keys(struct arena *arena, const struct table *nested, const struct list *list,
                               const struct list *other)
{
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < list->count; i++)
        if (list_find(other, nested, item_key(nested, list->items[i])))
            buffer_printf(&text, "%s%s", text.length ? ", " : "[", item_key(nested, list->items[i]));
    buffer_text(&text, text.length ? "]" : "[]");
    return arena_strdup(arena, text.bytes);
}

static void diff_order(const struct comparison *to, const struct field *row, const struct path *path,
                       const struct list *old, const struct list *new, struct place place)
{
    bool same = old->count == new->count;
    for (size_t i = 0; i < old->count && same; i++)
        same = strcmp(item_key(row->nested, old->items[i]), item_key(row->nested, new->items[i])) == 0;
    if (same)
        return;
    const char *before = common_keys(to->arena, row->nested, old, new);
    const char *after = common_keys(to->arena, row->nested, new, old);
    if (strcmp(before, after) != 0)
        note(to, path, before, after, row->class, place);
}

static void diff_objects(const struct comparison *to, const struct table *table, const void *old,
                         const void *new, const struct path *outer);

static void diff_lists(const struct comparison *to, const struct field *row, const struct path *path,
                       const struct list *old, const struct list *new, struct place place)
{
    for (size_t i = 0; i < old->count; i++) {
        const char *key = item_key(row->nested, old->items[i]);
        if (!list_find(new, row->nested, key))
            note(to, &(struct path){path, key}, flow(to->arena, row->nested, old->items[i]), NULL, row->class,
                 place);
    }
    for (size_t i = 0; i < new->count; i++) {
        const char *key = item_key(row->nested, new->items[i]);
        const void *before = list_find(old, row->nested, key);
        const struct path item = {path, key};
        if (before)
            diff_objects(to, row->nested, before, new->items[i], &item);
        else
            note(to, &item, NULL, flow(to->arena, row->nested, new->items[i]), row->class,
                 ((const struct described *)new->items[i])->place);
    }
    if (row->flags & FIELD_ORDERED)
        diff_order(to, row, path, old, new, place);
}

static bool texts_equal(const struct texts *left, const struct texts *right)
{
    if (left->count != right->count)
        return false;
    for (size_t i = 0; i < left->count; i++)
        if (strcmp(left->items[i], right->items[i]) != 0)
            return false;
    return true;
}

static bool scalars_equal(const struct field *row, const void *left, const void *right)
{
    switch (row->type) {
    case FIELD_TEXT: {
        const char *a = *(const char *const *)left, *b = *(const char *const *)right;
        return a == b || (a && b && strcmp(a, b) == 0);
    }
    case FIELD_BOOL:
        return *(const bool *)left == *(const bool *)right;
    case FIELD_NUMBER:
        return *(const int64_t *)left == *(const int64_t *)right;
    case FIELD_BYTES: {
        const struct bytes *a = left, *b = right;
        return a->size == b->size && (!a->size || memcmp(a->data, b->data, a->size) == 0);
    }
    default:
        return texts_equal(left, right);
    }
}

static void diff_objects(const struct comparison *to, const struct table *table, const void *old,
                         const void *new, const struct path *outer)
{
    if (old == new)
        return;
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        const void *left = field_at(old, row), *right = field_at(new, row);
        bool was = field_is_said(table, old, row), is = field_is_said(table, new, row);
        struct place place = field_place(table, new, row);
        const struct path path = {outer, row->key};
        size_t before = to->changes->count;
        if (row->type == FIELD_PAIRS)
            diff_pairs(to, row, &path, left, right, place);
        else if (row->type == FIELD_LIST)
            diff_lists(to, row, &path, left, right, place);
        else if (row->type == FIELD_STRUCT)
            diff_objects(to, row->nested, *(void *const *)left, *(void *const *)right, &path);
        else if ((was || is) && (was != is || !scalars_equal(row, left, right)))
            note(to, &path, printed(to->arena, table, old, row), printed(to->arena, table, new, row),
                 row->class, place);
        /* "set to nothing" against "not mentioned": the items are equal, the saying is not. */
        if ((row->type == FIELD_PAIRS || row->type == FIELD_LIST) && was != is &&
            to->changes->count == before)
            note(to, &path, was ? "[]" : NULL, is ? "[]" : NULL, row->class, place);
    }
}

void fields_diff(const struct table *table, const void *old, const void *new, struct arena *arena,
                 struct changes *changes)
{
    const struct comparison to = {.arena = arena, .changes = changes};
    diff_objects(&to, table, old, new, NULL);
}

enum field_class changes_class(const struct changes *changes)
{
    enum field_class class = CLASS_RECORD;
    for (size_t i = 0; i < changes->count; i++)
        if (changes->items[i].class > class)
            class = changes->items[i].class;
    return class;
}
