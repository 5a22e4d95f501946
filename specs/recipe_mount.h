/* `RUN --mount=type=...`: the options of each type, as the Dockerfile reference has them. */
#pragma once

#include "specs/recipe_check.h"
#include "specs/recipe_expand.h"

enum recipe_mount_type { RECIPE_MOUNT_BIND, RECIPE_MOUNT_CACHE, RECIPE_MOUNT_TMPFS, RECIPE_MOUNT_SECRET };

struct recipe_mount {
    enum recipe_mount_type type;
    const char *target;  /* NULL: /run/secrets/ID of a secret, and none of one that is a variable only */
    const char *source;  /* of bind and cache: path in what it is from; NULL: all of it */
    const char *from;    /* a stage, or an image; NULL: the context, of a cache nothing */
    const char *id;      /* of cache and secret; NULL: as its target */
    const char *env;     /* of a secret: the variable that holds it; NULL */
    const char *sharing; /* of cache: "shared", "private", "locked" */
    bool read_only, required;
    int64_t mode, uid, gid; /* -1: not said */
    int64_t size;           /* bytes of a tmpfs; 0: not said */
};

/* `flag` is one of RUN's --mount. With `expansion` NULL only what holds no variable is judged. False: problems say why. */
bool recipe_mount_read(const struct recipe_checker *checker, const struct recipe_flag *flag,
                       const struct recipe_expansion *expansion, struct recipe_mount *mount);
void recipe_mount_check(const struct recipe_checker *checker, const struct recipe_flag *flag);
