#include "specs/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/asked.h"
#include "specs/drop_in.h"
#include "specs/include.h"
#include "specs/interpolate.h"
#include "specs/merge.h"
#include "specs/template.h"

struct unit { /* one file, read */
    struct spec_file file;
    struct documents documents;
    const char *inherited; /* project of its includers; NULL: not known yet */
    bool in_doubt;         /* they are of several projects; told */
};

struct gathering {
    const struct spec_request *request;
    struct arena *arena;
    struct problems *problems;
    struct digest *digest;
    struct inclusion inclusion;
    struct unit *units; /* one a file of the list, in its order */
    struct gathered *out;
};

static void read_unit(struct gathering *gathering, size_t number);
static void resolve_projects(struct gathering *gathering);
static void hand_over(struct gathering *gathering, struct unit *unit);

void gather(const struct spec_request *request, struct file_list *files, struct arena *arena,
            struct problems *problems, struct digest *digest, struct gathered *gathered)
{
    struct gathering gathering = {.request = request,
                                  .arena = arena,
                                  .problems = problems,
                                  .digest = digest,
                                  .inclusion = {.arena = arena,
                                                .problems = problems,
                                                .by_hand = request->use_environment,
                                                .files = files},
                                  .out = gathered};
    inclusion_begin(&gathering.inclusion);
    for (size_t count = 0; count < files->count;) { /* the list grows while it is walked */
        struct unit *unit = arena_append(arena, gathering.units, count);
        *unit = (struct unit){.file = files->items[count - 1]};
        read_unit(&gathering, count - 1);
    }
    resolve_projects(&gathering);
    for (size_t i = 0; i < files->count; i++)
        hand_over(&gathering, &gathering.units[i]);
    inclusion_end(&gathering.inclusion);
}

/* ---- reading ---- */

static bool read_text(struct gathering *gathering, const char *path, struct unit *unit)
{
    _cleanup_buffer_ struct buffer text = {0};
    if (!spec_file_read(path, gathering->request->use_environment, false, gathering->problems, &text)) {
        gathering->out->incomplete = true;
        return false;
    }
    if (unit->file.depth && !inclusion_fits(&gathering->inclusion, (struct place){.file = path}, text.length))
        return false;
    spec_digest(gathering->digest, unit->file.source, &text);
    digest_add(gathering->digest, unit->file.folder, strlen(unit->file.folder) + 1);
    unit->documents = (struct documents){0};
    if (!yaml_read(arena_strdup(gathering->arena, path), text.bytes, text.length, gathering->arena,
                   gathering->problems, &unit->documents))
        gathering->out->incomplete =
            true; /* documents before the error are still read, for their own errors */
    return true;
}

static bool is_empty(const struct documents *documents)
{
    for (size_t i = 0; i < documents->count; i++)
        if (!node_is_null(documents->roots[i]))
            return false;
    return true;
}

/* Whether the file is the one, or an instance of that template. */
static bool is_part_of(struct gathering *gathering, const char *path, const char *file)
{
    const char *template, *instance;
    return strcmp(path, file) == 0 ||
           (template_of(gathering->arena, path, &template, &instance) && strcmp(template, file) == 0);
}

/* The file itself, or the template that it is an instance of: `template` says which. */
static void read_file(struct gathering *gathering, struct unit *unit, const char **template,
                      const char **instance)
{
    const char *path = unit->file.path;
    for (size_t i = 0; i < gathering->request->held_back.count; i++)
        if (is_part_of(gathering, path, gathering->request->held_back.items[i]))
            return;
    *arena_append(gathering->arena, gathering->out->files.items, gathering->out->files.count) = path;
    if (template_is_one(path)) {
        problem_add(gathering->problems, (struct place){.file = path},
                    "make NAME@INSTANCE.yaml beside it, an empty file or a link to it",
                    "it is a template, which is not read by itself");
        return;
    }
    if (!template_of(gathering->arena, path, template, instance)) {
        *template = *instance = NULL;
        if (template_name_is_bad(path)) {
            gathering->out->incomplete = true;
            problem_add(gathering->problems, (struct place){.file = path}, "rename it",
                        "the name of an instance is of letters, digits, '-', '_' and '.', at most 64");
            return;
        }
        read_text(gathering, path, unit);
        return;
    }
    digest_add(gathering->digest, *instance, strlen(*instance) + 1);
    enum template_use use = template_use_of(path, *template);
    if (use != TEMPLATE_READ && !read_text(gathering, path, unit))
        return;
    if (use != TEMPLATE_READ && !is_empty(&unit->documents))
        *template = NULL;
    else if (ask_access(*template) < 0 && errno == ENOENT)
        problem_add(gathering->problems, (struct place){.file = path},
                    "write the template, or say here what there is to say",
                    "there is no template %s for this empty file", *template);
    else if (read_text(gathering, *template, unit))
        *arena_append(gathering->arena, gathering->out->files.items, gathering->out->files.count) = *template;
}

static void read_variables(struct gathering *gathering, const struct unit *unit, struct variables *variables)
{
    if (strcmp(unit->file.path, "-") == 0)
        return; /* there is no "beside" */
    const char *slash = strrchr(unit->file.path, '/');
    const char *path = arena_printf(gathering->arena, "%.*s.env",
                                    slash ? (int)(slash + 1 - unit->file.path) : 0, unit->file.path);
    _cleanup_buffer_ struct buffer text = {0};
    if (!spec_file_read(path, gathering->request->use_environment, true, gathering->problems, &text))
        return;
    spec_digest(gathering->digest, ".env", &text);
    if (text.length)
        variables_read(variables, path, text.bytes, text.length);
}

static void read_drop_ins(struct gathering *gathering, struct unit *unit, const char *template,
                          struct variables *variables)
{
    struct drop_ins drop_ins = {
        .inclusion = &gathering->inclusion, .digest = gathering->digest, .variables = variables};
    for (size_t i = 0; i < unit->documents.count; i++) {
        struct node *root = unit->documents.roots[i];
        interpolate_keys(variables, root);
        struct node *project = root->type == NODE_MAPPING ? node_get(root, "project") : NULL;
        if (project)
            interpolate(variables, project); /* drop-ins are told apart by it */
    }
    if (template)
        drop_ins_apply(&drop_ins, template, &unit->documents);
    if (strcmp(unit->file.path, "-") != 0)
        drop_ins_apply(&drop_ins, unit->file.path, &unit->documents);
    gathering->out->incomplete |= drop_ins.incomplete;
}

static void hear(struct gathering *gathering, const struct unit *unit)
{
    struct texts *heard = &gathering->out->heard;
    const bool is_read = texts_have(&gathering->out->files, unit->file.path);
    if ((is_read && is_empty(&unit->documents)) || texts_have(heard, unit->file.source))
        return;
    *arena_append(gathering->arena, heard->items, heard->count) = unit->file.source;
}

static void read_unit(struct gathering *gathering, size_t number)
{
    struct unit *unit = &gathering->units[number];
    const char *template = NULL;
    struct variables variables = {.use_environment = gathering->request->use_environment,
                                  .digest = gathering->digest,
                                  .problems = gathering->problems,
                                  .arena = gathering->arena};
    read_file(gathering, unit, &template, &variables.instance);
    hear(gathering, unit);
    read_variables(gathering, unit, &variables);
    read_drop_ins(gathering, unit, template, &variables);
    for (size_t i = 0; i < unit->documents.count; i++) {
        struct node *root = unit->documents.roots[i];
        if (root->type != NODE_MAPPING)
            interpolate(&variables, root);
        for (size_t j = 0; root->type == NODE_MAPPING && j < root->count; j++)
            if (!document_ignores(root->entries[j].key->text))
                interpolate(&variables, root->entries[j].value);
        inclusion_follow(&gathering->inclusion, number, root);
    }
    variables_clear(&variables);
}

/* ---- projects ---- */

static void inherit(struct gathering *gathering, struct unit *unit, const char *project)
{
    if (!unit->inherited) {
        unit->inherited = project;
        return;
    }
    if (unit->in_doubt || strcmp(project, unit->inherited) == 0)
        return;
    unit->in_doubt = true;
    problem_add(gathering->problems, (struct place){.file = unit->file.path}, "write project: NAME into it",
                "files of projects '%s' and '%s' include it: which one is meant?", unit->inherited, project);
}

/* A file without a project of its own is in that of the documents that include it. Who is included by nobody is in the
 * default one, as are circles that nobody else includes. */
static void resolve_projects(struct gathering *gathering)
{
    const struct inclusion *inclusion = &gathering->inclusion;
    const size_t count = inclusion->files->count;
    bool *included = arena_array_of(gathering->arena, bool, count + 1);
    struct problems silent = {.arena = gathering->arena}; /* hand_over() tells */
    for (size_t i = 0; i < inclusion->edge_count; i++)
        included[inclusion->edges[i].to] |= inclusion->edges[i].to != inclusion->edges[i].from;
    for (size_t i = 0; i < count; i++)
        if (!included[i])
            gathering->units[i].inherited = "default";
    for (size_t round = 0; round <= INCLUDE_DEPTH; round++)
        for (size_t i = 0; i < inclusion->edge_count; i++) {
            const struct include_edge *edge = &inclusion->edges[i];
            const char *project = document_project(gathering->arena, &silent, edge->root);
            if (!project)
                project = gathering->units[edge->from].inherited;
            if (project && edge->from != edge->to)
                inherit(gathering, &gathering->units[edge->to], project);
        }
}

static void hand_over(struct gathering *gathering, struct unit *unit)
{
    for (size_t i = 0; i < unit->documents.count; i++) {
        struct node *root = unit->documents.roots[i];
        const char *project = document_project(gathering->arena, gathering->problems, root);
        if (!project)
            project = unit->inherited;
        *arena_append(gathering->arena, gathering->out->items, gathering->out->count) =
            (struct document){.root = root,
                              .source = unit->file.source,
                              .folder = unit->file.folder,
                              .project = project ? project : "default"};
    }
}
