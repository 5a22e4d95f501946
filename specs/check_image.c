/* Where an image comes from: a source, or a build; and that what is said belongs to it. */
#include <string.h>

#include "specs/check.h"
#include "specs/remote.h"

static struct place place_in(const struct object *object, const char *key)
{
    return field_place(&image_table, object->body, field_by_key(&image_table, key));
}

static void check_origin(struct world *world, const struct object *object)
{
    const struct image *image = object->body;
    const bool has_source = field_is_present(&image_table, image, field_by_key(&image_table, "source"));
    const bool has_build = field_is_present(&image_table, image, field_by_key(&image_table, "build"));
    if (has_source && has_build)
        problem_add(world->problems, place_in(object, "build"), "leave one of them out",
                    "an image has a source or is built, not both");
    if (!has_source && !has_build)
        problem_add(world->problems, object->place, "add source: \"bootstrap:bookworm\", or build: FOLDER",
                    "image needs 'source' or 'build'");
}

static void check_build(struct world *world, const struct object *object)
{
    const struct image_build *build = ((const struct image *)object->body)->build;
    const struct place at = place_in(object, "build");
    if (build->context && (build->from || build->steps.count))
        problem_add(world->problems, at, "write the steps into the folder's recipe",
                    "a build has a folder or steps, not both");
    if (!build->context && !build->from)
        problem_add(world->problems, at, "write build: FOLDER, or build: {from: IMAGE, steps: [...]}",
                    "a build needs a folder, or the image that its steps begin on");
    if (!build->context && build->recipe)
        problem_add(world->problems, at, "add context: FOLDER",
                    "'recipe' names a file of a folder, and there is none");
    if (!build->context && build->digest)
        problem_add(world->problems, at, "add context: ARCHIVE",
                    "'digest' is that of an archive, and there is none");
    if (build->recipe && (*build->recipe == '/' || strstr(build->recipe, "..")))
        problem_add(world->problems, at, "write its path in the folder", "'recipe' leads out of the folder");
}

/* Asking a server is for what a server has, under a name that may come to stand for something else. */
static void check_asking(struct world *world, const struct object *object)
{
    const struct image *image = object->body;
    const bool always = text_is_same(image->pull, "always");
    const char *key = image->follow ? "follow" : "pull";
    if (!always && !image->follow)
        return;
    if (!image->source || !source_is_fetched(image->source))
        problem_add(world->problems, place_in(object, key), "leave it out",
                    "'%s' asks a server, and this image comes from none", key);
    else if (image->digest)
        problem_add(world->problems, place_in(object, key), "leave one of them out",
                    "'%s' takes what the server has today, and 'digest' nothing but one", key);
    else if (image->follow && (always || text_is_same(image->pull, "never")))
        problem_add(world->problems, place_in(object, key), "leave one of them out",
                    "'pull: %s' asks %s, and 'follow' asks the server now and then", image->pull,
                    always ? "it each time" : "none");
}

/* What nothing is held against must not look as if it were. */
static void check_pin(struct world *world, const struct object *object)
{
    const struct image *image = object->body;
    const bool is_built = field_is_present(&image_table, image, field_by_key(&image_table, "build"));
    if (!image->digest || (!image->source && !is_built) ||
        (image->source && source_is_fetched(image->source)))
        return;
    problem_add(world->problems, place_in(object, "digest"),
                is_built ? "leave it out; an archive that is built is pinned by build: {context, digest}"
                         : "leave it out, or fetch the image: https:, oci: or a server of images",
                "'digest' is that of what is fetched, and this image is not");
}

void check_image(struct world *world, const struct object *object)
{
    const struct image *image = object->body;
    if (image->packages.count && image->source && strncmp(image->source, "bootstrap:", 10) != 0)
        problem_add(world->problems, place_in(object, "packages"),
                    "remove packages, or use source: bootstrap:SUITE", "only a bootstrap can have packages");
    check_origin(world, object);
    if (field_is_present(&image_table, image, field_by_key(&image_table, "build")))
        check_build(world, object);
    check_asking(world, object);
    check_pin(world, object);
}
