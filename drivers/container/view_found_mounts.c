/* Lines of lxc.mount.entry, "SOURCE PLACE TYPE OPTIONS 0 0", that say what a bind of a spec can say. */
#include <string.h>

#include "drivers/container/view_found.h"
#include "lib/map.h"
#include "specs/forms.h"

#define KEY "lxc.mount.entry = "

struct entry {
    const char *source, *place, *type, *options;
};

static bool parse(const char *line, struct arena *arena, struct entry *entry)
{
    char *rest = arena_strdup(arena, line + strlen(KEY));
    const char **words[] = {&entry->source, &entry->place, &entry->type, &entry->options};
    size_t count = 0;
    for (char *word = strsep(&rest, " \t"); word && count < 4; word = strsep(&rest, " \t"))
        if (*word)
            *words[count++] = word;
    return count == 4;
}

static bool is_below(const char *path, const char *base)
{
    size_t length = strlen(base);
    return strncmp(path, base, length) == 0 && (!path[length] || path[length] == '/');
}

/* As a spec takes them: getmntent(3) has ways of its own to write what is no letter, and some places are the kernel's. */
static bool can_be_said(const struct container_bind *bind, struct arena *arena)
{
    static const char *const kernels[] = {"/proc", "/sys", "/dev"};
    const struct form_context context = {.arena = arena, .project = "default", .folder = "/"};
    const char *const paths[] = {bind->path, bind->source};
    for (size_t i = 0; i < sizeof(paths) / sizeof(*paths); i++) {
        for (const char *at = paths[i]; *at; at++)
            if (*at < ' ' || *at > '~' || strchr("\\:#", *at))
                return false;
        if (!text_is_same(form_canonical(&context, i ? FORM_HOST_PATH : FORM_GUEST_PATH, paths[i]), paths[i]))
            return false;
    }
    for (size_t i = 0; i < sizeof(kernels) / sizeof(*kernels); i++)
        if (is_below(bind->path, kernels[i]))
            return false;
    return true;
}

/* Every word of them has to be known: each other one would be lost. */
static bool takes_options(const char *options, struct arena *arena, struct container_bind *bind)
{
    bool binds = false;
    char *rest = arena_strdup(arena, options);
    for (char *word = strsep(&rest, ","); word; word = strsep(&rest, ",")) {
        if (strcmp(word, "bind") == 0)
            binds = true;
        else if (strcmp(word, "ro") == 0)
            bind->read_only = true;
        else if (strcmp(word, "optional") == 0)
            bind->optional = true;
        else if (*word && strcmp(word, "rw") != 0 && strcmp(word, "defaults") != 0 &&
                 strcmp(word, "create=dir") != 0 && strcmp(word, "create=file") != 0)
            return false;
    }
    return binds;
}

/* A blank as getmntent(3) has it. */
static const char *with_blanks(struct arena *arena, const char *word)
{
    static const char escaped[] = "\\040";
    char *plain = arena_strdup(arena, word), *to = plain;
    for (const char *from = word; *from; to++) {
        bool blank = strncmp(from, escaped, strlen(escaped)) == 0;
        *to = (char)(blank ? ' ' : *from);
        from += blank ? strlen(escaped) : 1;
    }
    *to = '\0';
    return plain;
}

static struct container_bind *bind_of(const char *line, struct arena *arena)
{
    struct entry entry;
    struct container_bind *bind = described_new(arena, &container_bind_table);
    if (!parse(line, arena, &entry) || *entry.source != '/' || *entry.place == '/' ||
        strcmp(entry.type, "none") != 0 || !takes_options(entry.options, arena, bind))
        return NULL;
    bind->source = with_blanks(arena, entry.source);
    bind->path = arena_printf(arena, "/%s", with_blanks(arena, entry.place));
    return can_be_said(bind, arena) ? described_whole(&container_bind_table, bind) : NULL;
}

static bool is_entry(const char *line)
{
    return strncmp(line, KEY, strlen(KEY)) == 0;
}

/* Binds come after all lines. */
static bool is_covered(const char *const *lines, const bool *taken, size_t first, size_t count,
                       const char *path, struct arena *arena)
{
    struct entry entry;
    for (size_t i = first; i < count; i++) {
        if (taken[i] || !is_entry(lines[i]))
            continue;
        if (!parse(lines[i], arena, &entry))
            return true;
        const char *place =
            arena_printf(arena, "/%s", with_blanks(arena, entry.place + strspn(entry.place, "/")));
        if (is_below(place, path) || is_below(path, place))
            return true;
    }
    return false;
}

/* A spec has them in the order of their places. */
static void add_sorted(struct list *binds, struct container_bind *bind, struct arena *arena)
{
    arena_append(arena, binds->items, binds->count);
    size_t at = binds->count - 1;
    for (; at > 0 && strcmp(((const struct container_bind *)binds->items[at - 1])->path, bind->path) > 0;
         at--)
        binds->items[at] = binds->items[at - 1];
    binds->items[at] = bind;
}

/* None lies in another in a spec. */
static bool meets_one(const struct list *binds, const struct container_bind *bind)
{
    for (size_t i = 0; i < binds->count; i++) {
        const char *path = ((const struct container_bind *)binds->items[i])->path;
        if (is_below(bind->path, path) || is_below(path, bind->path))
            return true;
    }
    return false;
}

void found_take_binds(struct container_definition *definition, struct arena *arena)
{
    struct texts *lines = &definition->lxc;
    bool *taken = arena_array_of(arena, bool, lines->count + 1);
    for (size_t i = lines->count; i-- > 0;) {
        struct container_bind *bind = is_entry(lines->items[i]) ? bind_of(lines->items[i], arena) : NULL;
        if (!bind || meets_one(&definition->binds, bind) ||
            is_covered(lines->items, taken, i + 1, lines->count, bind->path, arena))
            continue;
        taken[i] = true;
        add_sorted(&definition->binds, bind, arena);
    }
    size_t kept = 0;
    for (size_t i = 0; i < lines->count; i++)
        if (!taken[i])
            lines->items[kept++] = lines->items[i];
    lines->count = kept;
}
