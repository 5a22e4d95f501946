/* Rows of images and of how they are built. */
#include "specs/rows.h"

static const struct field build_secret_rows[] = {
    {.id = 1,
     .key = "id",
     .type = FIELD_TEXT,
     .form = FORM_PLAIN,
     AT(build_secret, id),
     .class = CLASS_RECORD,
     .flags = FIELD_REQUIRED,
     .example = "npm",
     .help = "The id that RUN --mount=type=secret,id=ID names."},
    {.id = 2,
     .key = "file",
     .type = FIELD_TEXT,
     .form = FORM_HOST_PATH,
     AT(build_secret, file),
     .class = CLASS_RECORD,
     .flags = FIELD_REQUIRED,
     .example = "/etc/npm.token",
     .help = "The file of the host that holds the value, at most 512 KiB; it is read while RUN begins, and "
             "its value is nowhere recorded."},
};
const struct table build_secret_table = {.name = "image.build.secrets",
                                         .size = sizeof(struct build_secret),
                                         TABLE_ROWS(build_secret_rows),
                                         .help = "A secret of a build."};

static const struct field image_build_rows[] = {
    {.id = 1,
     .key = "context",
     .type = FIELD_TEXT,
     .form = FORM_CONTEXT,
     AT(image_build, context),
     .class = CLASS_RECREATE,
     .example = "./wordpress",
     .help =
         "The folder that COPY and ADD take files from, and that the recipe is in; a relative path starts "
         "at the folder of the spec file. Or an archive of it: a file, an https:// address, or REMOTE:NAME, "
         "the "
         "recipe that an image was published with."},
    {.id = 2,
     .key = "recipe",
     .type = FIELD_TEXT,
     .form = FORM_PLAIN,
     AT(image_build, recipe),
     .class = CLASS_RECREATE,
     .example = "Recipe.test",
     .help = "The recipe's name in the folder, if it is neither Recipe nor Dockerfile."},
    {.id = 3,
     .key = "from",
     .type = FIELD_TEXT,
     .form = FORM_PLAIN,
     AT(image_build, from),
     .class = CLASS_RECREATE,
     .example = "base",
     .help = "Without a folder: the image that the steps begin on, as a recipe's FROM says it."},
    {.id = 4,
     .key = "steps",
     .type = FIELD_TEXTS,
     AT(image_build, steps),
     .item_places = offsetof(struct image_build, step_places),
     .class = CLASS_RECREATE,
     .flags = FIELD_LINES,
     .example = "[\"RUN apt-get update\", \"ENV A=b\"]",
     .help =
         "The instructions after that, one each; what has several lines, as a here-document, is written as "
         "a block (- |)."},
    {.id = 5,
     .key = "args",
     .type = FIELD_PAIRS,
     .form = FORM_VARIABLE,
     AT(image_build, args),
     .class = CLASS_RECREATE,
     .example = "{VERSION: \"2.1\"}",
     .help = "Values of the recipe's ARG."},
    {.id = 6,
     .key = "target",
     .type = FIELD_TEXT,
     .form = FORM_PLAIN,
     AT(image_build, target),
     .class = CLASS_RECREATE,
     .example = "runtime",
     .help = "The stage that becomes the image, if it is not the last one."},
    {.id = 7,
     .key = "network",
     .type = FIELD_TEXT,
     .form = FORM_BUILD_NETWORK,
     AT(image_build, network),
     .class = CLASS_RECORD,
     .example = "front",
     .help = "The network that RUN has, or none; without it the project's default."},
    {.id = 8,
     .key = "secrets",
     .type = FIELD_LIST,
     AT(image_build, secrets),
     .class = CLASS_RECORD,
     .nested = &build_secret_table,
     .example = "{npm: {file: /etc/npm.token}}",
     .help =
         "What RUN --mount=type=secret,id=ID gets to see: in no image and in no key of a step, so another "
         "value is no reason to build again."},
    {.id = 13,
     .key = "epoch",
     .type = FIELD_NUMBER,
     AT(image_build, epoch),
     .class = CLASS_RECREATE,
     .maximum = 999999999999,
     .example = "1700000000",
     .help =
         "Seconds since 1970 that no file of the image is newer than, so that the same recipe gives the same "
         "bytes whenever it is built: SOURCE_DATE_EPOCH, declared."},
    {.id = 11,
     .key = "digest",
     .type = FIELD_TEXT,
     .form = FORM_DIGEST,
     AT(image_build, digest),
     .class = CLASS_RECORD,
     .example = "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
     .help = "The archive that holds the recipe must have this digest."},
};
const struct table image_build_table = {.name = "image.build",
                                        .size = sizeof(struct image_build),
                                        TABLE_ROWS(image_build_rows),
                                        .help = "How an image is made from a recipe."};

static const char *const pulls[] = {"missing", "never", "always", NULL};

static const struct field image_rows[] = {
    {.id = 1,
     .key = "source",
     .type = FIELD_TEXT,
     .form = FORM_IMAGE_SOURCE,
     AT(image, source),
     .class = CLASS_RECREATE,
     .example = "\"bootstrap:bookworm\"",
     .help =
         "Where the root file system comes from: bootstrap:SUITE (mmdebstrap with the host's apt sources); "
         "file:PATH, a tar archive, a squashfs or a folder, where a relative path starts at the folder of "
         "the spec file, "
         "and where what it holds may be an OCI layout or what `docker save` writes; oci-layout:PATH[:TAG], "
         "one image "
         "of such a layout; oci:NAME, one of a registry, named as docker does; "
         "https://ADDRESS, a tar archive; or REMOTE:ALIAS, an image of a server that fpsync.conf(5) names, "
         "as images:debian/12."},
    {.id = 2,
     .key = "packages",
     .type = FIELD_TEXTS,
     .form = FORM_PACKAGE,
     AT(image, packages),
     .class = CLASS_RECREATE,
     .example = "[systemd-sysv, ifupdown]",
     .help = "Further Debian packages of a bootstrap."},
    {.id = 3,
     .key = "build",
     .type = FIELD_STRUCT,
     AT(image, build),
     .class = CLASS_RECREATE,
     .nested = &image_build_table,
     .shorthand = "FOLDER",
     .example = "./wordpress",
     .help = "Instead of a source: a folder with a Recipe or Dockerfile, or the steps themselves."},
    {.id = 4,
     .key = "digest",
     .type = FIELD_TEXT,
     .form = FORM_DIGEST,
     AT(image, digest),
     .class = CLASS_RECREATE,
     .example = "\"sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\"",
     .help = "What is fetched must have this digest: the file of an https:// source, the fingerprint of an "
             "image of a server, the manifest or index of a registry. Nothing else is ever taken."},
    {.id = 5,
     .key = "pull",
     .type = FIELD_TEXT,
     AT(image, pull),
     .class = CLASS_RECORD,
     .standard = "missing",
     .words = pulls,
     .example = "never",
     .help = "Whether it may be fetched when it is not in the store: missing, yes; never, it must be there; "
             "always, and each plan and apply asks its server what the name stands for today."},
    {.id = 6,
     .key = "follow",
     .type = FIELD_NUMBER,
     .form = FORM_DURATION,
     AT(image, follow),
     .class = CLASS_RECORD,
     .minimum = 1000,
     .maximum = INT64_C(366) * 86400 * 1000,
     .example = "1d",
     .help =
         "How long after its server was asked last a plan or apply asks it again what the name stands for "
         "today; without it only image pull asks."},
};
const struct table image_table = {.name = "image",
                                  .size = sizeof(struct image),
                                  TABLE_ROWS(image_rows),
                                  .help = "A read-only root file system, stored once and never written to."};
