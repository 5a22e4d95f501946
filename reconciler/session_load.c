/* What the files say: policy, specs and recipes, read together and told of together. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/asked.h"
#include "lib/error.h"
#include "reconciler/narrow.h"
#include "reconciler/recipes.h"
#include "reconciler/session.h"
#include "reconciler/unlisted.h"
#include "specs/forms.h"

/* A path that names nothing, given by hand and never applied, is a slip of the pen. */
static int check_arguments(const struct session *session, struct error *error)
{
    for (size_t i = 0; i < session->set.source_count && session->options->file_count; i++) {
        const struct spec_source *source = &session->set.sources[i];
        if (source->is_missing && !session->options->automatic && !session_holds(session, source->name))
            return error_set(error, -ENOENT, "%s: there is no such file, or no *.yaml in that folder",
                             source->argument);
    }
    return 0;
}

/* SEMANTICS 19: what was taken down by hand stays down until it is applied by hand. */
static struct texts down_sources(const struct session *session)
{
    struct texts down = {0};
    for (size_t i = 0; i < session->snapshot.source_count && session->options->automatic; i++)
        if (session->snapshot.sources[i]->down)
            *arena_append(session->arena, down.items, down.count) = session->snapshot.sources[i]->name;
    return down;
}

/* The files that problems were found in. */
static void add_broken_files(const struct session *session, const struct problems *problems,
                             struct texts *files)
{
    for (size_t i = 0; i < problems->count; i++) {
        const char *file = spec_file_owner(session->arena, problems->items[i].place.file);
        bool known = false;
        for (size_t j = 0; j < files->count && !known; j++)
            known = strcmp(files->items[j], file) == 0;
        if (!known)
            *arena_append(session->arena, files->items, files->count) = file;
    }
}

/* SEMANTICS 17: broken files are held back singly if the rest validates, else together. */
static int hold_back_files(struct session *session, struct spec_request *request,
                           const struct object_set *recorded, struct error *error)
{
    struct problems problems = session->problems;
    for (size_t i = 0; i < problems.count; i++)
        if (strcmp(problems.items[i].place.file, session->paths.conf) == 0)
            return -EINVAL; /* what is permitted is in doubt */
    size_t before;
    int result = -EINVAL;
    do {
        before = request->held_back.count;
        add_broken_files(session, &problems, &request->held_back);
        problems = (struct problems){.arena = session->arena};
        result = specs_load(request, recorded, session->arena, &session->set, &problems, error);
    } while (result == -EINVAL && request->held_back.count > before);
    if (result >= 0)
        session->held_back = request->held_back;
    return result;
}

/* Who names an image that nothing declares may mean a folder, or a file that is not among the standard ones. */
static int not_declared(const struct session *session, const char *name, struct error *error)
{
    struct stat status;
    const char *said = arena_strdup(session->arena, error->text), *here = ask_getcwd(session->arena);
    const size_t length = strlen(said);
    const char *join = length && said[length - 1] == '?' ? " " : "; ";
    if (ask_stat(path_clean(session->arena, here ? here : "/", name), &status) == 0 &&
        S_ISDIR(status.st_mode))
        return error_set(error, -ENOENT, "%s%s./%s is built by: fpsync build ./%s", said, join, name, name);
    if (!session->options->file_count && *join == ';')
        return error_set(error, -ENOENT, "%s in %s; -f says which file declares it", said,
                         session->paths.specs);
    return -ENOENT;
}

/* The images that flags are for, under the names that the set has them by. */
static int name_flagged(struct session *session, struct error *error)
{
    const struct build_flags *given = session->options->build;
    if (!given)
        return 0;
    struct texts names = {0};
    for (size_t i = 0; i < given->images.count; i++) {
        struct object *image;
        int result =
            narrow_find(&session->set.objects, given->images.items[i], session->arena, &image, error);
        if (result == -ENOENT)
            return not_declared(session, given->images.items[i] + strlen("image/"), error);
        if (result < 0)
            return result;
        *arena_append(session->arena, names.items, names.count) = image->name;
    }
    session->build_flags = *given;
    session->build_flags.names = names;
    return 0;
}

/* SEMANTICS 26: recipes are read with the specs, and what is wrong in them is told with what is wrong there. */
int session_load_builds(struct session *session, struct error *error)
{
    struct timespec now;
    int result = name_flagged(session, error);
    if (result < 0)
        return result;
    clock_gettime(CLOCK_REALTIME, &now);
    session->builds_request = (struct builds_request){
        .paths = &session->paths,
        .fetched = session->has_fetched,
        .desired = &session->set.objects,
        .actual = &session->actual,
        .sources = session->set.sources,
        .source_count = session->set.source_count,
        .policy = session->policy,
        .flags = session->options->build ? &session->build_flags : NULL,
        .offline = session->options->offline,
        .salt = session->options->no_cache && !session->has_built
                    ? arena_printf(session->arena, "%lld.%09ld", (long long)now.tv_sec, now.tv_nsec)
                    : NULL,
        .stamp = getenv("SOURCE_DATE_EPOCH")};
    builds_read(&session->builds_request, session->arena, &session->problems, &session->builds);
    builds_imply(&session->builds, session->arena, &session->set.objects);
    if (!session->problems.count || session->held_back.count)
        return 0;
    problems_sort(&session->problems);
    return error_set(error, -EINVAL, "a recipe is invalid");
}

int session_load_declared(struct session *session, struct error *error)
{
    struct object_set recorded = {0};
    for (size_t i = 0; i < session->actual.count; i++) {
        struct entry *entry = &session->actual.items[i];
        /* A volume that was never finished may become another. */
        if (!entry_is_retained(entry) && (entry->kind != KIND_VOLUME || !entry_is_unfinished(entry)))
            *arena_append(session->arena, recorded.items, recorded.count) = &entry->object;
    }
    struct spec_request request = {.arguments = session->options->files,
                                   .count = session->options->file_count,
                                   .source_name = session->options->source,
                                   .default_directory = session->paths.specs,
                                   .left_out = down_sources(session),
                                   .use_environment =
                                       session->options->file_count && !session->options->automatic};
    session->problems = (struct problems){.arena = session->arena};
    if (!policy_load(session->paths.conf, session->arena, &session->policy, &session->problems))
        session->policy = NULL; /* the set is refused for it, and what is in force stays so */
    const struct unlisted *unlisted = session->options->build ? session->options->build->unlisted : NULL;
    int result =
        unlisted ? unlisted_check(session, unlisted, error)
                 : specs_load(&request, &recorded, session->arena, &session->set, &session->problems, error);
    if (unlisted && result >= 0)
        unlisted_make(session, unlisted, session->arena, &session->set);
    if (result == -EINVAL && session->options->automatic && recorded.count)
        result = hold_back_files(session, &request, &recorded, error);
    if (result == -EINVAL) {
        recipes_check(&session->set.refused, session->arena, &session->problems);
        problems_sort(&session->problems);
    }
    return result >= 0 ? check_arguments(session, error) : result;
}

int session_load(struct session *session, struct error *error)
{
    int result = session_load_declared(session, error);
    if (result >= 0)
        result = session_load_builds(session, error);
    if (result >= 0 && session->options->target_count)
        result = narrow_set(&session->set, &session->builds, session->options->targets,
                            session->options->target_count, session->arena, error);
    return result;
}

int session_load_policy(struct session *session, struct error *error)
{
    session->problems = (struct problems){.arena = session->arena};
    if (policy_load(session->paths.conf, session->arena, &session->policy, &session->problems))
        return 0;
    return error_set(error, -EINVAL, "%s says nothing that could be used", session->paths.conf);
}
