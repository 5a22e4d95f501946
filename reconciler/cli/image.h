/* What the verbs of `image` share: the store's images, with the names that the record has for them. */
#pragma once

#include "drivers/steps.h"
#include "reconciler/cli/cli.h"

struct image_row {                     /* a name, or what is in the store without one */
    const struct entry *entry;         /* NULL: no name */
    const struct observed_image *seen; /* NULL: not in the store */
    const char *digest;                /* NULL: never made */
};

struct image_rows {
    struct image_row *items;
    size_t count;
};

/* Names first, then what has none. */
struct image_rows image_rows(const struct session *session);
/* Whose use of a name counts, where others have the same bytes. */
enum image_use {
    IMAGE_USE_BYTES, /* who stands on the bytes, by whatever name, and who goes by this one */
    IMAGE_USE_ROW,   /* without those who go by another name of the bytes */
    IMAGE_USE_NAME   /* who goes by this one alone */
};

/* Objects that stand on the bytes, or go by the name: "container/shop/web". An image below a delta is the delta's. */
struct texts image_users(const struct session *session, const struct image_row *row, enum image_use use);
/* Whether a build (struct facts, `made_of`) says "4 base DIGEST image page" of that image: by its name or, where that is
 * asked for, by its digest, whatever the name is by now. */
bool image_names_base(const char *made_of, const struct entry *image, bool by_digest, struct arena *arena);
/* By full name, by the bare one where it is the only one, or by the first twelve digits of its digest or more. */
int image_find(struct session *session, const char *argument, struct image_row *row, struct error *error);
/* One step of a worker, with what that says meanwhile on stderr; `done`: its result, or NULL where that is not asked for. */
int image_step(struct session *session, enum step_kind kind, void *request, void **done, struct error *error);

/* Drops the record of that name; the bytes stay. */
int image_forget(struct session *session, const char *name, struct error *error);

/* A plan without actions, which holds the leases that are recorded. */
void image_plan_nothing(struct session *session, struct plan *plan);

/* After names were removed: deletes the networks that nobody needs any more, and tells of each. An exit code. */
int image_drop_networks(struct session *session);

/* Verbs; each returns an exit code. */
int image_remove(struct session *session);
int image_write(struct session *session); /* export */
int image_pull(struct session *session);
int image_import(struct session *session);
int image_publish_all(struct session *session);
int image_gc(struct session *session);
