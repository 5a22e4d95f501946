#include "reconciler/builds.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/digest.h"
#include "lib/error.h"
#include "lib/machine.h"
#include "reconciler/build_from.h"
#include "reconciler/contexts.h"
#include "reconciler/plan_internal.h"
#include "reconciler/recipes.h"
#include "specs/remote.h"

struct reading {
    const struct builds_request *request;
    struct arena *arena;
    struct problems *problems;
    struct builds *builds;
    struct map begun, ended;         /* images, by full name */
    const struct object **under_way; /* each is made from the next one */
    size_t depth;
};

static void add_wish(struct reading *reading, const struct object *image);

/* ---- bases ---- */

struct finding {
    const struct reading *reading;
    const struct object *image;  /* that is built */
    const struct recipe *recipe; /* by this */
    int (*known)(void *context, const char *image, struct build_base *base);
    void *context;
};

static const struct object *find_object(const struct reading *reading, const char *name)
{
    const struct builds *builds = reading->builds;
    for (size_t i = 0; builds && i < builds->implied_count; i++)
        if (strcmp(builds->implied[i]->name, name) == 0)
            return builds->implied[i];
    return object_find(reading->request->desired, KIND_IMAGE, name);
}

/* An image of the same project that has this source: of the same name for the same one, so that recipes share it. */
static const struct object *imply_image(const struct finding *finding, const char *source, struct place place)
{
    const struct reading *reading = finding->reading;
    struct arena *arena = reading->arena;
    char id[OBJECT_ID_SIZE];
    const char *name = arena_printf(arena, "%s/from-%016llx", name_project(arena, finding->image->name),
                                    (unsigned long long)digest_short(source));
    const struct object *known = find_object(reading, name);
    if (known || !reading->builds) /* once it is planned it is there */
        return known;
    struct image *body = described_new(arena, &image_table);
    body->source = source;
    field_mark(&image_table, body, offsetof(struct image, source));
    struct object *object = arena_new_of(arena, struct object);
    *object = (struct object){.kind = KIND_IMAGE,
                              .name = name,
                              .id = arena_strdup(arena, object_id(KIND_IMAGE, name, id)),
                              .implicit = true,
                              .place = place,
                              .source = finding->image->source,
                              .body = body};
    return *arena_append(arena, reading->builds->implied, reading->builds->implied_count) = object;
}

struct likely { /* what a name may have been meant for */
    const char *reference, *project;
    const struct object *built; /* which is not made from itself */
    struct arena *arena;
    struct map own, others;
    const char *elsewhere; /* of just that name in another project; NULL */
};

static void add_likely(struct likely *likely, const struct object *image)
{
    const bool own = strcmp(name_project(likely->arena, image->name), likely->project) == 0;
    if (image->implicit || strcmp(image->name, likely->built->name) == 0)
        return;
    map_add(own ? &likely->own : &likely->others, image->name, likely);
    if (own)
        map_add(&likely->own, name_bare(image->name), likely);
    else if (!likely->elsewhere && strcmp(name_bare(image->name), likely->reference) == 0)
        likely->elsewhere = image->name;
}

/* What may have been meant by a name that nothing here has; NULL. */
static const char *hint_base(const struct finding *finding, const struct build_from_request *asked,
                             struct place at)
{
    struct arena *arena = finding->reading->arena;
    struct likely likely = {
        .reference = asked->reference, .project = asked->project, .built = finding->image, .arena = arena};
    for (size_t i = 0; i < finding->recipe->count; i++) {
        const struct recipe_stage *stage = finding->recipe->stages[i];
        if (stage->name && stage->place.line < at.line)
            map_add(&likely.own, stage->name, &likely);
    }
    for (size_t i = 0; i < asked->desired->count; i++)
        if (asked->desired->items[i]->kind == KIND_IMAGE)
            add_likely(&likely, asked->desired->items[i]);
    for (size_t i = 0; asked->actual && i < asked->actual->count; i++) {
        const struct entry *entry = &asked->actual->items[i];
        if (entry->kind == KIND_IMAGE && !entry_is_retained(entry) && !build_from_forgets(asked, entry))
            add_likely(&likely, &entry->object);
    }
    const char *near = likely.elsewhere;
    if (!near)
        near = map_nearest(&likely.own, likely.reference);
    if (!near)
        near = map_nearest(&likely.others, likely.reference);
    if (!near)
        near = source_meant(finding->reading->request->policy, likely.reference, arena);
    const char *hint = near ? arena_printf(arena, "did you mean '%s'?", near) : NULL;
    map_clear(&likely.own);
    map_clear(&likely.others);
    return hint;
}

/* Of a name that is none: those of images and of what registries hold are in lower case. */
static const char *hint_spelling(const struct finding *finding, const struct build_from_request *asked,
                                 struct place at)
{
    struct arena *arena = finding->reading->arena;
    struct build_from_choice choice;
    struct error error = {0};
    struct build_from_request lower = *asked;
    char *text = arena_strdup(arena, asked->reference);
    for (char *letter = text; *letter; letter++)
        *letter = (char)tolower((unsigned char)*letter);
    lower.reference = text;
    if (strcmp(text, asked->reference) != 0 && build_from(&lower, arena, &choice, &error) == 0)
        return arena_printf(arena, "names of images are in lower case: did you mean '%s'?", text);
    return hint_base(finding, asked, at);
}

/* An image of the set or the record, or one that is implied. NULL: the name means nothing. */
static const struct object *find_image(const struct finding *finding, const char *reference,
                                       struct build_base *base, struct error *error)
{
    const struct builds_request *request = finding->reading->request;
    struct arena *arena = finding->reading->arena;
    const struct build_from_request asked = {.reference = reference,
                                             .project = name_project(arena, finding->image->name),
                                             .desired = request->desired,
                                             .actual = request->actual,
                                             .policy = request->policy,
                                             .sources = request->sources,
                                             .source_count = request->source_count};
    struct build_from_choice choice;
    if (build_from(&asked, arena, &choice, error) < 0) {
        base->hint = hint_spelling(finding, &asked, base->at);
        return NULL;
    }
    base->why = choice.why;
    base->is_local = choice.image;
    base->is_alias = choice.kind == BUILD_FROM_ALIAS;
    if (choice.image)
        return choice.image;
    const struct object *image = imply_image(finding, choice.source, base->at);
    if (!image)
        error_set(error, -ENOENT, "%s is not there", reference);
    else if (choice.kind == BUILD_FROM_REGISTRY && !actual_find(request->actual, KIND_IMAGE, image->name))
        base->hint = hint_base(finding, &asked, base->at);
    return image;
}

static int known_before(void *context, const char *name, struct build_base *base);

static bool is_under_way(const struct reading *reading, const struct object *image)
{
    return map_get(&reading->begun, image->name) && !map_get(&reading->ended, image->name);
}

/* "a from b, b from a": of what is under way, from that image on. */
static int refuse_circle(const struct reading *reading, const struct object *image, struct error *error)
{
    _cleanup_buffer_ struct buffer circle = {0};
    size_t first = reading->depth;
    while (first && reading->under_way[first - 1] != image)
        first--;
    for (size_t i = first ? first - 1 : 0; i < reading->depth; i++) {
        const struct object *next = i + 1 < reading->depth ? reading->under_way[i + 1] : image;
        buffer_printf(&circle, "%s%s from %s", circle.length ? ", " : "", reading->under_way[i]->name,
                      next->name);
    }
    return error_set(error, -ELOOP, "images are made from each other: %s",
                     circle.length ? circle.bytes : image->name);
}

/* Also once it is made. */
static bool says_nothing(const struct image *image)
{
    return image->source && strncmp(image->source, "bootstrap:", strlen("bootstrap:")) == 0;
}

static int find_base(void *context, const char *reference, struct build_base *base, struct error *error)
{
    struct finding *finding = context;
    const struct object *image = find_image(finding, reference, base, error);
    if (!image)
        return error->code;
    if (strcmp(image->name, finding->image->name) == 0)
        return error_set(error, -ELOOP, "image %s is made from itself", reference);
    if (finding->known == known_before && image_is_built(image->body))
        add_wish(finding->context, image);
    if (finding->known == known_before && is_under_way(finding->context, image))
        return refuse_circle(finding->context, image, error);
    base->name = arena_printf(finding->reading->arena, "image %s", reference);
    base->image = image->name;
    const int result = finding->known(finding->context, image->name, base);
    if (!base->digest && !base->config && says_nothing(image->body))
        base->config = image_config_new(finding->reading->arena);
    return result;
}

/* What is recorded, as long as nothing says that it will be another. */
static int known_before(void *context, const char *name, struct build_base *base)
{
    const struct reading *reading = context;
    const struct object *object = find_object(reading, name);
    const struct entry *entry = actual_find(reading->request->actual, KIND_IMAGE, name);
    const struct build_wish *wish = builds_find(reading->builds, name);
    struct changes changes = {0};
    struct error error = {0};
    if (!entry || !entry->facts->digest || builds_awaits(reading->builds, name))
        return 0;
    if (object && (!wish || builds_compare_words(entry)))
        fields_diff(&image_table, entry->object.body, object->body, reading->arena, &changes);
    if (changes.count || (wish && wish->changes.count))
        return 0;
    base->digest = entry->facts->digest;
    struct image_config *config;
    if (image_config_parse(reading->arena, entry->facts->config, &config, &error) == 0)
        base->config = config;
    return 0;
}

/* ---- the whole ---- */

/* NULL: the command line says nothing of it. */
static const struct build_flags *flags_of(const struct builds_request *request, const struct object *image)
{
    return request->flags && texts_have(&request->flags->names, image->name) ? request->flags : NULL;
}

/* The first of a name counts. */
static struct pairs *with_flags(struct arena *arena, const struct pairs *given, const struct pairs *otherwise)
{
    struct pairs *all = arena_new_of(arena, struct pairs);
    for (size_t i = 0; given && i < given->count; i++)
        *arena_append(arena, all->items, all->count) = given->items[i];
    for (size_t i = 0; i < otherwise->count; i++)
        *arena_append(arena, all->items, all->count) = otherwise->items[i];
    return all;
}

static struct pairs secrets_of(struct arena *arena, const struct image_build *build)
{
    struct pairs files = {0};
    for (size_t i = 0; i < build->secrets.count; i++) {
        const struct build_secret *secret = build->secrets.items[i];
        *arena_append(arena, files.items, files.count) =
            (struct pair){.key = secret->id, .value = secret->file, .place = secret->described.place};
    }
    return files;
}

static const char *epoch_of(const struct image_build *build, struct arena *arena)
{
    const struct field *row = field_by_key(&image_build_table, "epoch");
    return field_is_present(&image_build_table, build, row)
               ? arena_printf(arena, "%lld", (long long)build->epoch)
               : NULL;
}

/* What this run fetched, and else what is recorded. */
static const struct pairs *fetched_of(const struct finding *finding, const char *image)
{
    const struct builds_request *request = finding->reading->request;
    struct arena *arena = finding->reading->arena;
    const struct entry *entry = actual_find(request->actual, KIND_IMAGE, image);
    struct pairs *all = arena_new_of(arena, struct pairs);
    for (size_t i = 0; request->held && i < request->held->count; i++)
        *arena_append(arena, all->items, all->count) = request->held->items[i];
    const char *line = entry ? entry->facts->fetched : NULL;
    while (line && *line) {
        const size_t digest = strcspn(line, " \n"), length = strcspn(line, "\n");
        if (digest == 64 && length > 65)
            *arena_append(arena, all->items, all->count) =
                (struct pair){.key = arena_strndup(arena, line + 65, length - 65),
                              .value = arena_strndup(arena, line, digest)};
        line += length + (line[length] == '\n');
    }
    return all;
}

static bool make(struct finding *finding, const struct build_wish *wish, struct problems *problems,
                 struct build **build)
{
    const struct image_build *body = ((const struct image *)wish->image->body)->build;
    struct arena *arena = finding->reading->arena;
    const char *slash = wish->file ? strrchr(wish->file, '/') : NULL;
    finding->recipe = wish->recipe;
    const struct build_flags *flags = flags_of(finding->reading->request, wish->image);
    const struct pairs secrets = secrets_of(arena, body);
    const struct build_request request = {
        .recipe = wish->recipe,
        .file = slash ? slash + 1 : wish->file,
        .folder = wish->folder,
        .arguments = with_flags(arena, flags ? &flags->args : NULL, &body->args),
        .stage = flags && flags->stage ? flags->stage : body->target,
        .stage_place = flags && flags->stage ? (struct place){0}
                                             : field_place(&image_build_table, body,
                                                           field_by_key(&image_build_table, "target")),
        .secrets = with_flags(arena, flags ? &flags->secrets : NULL, &secrets),
        .architecture = machine_architecture(),
        .epoch = epoch_of(body, arena),
        .fetched = fetched_of(finding, wish->image->name),
        .stamp = finding->reading->request->stamp,
        .salt = finding->reading->request->salt,
        .find = find_base,
        .context = finding};
    return build_make(&request, arena, problems, build);
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* False where there is none: it has to be fetched, or is wrong. */
static bool find_folder(const struct reading *reading, const struct object *image, const char **folder)
{
    const struct image_build *build = ((const struct image *)image->body)->build;
    struct builds *builds = reading->builds;
    struct context_found found;
    struct error error = {0};
    if (!build->context)
        return true;
    if (context_find(reading->request, image, reading->arena, &found, &error) < 0) {
        problem_add(reading->problems, image_build_place(image), NULL, "'build': %s", error.text);
        return false;
    }
    if (!found.folder)
        *arena_append(reading->arena, builds->fetches, builds->fetch_count) =
            (struct build_fetch){.image = image, .source = build->context, .digest = found.digest};
    *folder = found.folder;
    return found.folder;
}

static void read_wish(struct reading *reading, const struct object *image)
{
    const struct build_flags *flags = flags_of(reading->request, image);
    struct build_wish wish = {.image = image,
                              .flagged = flags ? flags->told : NULL,
                              .has_flags = flags && (flags->args.count || flags->secrets.count)};
    if (!find_folder(reading, image, &wish.folder))
        return;
    wish.recipe = recipe_of_image(image, wish.folder, reading->arena, reading->problems, &wish.file);
    if (!wish.recipe)
        return;
    struct finding finding = {.reading = reading, .image = image, .known = known_before, .context = reading};
    if (!make(&finding, &wish, reading->problems, &wish.build))
        return;
    const struct entry *entry = actual_find(reading->request->actual, KIND_IMAGE, image->name);
    if (entry && entry->facts->made_of)
        build_changes(base_name(wish.file),
                      wish.folder ? (struct place){.file = wish.file} : image_build_place(image),
                      entry->facts->made_of, wish.build, reading->arena, &wish.changes);
    struct build_wish *slot = arena_append(reading->arena, reading->builds->items, reading->builds->count);
    *slot = wish;
}

bool builds_compare_words(const struct entry *entry)
{
    return !entry->facts->made_of || !image_is_built(entry->object.body);
}

/* New, said otherwise, of another recipe, or on an image that is one of these. There are no circles: they are problems. */
static bool will_make(const struct reading *reading, const struct object *image)
{
    const struct entry *entry = actual_find(reading->request->actual, KIND_IMAGE, image->name);
    const struct build_wish *wish = builds_find(reading->builds, image->name);
    struct changes said = {0};
    if (builds_fetch(reading->builds, image->name))
        return true;
    if (texts_have(&reading->request->moved, image->name))
        return true;
    if (!entry || entry_is_unfinished(entry) || (wish && (wish->changes.count || reading->builds->forced)))
        return true;
    if (!wish || builds_compare_words(entry))
        fields_diff(&image_table, entry->object.body, image->body, reading->arena, &said);
    if (changes_class(&said) >= CLASS_RECREATE)
        return true;
    for (size_t i = 0; wish && i < wish->build->base_count; i++) {
        const char *base = wish->build->bases[i].image;
        const struct object *object = base ? find_object(reading, base) : NULL;
        if (object && will_make(reading, object))
            return true;
    }
    return false;
}

/* Before it come the images that it stands on; which those are, its recipe says. */
static void add_wish(struct reading *reading, const struct object *image)
{
    if (!map_add(&reading->begun, image->name, (void *)image))
        return;
    *arena_append(reading->arena, reading->under_way, reading->depth) = image;
    read_wish(reading, image);
    reading->depth--;
    map_add(&reading->ended, image->name, (void *)image);
}

void builds_judge(const struct builds_request *request, struct arena *arena, struct builds *builds)
{
    const struct reading reading = {.request = request, .arena = arena, .builds = builds};
    for (size_t i = 0; i < builds->count; i++)
        builds->items[i].made = will_make(&reading, builds->items[i].image);
}

void builds_read(const struct builds_request *request, struct arena *arena, struct problems *problems,
                 struct builds *builds)
{
    *builds = (struct builds){.forced = request->salt, .tried = request->fetched};
    struct reading reading = {.request = request, .arena = arena, .problems = problems, .builds = builds};
    for (size_t i = 0; i < request->desired->count; i++) {
        const struct object *image = request->desired->items[i];
        if (image->kind == KIND_IMAGE && image_is_built(image->body))
            add_wish(&reading, image);
    }
    map_clear(&reading.begun);
    map_clear(&reading.ended);
    builds_judge(request, arena, builds);
}

void builds_imply(const struct builds *builds, struct arena *arena, struct object_set *set)
{
    if (!builds->implied_count)
        return;
    struct object **items = arena_array_of(arena, struct object *, set->count + builds->implied_count + 1);
    memcpy(items, set->items, set->count * sizeof(*items));
    memcpy(items + set->count, builds->implied, builds->implied_count * sizeof(*items));
    *set = (struct object_set){.items = items, .count = set->count + builds->implied_count};
    object_set_sort(set);
    object_set_index(set, arena);
}

const struct build_wish *builds_find(const struct builds *builds, const char *image)
{
    for (size_t i = 0; builds && i < builds->count; i++)
        if (strcmp(builds->items[i].image->name, image) == 0)
            return &builds->items[i];
    return NULL;
}

const struct build_fetch *builds_fetch(const struct builds *builds, const char *image)
{
    for (size_t i = 0; builds && i < builds->fetch_count; i++)
        if (strcmp(builds->fetches[i].image->name, image) == 0)
            return &builds->fetches[i];
    return NULL;
}

const struct build_base *builds_asks(const struct builds *builds, const char *image)
{
    for (size_t i = 0; builds && i < builds->count; i++) {
        const struct build *build = builds->items[i].build;
        for (size_t j = 0; j < build->base_count; j++)
            if (text_is_same(build->bases[j].image, image))
                return &build->bases[j];
    }
    return NULL;
}

/* There are no circles: they are problems. */
bool builds_awaits(const struct builds *builds, const char *image)
{
    const struct build_wish *wish = builds && builds->fetch_count ? builds_find(builds, image) : NULL;
    for (size_t i = 0; wish && i < wish->build->base_count; i++)
        if (wish->build->bases[i].image && builds_awaits(builds, wish->build->bases[i].image))
            return true;
    return builds_fetch(builds, image);
}

struct build_address *builds_address(const struct builds_request *request, const char *url,
                                     const char *digest, struct arena *arena)
{
    struct build_address *fetch = described_new(arena, &build_address_table);
    fetch->url = url;
    fetch->digest = digest;
    fetch->guarded = !request->policy || !request->policy->builds->private_addresses;
    fetch->offline = request->offline;
    if (request->policy)
        fetch->downloads = request->policy->downloads;
    return described_whole(&build_address_table, fetch);
}

int builds_again(const struct build_wish *wish, const struct builds_request *request,
                 int (*known)(void *context, const char *image, struct build_base *base), void *context,
                 struct arena *arena, struct build **build, struct error *error)
{
    struct problems problems = {.arena = arena};
    struct reading reading = {.request = request, .arena = arena, .problems = &problems};
    struct finding finding = {.reading = &reading, .image = wish->image, .known = known, .context = context};
    if (make(&finding, wish, &problems, build))
        return 0;
    if (!problems.count)
        return error_set(error, -EINVAL, "%s cannot be built", wish->file);
    return error_set(error, -EINVAL, "%s:%u: %s", base_name(wish->file), problems.items[0].place.line,
                     problems.items[0].message);
}
