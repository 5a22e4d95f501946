/* What a source in the context is: its matches, what of it is left out, and its digest. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "drivers/image/view_context.h"
#include "lib/error.h"
#include "reconciler/build_internal.h"
#include "specs/forms.h"

struct filtering { /* the ignore file, and --exclude of one instruction below one source */
    const struct ignore *ignore, *excluded;
    const struct context_source *source; /* that `excluded` is relative to; NULL: they are not asked */
    const struct ignore_rule *last;      /* that left something out, for messages */
    struct ignore_memory memory;         /* of `ignore` */
};

struct finding {
    struct making *making;
    const struct input_request *request;
    struct list *sources;
    struct build_part *part;
    struct ignore excluded;
    const char *pattern; /* relative to the context and clean; "." is all of it */
};

static bool open_context(struct making *making, struct place place);
static bool read_excluded(struct finding *finding, const struct variables *variables);
static bool find_glob(struct finding *finding);
static bool add_match(struct finding *finding, const char *path, bool is_one_of_many);

/* The pattern of an --exclude is of the names in a folder that is copied; of a single file, of its own. */
static const struct ignore_rule *find_excluded(const struct filtering *filtering, const char *path)
{
    const struct context_source *source = filtering->source;
    if (!source || !filtering->excluded->count)
        return NULL;
    const size_t length = strlen(source->path);
    const char *below = path + length + (length && path[length] == '/'), *slash = strrchr(path, '/');
    if (!*below && !source->is_folder)
        below = slash ? slash + 1 : path;
    return *below ? ignore_find_alone(filtering->excluded, below) : NULL;
}

static bool leaves_out(void *context, const char *path)
{
    struct filtering *filtering = context;
    const struct ignore_rule *rule = ignore_find_next(filtering->ignore, &filtering->memory, path);
    if (!rule)
        rule = find_excluded(filtering, path);
    if (rule)
        filtering->last = rule;
    return rule != NULL;
}

void inputs_close(struct making *making)
{
    if (making->folder >= 0)
        close(making->folder);
    making->folder = -1;
}

void add_input(struct making *making, struct build_part *part, const char *path, const char *digest)
{
    struct build_input *input = arena_append(making->arena, part->inputs, part->input_count);
    *input = (struct build_input){.path = path, .digest = digest};
}

bool find_inputs(struct making *making, const struct input_request *request,
                 const struct variables *variables, struct list *sources, struct build_part *part)
{
    struct finding finding = {.making = making, .request = request, .sources = sources, .part = part};
    if (!open_context(making, request->place))
        return false;
    /* As if from the context on: a '/' at the begin is the context, and ".." leads to it at most. The rest of S18, links
     * that lead out, is the view's. */
    const char *clean = path_clean(making->arena, "/", request->pattern);
    finding.pattern = clean[1] ? clean + 1 : ".";
    for (const char *at = request->pattern; at && *at; at = strchr(at, '/') ? strchr(at, '/') + 1 : NULL)
        if (strncmp(at, "..", 2) == 0 && (!at[2] || at[2] == '/')) {
            problem_add(making->problems, request->place, "put it into the context, or take a larger one",
                        "%s: '%s' leads out of the context",
                        recipe_keyword_name(request->instruction->keyword), request->pattern);
            return false;
        }
    if (!read_excluded(&finding, variables))
        return false;
    return request->is_glob ? find_glob(&finding) : add_match(&finding, finding.pattern, false);
}

/* ---- the context ---- */

/* Beside NAME of the recipe "NAME.dockerignore" comes first, as docker has it. */
static bool read_ignore(struct making *making, struct place place)
{
    const char *own = arena_printf(making->arena, "%s.dockerignore", making->request->file);
    const char *const names[] = {own, ".recipeignore", ".dockerignore"};
    making->ignore = arena_new_of(making->arena, struct ignore);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        _cleanup_buffer_ struct buffer text = {0};
        struct error error = {0};
        int result = context_read(making->folder, names[i], IGNORE_SIZE, &text, &error);
        if (result == -ENOENT)
            continue;
        if (result < 0) {
            problem_add(making->problems, place, NULL, "%s", error.text);
            return false;
        }
        return ignore_read(making->ignore, arena_join(making->arena, making->request->folder, '/', names[i]),
                           text.bytes, text.length, making->arena, making->problems);
    }
    return true;
}

static bool open_context(struct making *making, struct place place)
{
    struct error error = {0};
    if (making->folder >= 0)
        return making->has_context;
    if (!making->request->folder) {
        problem_add(making->problems, place, "give the build a context", "there is no context to copy from");
        return false;
    }
    making->folder = context_open(making->request->folder, &error);
    if (making->folder < 0) {
        problem_add(making->problems, place, NULL, "%s", error.text);
        return false;
    }
    return making->has_context = read_ignore(making, place);
}

static bool read_excluded(struct finding *finding, const struct variables *variables)
{
    const struct recipe_instruction *instruction = finding->request->instruction;
    for (size_t i = 0; i < instruction->flag_count; i++) {
        const struct recipe_flag *flag = &instruction->flags[i];
        if (strcmp(flag->name, "exclude") != 0)
            continue;
        const char *pattern = expand_text(finding->making, variables, flag->value, flag->place,
                                          recipe_keyword_name(instruction->keyword));
        if (!pattern || !ignore_add(&finding->excluded, pattern, flag->place, finding->making->arena,
                                    finding->making->problems))
            return false;
    }
    return true;
}

/* ---- one match ---- */

static bool refuse(struct finding *finding, const struct filtering *filtering, int code,
                   const struct error *error)
{
    struct making *making = finding->making;
    const char *keyword = recipe_keyword_name(finding->request->instruction->keyword), *hint = NULL;
    const struct ignore_rule *rule = filtering ? filtering->last : NULL;
    if (code == -ENOENT && rule)
        hint = rule->place.file && rule->place.line
                   ? arena_printf(making->arena, "%s:%u leaves it out: %s", rule->place.file,
                                  rule->place.line, rule->text)
                   : NULL;
    else if (code == -ENOENT && strncmp(finding->request->pattern, "--", 2) == 0)
        hint = "flags stand before the sources";
    else if (code == -ENOENT && *finding->request->pattern == '[')
        hint = "a JSON array is [\"...\", \"...\"]";
    else if (code == -ENOENT)
        hint = "a source is in the context, which is the folder of the build";
    else if (code == -EMEDIUMTYPE)
        hint = "a line of .dockerignore leaves it out";
    problem_add(making->problems, finding->request->place, hint, "%s: %s", keyword, error->text);
    return false;
}

static void take_source(struct finding *finding, const char *path, const struct context_source *found)
{
    struct arena *arena = finding->making->arena;
    struct build_source *source = described_new(arena, &build_source_table);
    source->key = arena_printf(arena, "%zu", finding->sources->count);
    source->folder = finding->making->request->folder;
    /* What is left out of a folder is named from where it is; of a file it is the name that counts. */
    source->path = found->is_folder && *found->path ? found->path : path;
    source->excluded = found->excluded;
    source->included = found->included;
    source->digest = found->digest;
    *arena_append(arena, finding->sources->items, finding->sources->count) =
        described_whole(&build_source_table, source);
    *arena_append(arena, finding->making->build->taken.items, finding->making->build->taken.count) = source;
    add_input(finding->making, finding->part, path, found->digest);
}

/* Of many, one that --exclude leaves out is none. */
static bool add_match(struct finding *finding, const char *path, bool is_one_of_many)
{
    struct context_source found;
    struct filtering filtering = {
        .ignore = finding->making->ignore, .excluded = &finding->excluded, .source = &found};
    const struct context_filter filter = {.leaves_out = leaves_out,
                                          .has_exceptions =
                                              filtering.ignore->takes_in || finding->excluded.takes_in,
                                          .context = &filtering};
    struct error error = {0};
    int result = context_look(finding->making->folder, path, &filter, finding->making->arena, &found, &error);
    if (result == -ENOENT && filtering.last && is_one_of_many)
        return true;
    if (result < 0)
        return refuse(finding, &filtering, result, &error);
    take_source(finding, path, &found);
    return true;
}

/* ---- globs ---- */

static bool matches(void *context, const char *pattern, const char *name)
{
    struct finding *finding = context;
    struct glob *glob = glob_read(finding->making->arena, pattern, false);
    return glob && glob_matches(glob, name);
}

static bool check_glob(struct finding *finding)
{
    if (glob_read(finding->making->arena, finding->pattern, false))
        return true;
    problem_add(finding->making->problems, finding->request->place,
                "put an escape, \\, before a '[' that is one", "%s: '%s' is no pattern",
                recipe_keyword_name(finding->request->instruction->keyword), finding->request->pattern);
    return false;
}

static bool find_glob(struct finding *finding)
{
    struct filtering filtering = {.ignore = finding->making->ignore};
    const struct context_filter filter = {
        .leaves_out = leaves_out, .has_exceptions = filtering.ignore->takes_in, .context = &filtering};
    struct error error = {0};
    struct texts paths = {0};
    if (!check_glob(finding))
        return false;
    int result = context_match(finding->making->folder, finding->pattern, matches, finding, &filter,
                               finding->making->arena, &paths, &error);
    if (result < 0)
        return refuse(finding, NULL, result, &error);
    if (!paths.count) {
        error_set(&error, -ENOENT, "nothing in the context matches %s", finding->request->pattern);
        return refuse(finding, &filtering, -ENOENT, &error);
    }
    for (size_t i = 0; i < paths.count; i++)
        if (!add_match(finding, paths.items[i], true))
            return false;
    return true;
}
