#include "reconciler/recipes.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "drivers/image/view_context.h"
#include "lib/error.h"

struct place image_build_place(const struct object *image)
{
    return field_place(&image_table, image->body, field_by_key(&image_table, "build"));
}

/* The folder's Recipe, else its Dockerfile; or the one that is said. */
static int read_file(const struct image_build *build, const char *context, struct arena *arena,
                     const char **name, struct buffer *text, struct error *error)
{
    static const char *const standard[] = {"Recipe", "Dockerfile"};
    _cleanup_close_ int folder = context_open(context, error);
    if (folder < 0)
        return folder;
    int result = -ENOENT;
    for (size_t i = 0; i < (build->recipe ? 1 : 2) && result == -ENOENT; i++) {
        *name = build->recipe ? build->recipe : standard[i];
        result = buffer_read_file(text, folder, *name, RECIPE_SIZE, error);
    }
    if (result == -ENOENT && !build->recipe)
        return error_set(error, result, "%s has neither a Recipe nor a Dockerfile", build->context);
    if (result >= 0)
        *name = arena_printf(arena, "%s/%s", context, *name);
    return result;
}

static struct recipe *read_folder(const struct object *image, const char *folder, struct arena *arena,
                                  struct problems *problems, const char **file)
{
    const struct image_build *build = ((const struct image *)image->body)->build;
    _cleanup_buffer_ struct buffer text = {0};
    struct error error = {0};
    struct recipe *recipe = NULL;
    if (read_file(build, folder, arena, file, &text, &error) < 0) {
        problem_add(problems, image_build_place(image), NULL, "'build': %s", error.text);
        return NULL;
    }
    const struct recipe_piece piece = {.text = arena_copy(arena, text.bytes, text.length + 1),
                                       .length = text.length,
                                       .place = {.file = *file, .line = 1, .column = 1}};
    recipe_read(&piece, 1, arena, problems, &recipe);
    return recipe;
}

/* Of the instruction's own item in the list; 0 is the FROM that `from` stands for. */
static struct text_place place_of_step(const struct object *image, size_t number)
{
    const struct image_build *build = ((const struct image *)image->body)->build;
    if (number && build->step_places)
        return build->step_places[number - 1];
    const struct place from =
        field_place(&image_build_table, build, field_by_key(&image_build_table, "from"));
    return (struct text_place){.place = from.line ? from : image_build_place(image)};
}

/* Steps in the spec: a recipe of one stage. */
static struct recipe *read_steps(const struct object *image, struct arena *arena, struct problems *problems,
                                 const char **file)
{
    const struct image_build *build = ((const struct image *)image->body)->build;
    struct recipe_piece *pieces = arena_array_of(arena, struct recipe_piece, build->steps.count + 1);
    struct recipe *recipe = NULL;
    for (size_t i = 0; i <= build->steps.count; i++) {
        const char *text = i ? build->steps.items[i - 1] : arena_printf(arena, "FROM %s", build->from);
        const struct text_place at = place_of_step(image, i);
        pieces[i] = (struct recipe_piece){
            .text = text, .length = strlen(text), .place = at.place, .fixed = !at.is_block};
    }
    *file = image->place.file;
    recipe_read(pieces, build->steps.count + 1, arena, problems, &recipe);
    return recipe;
}

struct recipe *recipe_of_image(const struct object *image, const char *folder, struct arena *arena,
                               struct problems *problems, const char **file)
{
    return folder ? read_folder(image, folder, arena, problems, file)
                  : read_steps(image, arena, problems, file);
}

void recipes_check(const struct object_set *set, struct arena *arena, struct problems *problems)
{
    for (size_t i = 0; i < set->count; i++) {
        const struct object *image = set->items[i];
        const struct image_build *build =
            image->kind == KIND_IMAGE ? ((const struct image *)image->body)->build : NULL;
        const char *file;
        struct stat status;
        if (!build || (!build->context && !build->from))
            continue;
        if (!build->context)
            read_steps(image, arena, problems, &file);
        else if (*build->context == '/' && (stat(build->context, &status) < 0 || S_ISDIR(status.st_mode)))
            read_folder(image, build->context, arena, problems, &file);
    }
}
