#include "specs/include.h"

#include <dirent.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "lib/asked.h"
#include "lib/map.h"
#include "specs/forms.h"
#include "specs/template.h"

struct wanted { /* one entry of an `include` */
    size_t from;
    const struct node *root, *node;
    const char *shown; /* the path, beside that of the including file */
};

static void follow_one(struct inclusion *inclusion, size_t from, const struct node *root,
                       const struct node *node);
static void follow_pattern(struct inclusion *inclusion, const struct wanted *wanted);
static void follow_file(struct inclusion *inclusion, const struct wanted *wanted);
static void add(struct inclusion *inclusion, const struct wanted *wanted, const char *shown);

static void know(struct inclusion *inclusion, size_t number)
{
    const struct spec_file *file = &inclusion->files->items[number];
    if (strcmp(file->path, "-") == 0)
        return;
    const char *slash = strrchr(file->path, '/');
    map_add(&inclusion->known, path_clean(inclusion->arena, file->folder, slash ? slash + 1 : file->path),
            (void *)(number + 1));
}

void inclusion_begin(struct inclusion *inclusion)
{
    for (size_t i = 0; i < inclusion->files->count; i++)
        know(inclusion, i);
}

void inclusion_end(struct inclusion *inclusion)
{
    map_clear(&inclusion->known);
}

bool inclusion_fits(struct inclusion *inclusion, struct place place, size_t size)
{
    inclusion->size += size;
    if (inclusion->full)
        return false;
    inclusion->full = inclusion->count == INCLUDE_FILES || inclusion->size > INCLUDE_SIZE;
    if (inclusion->full)
        problem_add(inclusion->problems, place, "name folders with -f instead",
                    "includes and drop-ins bring in more than %d files or %zu MiB", INCLUDE_FILES,
                    INCLUDE_SIZE >> 20);
    inclusion->count++;
    return !inclusion->full;
}

void inclusion_follow(struct inclusion *inclusion, size_t from, const struct node *root)
{
    const struct node *node = root->type == NODE_MAPPING ? node_get(root, "include") : NULL;
    if (!node || node->broken)
        return;
    if (node->type == NODE_SCALAR)
        follow_one(inclusion, from, root, node);
    else if (node->type != NODE_SEQUENCE)
        problem_add(inclusion->problems, node->place, "write include: [parts/*.yaml]",
                    "'include': expected a path or a list of paths, found %s",
                    node_describe(inclusion->arena, node));
    for (size_t i = 0; node->type == NODE_SEQUENCE && i < node->count; i++)
        follow_one(inclusion, from, root, node->items[i]);
}

static void follow_one(struct inclusion *inclusion, size_t from, const struct node *root,
                       const struct node *node)
{
    static const char hint[] = "write it as seen from the folder of this file, such as parts/*.yaml";
    if (node->broken)
        return;
    if (node->type != NODE_SCALAR || !*node->text || node->text[0] == '/' ||
        node->text[node->length - 1] == '/') {
        problem_add(inclusion->problems, node->place, hint, "'include': expected a relative path, found %s",
                    node_describe(inclusion->arena, node));
        return;
    }
    const struct spec_file *file = &inclusion->files->items[from];
    if (file->depth == INCLUDE_DEPTH) {
        problem_add(inclusion->problems, node->place, NULL, "more than %d files include each other in a row",
                    INCLUDE_DEPTH);
        return;
    }
    const char *slash = strrchr(file->path, '/');
    const struct wanted wanted = {.from = from,
                                  .root = root,
                                  .node = node,
                                  .shown = arena_printf(inclusion->arena, "%.*s%s",
                                                        slash ? (int)(slash + 1 - file->path) : 0, file->path,
                                                        node->text)};
    if (strpbrk(node->text, "*?["))
        follow_pattern(inclusion, &wanted);
    else
        follow_file(inclusion, &wanted);
}

static void follow_file(struct inclusion *inclusion, const struct wanted *wanted)
{
    struct stat info;
    const char *template, *instance;
    const bool found = ask_lstat(wanted->shown, &info) == 0;
    if (template_is_one(wanted->shown))
        problem_add(inclusion->problems, wanted->node->place, "include NAME@INSTANCE.yaml",
                    "'%s' is a template, which is not read by itself", wanted->node->text);
    else if (found && S_ISDIR(info.st_mode))
        problem_add(inclusion->problems, wanted->node->place,
                    arena_printf(inclusion->arena, "write %s/*.yaml", wanted->node->text), "'%s' is a folder",
                    wanted->node->text);
    else if (found || (template_of(inclusion->arena, wanted->shown, &template, &instance) &&
                       template_use_of(wanted->shown, template) == TEMPLATE_READ))
        add(inclusion, wanted, wanted->shown);
    else
        problem_add(
            inclusion->problems, wanted->node->place,
            "the path starts at the folder of this file; a pattern such as parts/*.yaml may match nothing",
            "cannot include '%s': %s", wanted->node->text, strerror(errno));
}

/* Of what matches, specs alone: editors leave copies beside them. */
static void follow_pattern(struct inclusion *inclusion, const struct wanted *wanted)
{
    const char *slash = strrchr(wanted->shown, '/');
    const char *pattern = slash ? slash + 1 : wanted->shown;
    const char *folder =
        slash ? arena_strndup(inclusion->arena, wanted->shown, (size_t)(slash - wanted->shown)) : ".";
    const char *written = strrchr(wanted->node->text, '/');
    if (written && strcspn(wanted->node->text, "*?[") < (size_t)(written - wanted->node->text)) {
        problem_add(inclusion->problems, wanted->node->place, "name the folders one by one",
                    "'include': a pattern stands for files, not for folders: '%s'", wanted->node->text);
        return;
    }
    struct texts names = {0};
    if (!spec_folder_read(folder, inclusion->by_hand, wanted->node->place, inclusion->arena,
                          inclusion->problems, &names))
        return;
    for (size_t i = 0; i < names.count; i++)
        if (fnmatch(pattern, names.items[i], FNM_PERIOD) == 0)
            add(inclusion, wanted,
                slash ? arena_printf(inclusion->arena, "%s/%s", folder, names.items[i]) : names.items[i]);
}

static void add(struct inclusion *inclusion, const struct wanted *wanted, const char *shown)
{
    const struct spec_file from = inclusion->files->items[wanted->from];
    const char *last = strrchr(wanted->node->text, '/'), *name = strrchr(shown, '/');
    const char *clean =
        path_clean(inclusion->arena, from.folder,
                   arena_printf(inclusion->arena, "%.*s%s", last ? (int)(last + 1 - wanted->node->text) : 0,
                                wanted->node->text, name ? name + 1 : shown));
    size_t number = (size_t)map_get(&inclusion->known, clean);
    if (!number) {
        if (!inclusion_fits(inclusion, wanted->node->place, 0))
            return;
        const char *slash = strrchr(clean, '/');
        *arena_append(inclusion->arena, inclusion->files->items, inclusion->files->count) =
            (struct spec_file){
                .path = shown,
                .folder = arena_strndup(inclusion->arena, clean, slash > clean ? (size_t)(slash - clean) : 1),
                .source = from.source,
                .depth = from.depth + 1};
        number = inclusion->files->count;
        map_add(&inclusion->known, clean, (void *)number);
    } else if (inclusion->edge_count == INCLUDE_EDGES && !inclusion->full) {
        inclusion->full = true;
        problem_add(inclusion->problems, wanted->node->place, NULL, "more than %d includes", INCLUDE_EDGES);
    }
    if (inclusion->full)
        return;
    *arena_append(inclusion->arena, inclusion->edges, inclusion->edge_count) =
        (struct include_edge){.from = wanted->from, .to = number - 1, .root = wanted->root};
}
