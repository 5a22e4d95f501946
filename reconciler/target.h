/* What the desired objects mean on this host: the requests that make it so.
 *
 * Pure. Given the objects that shall exist, their grants and the images' digests, it builds the exact structs
 * that the drivers take; the diff compares the observed world with the same structs, so what is checked is what
 * is applied. */
#pragma once

#include "reconciler/leases.h"
#include "reconciler/renames.h"

struct map;

struct target {
    const struct paths *paths;
    struct arena *arena;
    const struct object_set *all; /* every object that exists after the run, of all sources */
    const struct grants *grants;
    const struct world *world;     /* for what of the host is lent */
    const struct renames *renames; /* NULL: none */
    const struct map
        *resting; /* members of sets that do not run, by name: no forward leads there; NULL: none */
    const struct object_set
        *absent; /* containers of `all` without rules and names; see struct plan. NULL: none */
};

const char *target_subnet(const struct target *target, const char *network);
const char *target_mark(struct arena *arena, const char *uid, const char *name); /* "fpsync UID NAME" */

bool target_is_macvlan(const struct target *target, const char *network);
bool target_is_attached(const struct target *target, const char *network);
bool target_is_absent(const struct target *target, const char *container);

struct rules *target_rules(const struct target *target);
/* What its ports may send from: of rule_guard. */
void target_add_guards(const struct target *target, const struct object *object, struct list *guards);
bool rules_equal(const struct rules *left, const struct rules *right);
struct resolver *target_resolver(const struct target *target, const char *network);
struct bridge *target_bridge(const struct target *target, const char *network, const char *uid);
struct container_definition *target_definition(const struct target *target, const struct object *container,
                                               const char *uid, int64_t generation);
/* As declared; with all defaults where nobody knows it. */
const struct volume *target_volume(const struct target *target, const char *name);
/* Whether its layer begins empty at every start: retain: none. */
bool target_has_fresh_layer(const struct target *target, const struct object *container);
/* `digest` of the image that the layer stands on. */
struct root_mount *target_root(const struct target *target, const struct object *container,
                               const char *digest);
/* target_loans.c: what of the host is bound into that root. */
void target_define_binds(const struct target *target, const struct object *container,
                         struct container_definition *definition); /* those that LXC mounts */
void target_add_binds(const struct target *target, const struct object *container, struct root_mount *root);
/* And which devices it starts with. */
void target_add_devices(const struct target *target, const struct object *container,
                        struct container_start *start);
struct container_device *target_device(struct arena *arena, const struct observed_device *seen);
struct container_start *target_start(const struct target *target, const struct object *container);
/* A struct container_probe: how its health is found out. `most`: milliseconds. */
struct container_probe *target_probe(const struct target *target, const struct object *container,
                                     int64_t most);
/* The files of its root that say who it is and whom it asks: struct root_file. */
struct list target_files(const struct target *target, const struct object *container);
/* What a running container asks for names; NULL without networks. */
struct root_write *target_resolv_conf(const struct target *target, const struct object *container);
/* Pids are filled by whoever sends it. */
struct port_attach *target_port(const struct target *target, const struct object *container,
                                const char *network, const char *uid);
/* Name of the image below a container: its own, or its layer's. */
const char *target_image(const struct target *target, const struct object *container);
/* File name of its layer in the store. */
const char *target_layer_file(const struct target *target, const struct object *container);
