/* What concerns the whole set: what is implied, then what must hold between objects. */
#pragma once

#include "lib/map.h"
#include "specs/document.h"

/* Everything a reference or claim can meet. */
struct world {
    struct collection *own;            /* what this run declares */
    const struct object_set *recorded; /* of all sources; NULL: unknown */
    struct object_set foreign;         /* what other sources have, by the record */
    struct map foreign_by_id;
    struct arena *arena;
    struct problems *problems;
    bool incomplete; /* a file could not be read: a missing name may be declared there */
};

/* Adds implicit objects and fills what is implied, then checks everything. `recorded` may be NULL; objects of
 * sources that this run prunes do not count: they are declared here, or about to go. */
void check_all(struct collection *collection, const struct object_set *recorded,
               const struct spec_set *sources, bool incomplete);

void imply_all(struct world *world);
void check_references(struct world *world);
void check_storage(struct world *world);
void check_volumes(struct world *world);
void check_subnets(struct world *world);
void check_ways_out(struct world *world);
void check_attachments(struct world *world);
void check_addresses(struct world *world);
void check_ports(struct world *world);
void check_dependencies(struct world *world);
void check_health(struct world *world);
void check_capabilities(struct world *world);
void check_image(struct world *world, const struct object *image);
void check_mounts(struct world *world, const struct object *container);
void check_adoption(struct world *world);
void check_was(struct world *world);

/* Of a prefix of 64 bits; both canonical. */
bool is_in_subnet6(const char *address, const char *subnet);

struct object *world_find(const struct world *world, enum kind kind, const char *full_name);
/* "container web (shop.yaml:4)", "container shop/web (source /srv/other)": as told to somebody in `project_of`. */
const char *world_name(const struct world *world, const struct object *object,
                       const struct object *project_of);
/* A full name as its reader would write it: bare within the project of `object`. */
const char *name_seen_from(struct arena *arena, const char *full_name, const struct object *object);
