#include "specs/drop_in.h"

#include <string.h>

#include "lib/asked.h"
#include "specs/document.h"
#include "specs/merge.h"

struct laying { /* one document of a drop-in over those of its file */
    struct arena *arena;
    struct problems *problems;
    struct documents *documents;
    struct node **overlays; /* one a document of the file: what of the drop-in is for it; NULL: nothing */
    size_t first;           /* the document that takes what no document has yet */
    const char *project;    /* NULL: all of one project */
};

static void apply_file(struct drop_ins *drop_ins, const char *path, struct documents *documents);
static void lay_over(struct laying *laying, struct node *root);

void drop_ins_apply(struct drop_ins *drop_ins, const char *path, struct documents *documents)
{
    struct arena *arena = drop_ins->inclusion->arena;
    const char *folder = arena_printf(arena, "%s.d", path);
    struct stat info;
    struct texts names = {0};
    if (ask_lstat(folder, &info) < 0)
        return;
    if (!spec_folder_read(folder, drop_ins->inclusion->by_hand, (struct place){.file = folder}, arena,
                          drop_ins->inclusion->problems, &names))
        drop_ins->incomplete = true;
    for (size_t i = 0; i < names.count; i++)
        apply_file(drop_ins, arena_printf(arena, "%s/%s", folder, names.items[i]), documents);
}

const char *spec_file_owner(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    const size_t length = slash ? (size_t)(slash - path) : 0;
    const bool of_yaml = length > 7 && strncmp(slash - 7, ".yaml.d", 7) == 0;
    const bool of_yml = length > 6 && strncmp(slash - 6, ".yml.d", 6) == 0;
    return of_yaml || of_yml ? arena_strndup(arena, path, length - 2) : path;
}

static void apply_file(struct drop_ins *drop_ins, const char *path, struct documents *documents)
{
    struct inclusion *inclusion = drop_ins->inclusion;
    struct documents over = {0};
    _cleanup_buffer_ struct buffer text = {0};
    if (!spec_file_read(path, inclusion->by_hand, false, inclusion->problems, &text) ||
        !inclusion_fits(inclusion, (struct place){.file = path}, text.length)) {
        drop_ins->incomplete = true;
        return;
    }
    spec_digest(drop_ins->digest, path, &text);
    if (!yaml_read(path, text.bytes, text.length, inclusion->arena, inclusion->problems, &over))
        drop_ins->incomplete = true;
    for (size_t i = 0; i < over.count; i++) {
        struct laying laying = {
            .arena = inclusion->arena, .problems = inclusion->problems, .documents = documents};
        struct node *project =
            over.roots[i]->type == NODE_MAPPING ? node_get(over.roots[i], "project") : NULL;
        if (project)
            interpolate(drop_ins->variables, project);
        interpolate_keys(drop_ins->variables, over.roots[i]);
        lay_over(&laying, over.roots[i]);
    }
}

/* ---- one document over others ---- */

static const char *project_of(struct laying *laying, const struct node *root)
{
    const struct node *node = root->type == NODE_MAPPING ? node_get(root, "project") : NULL;
    (void)laying;
    return node && node->type == NODE_SCALAR ? node->text : "";
}

static bool is_meant(struct laying *laying, size_t number)
{
    const struct node *root = laying->documents->roots[number];
    return root->type == NODE_MAPPING &&
           (!laying->project || strcmp(project_of(laying, root), laying->project) == 0);
}

/* Which documents are meant; false after a problem. */
static bool find_documents(struct laying *laying, const struct node *root)
{
    struct documents *documents = laying->documents;
    const struct node *project = node_get(root, "project");
    laying->project = project ? project_of(laying, root) : NULL;
    const char *only = NULL;
    laying->first = documents->count;
    for (size_t i = documents->count; i-- > 0;) {
        if (!is_meant(laying, i))
            continue;
        const char *own = project_of(laying, documents->roots[i]);
        if (only && strcmp(only, own) != 0) {
            problem_add(laying->problems, root->place, "write project: NAME into the drop-in",
                        "the file has documents of several projects: which one is meant?");
            return false;
        }
        only = own;
        laying->first = i;
    }
    if (laying->first < documents->count)
        return true;
    if (project && documents->count) {
        problem_add(laying->problems, project->place,
                    "remove the line: a drop-in is in the project of its file",
                    "the file has no document of project '%s'", laying->project);
        return false;
    }
    *arena_append(laying->arena, documents->roots, documents->count) = node_new_mapping(laying->arena, root);
    laying->first = documents->count - 1;
    return true;
}

static struct node *overlay_of(struct laying *laying, size_t number, const struct node *at)
{
    if (!laying->overlays[number])
        laying->overlays[number] = node_new_mapping(laying->arena, at);
    return laying->overlays[number];
}

/* The section's mapping in an overlay, made when it is missing. */
static struct node *section_in(struct laying *laying, size_t number, const struct entry *section)
{
    struct node *overlay = overlay_of(laying, number, section->value);
    struct node *mapping = node_get(overlay, section->key->text);
    if (!mapping) {
        mapping = node_new_mapping(laying->arena, section->value);
        node_put(laying->arena, overlay, section->key, mapping);
    }
    return mapping;
}

/* Each name goes to the document that has it. */
static void share_out(struct laying *laying, const struct entry *section)
{
    _cleanup_map_ struct map homes = {0}; /* name -> number of its document + 1 */
    for (size_t i = 0; i < laying->documents->count; i++) {
        const struct node *own =
            is_meant(laying, i) ? node_get(laying->documents->roots[i], section->key->text) : NULL;
        for (size_t j = 0; own && own->type == NODE_MAPPING && j < own->count; j++)
            map_add(&homes, own->entries[j].key->text, (void *)(i + 1));
    }
    section_in(laying, laying->first, section);
    for (size_t i = 0; i < section->value->count; i++) {
        const struct entry *entry = &section->value->entries[i];
        size_t home = (size_t)map_get(&homes, entry->key->text);
        node_put(laying->arena, section_in(laying, home ? home - 1 : laying->first, section), entry->key,
                 entry->value);
    }
}

static void lay_over(struct laying *laying, struct node *root)
{
    if (root->broken || node_is_null(root))
        return;
    if (root->type != NODE_MAPPING) {
        problem_add(laying->problems, root->place,
                    "start with a key such as containers:", "expected a mapping at the top, found %s",
                    node_describe(laying->arena, root));
        return;
    }
    if (!find_documents(laying, root))
        return;
    laying->overlays = arena_array_of(laying->arena, struct node *, laying->documents->count);
    for (size_t i = 0; i < root->count; i++) {
        const struct entry *entry = &root->entries[i];
        if (strcmp(entry->key->text, "project") == 0 || document_ignores(entry->key->text))
            continue;
        if (entry->value->type == NODE_MAPPING && !entry->value->broken)
            share_out(laying, entry);
        else
            node_put(laying->arena, overlay_of(laying, laying->first, root), entry->key, entry->value);
    }
    const struct merging merging = {
        .arena = laying->arena, .problems = laying->problems, .nulls = MERGE_NULLS_REMOVE};
    for (size_t i = 0; i < laying->documents->count; i++)
        if (laying->overlays[i])
            laying->documents->roots[i] =
                node_merge(&merging, laying->documents->roots[i], laying->overlays[i]);
}
