/* What the drivers see, dumped once at the start of a run: one dump a family and one for the namespaces of what
 * runs. Read-only; everything lives in the run's arena. */
#pragma once

#include "drivers/container/container.h"
#include "drivers/network/network.h"
#include "drivers/storage/storage.h"
#include "lib/index.h"
#include "reconciler/actual.h"

struct world_guest {                   /* the inside of one running container */
    const struct observed_guest *nics; /* NULL while it does not run */
    struct observed_guest_mounts mounts;
    struct observed_use use; /* where a limit is going to be lowered, see world_look_at_use() */
};

struct world_difference { /* see follow_look() */
    const char *layer;    /* file name */
    struct observed_difference found;
};

/* What a container is lent of the host, by the record or from now on. */
struct world_loans {
    const char *container; /* full name */
    const char *lxc_name;
    struct observed_bind *binds;
    size_t bind_count;
    struct observed_device *devices; /* of a device that is named by what it is none or several */
    size_t device_count;
    bool searched; /* there are such */
};

/* What a server says of an image that follows it (reconciler/looks.h). */
struct world_look {
    const char *image;   /* full name */
    const char *answer;  /* what it stands for today; NULL: nobody was asked, or answered */
    const char *changed; /* what it stands for today, where that is something else; NULL */
    const char *trouble; /* why nobody answered; NULL */
};

struct world_disk {        /* see world_look_at_disks() */
    const char *container; /* full name */
    struct observed_disk seen;
};

/* A rule of others that leads connections to a port of the host elsewhere. */
struct world_claim {
    const char *listen; /* of the port, as struct port says it */
    const char *rule;
};

struct world {
    struct observed_containers containers;
    struct observed_storage storage;
    struct observed_network network;
    struct world_guest *guests; /* one for each of containers.items */
    struct {                    /* by name; ports by their mark, too */
        struct index containers, images, layers, volumes, roots, bridges, ports, marks, resolvers;
        struct index guards, forwards, networks; /* of the rules that are in force */
    } by;
    struct world_difference *differences;
    size_t difference_count;
    struct world_claim *claims; /* on ports that a plan may open */
    size_t claim_count;
    struct world_loans *loans; /* of those that have any */
    size_t loan_count;
    bool weighs_io;                /* a container says limits.io_weight */
    bool weight_is_idle;           /* one says so anew, and the store's disk is scheduled without weights */
    const char *io_weight_trouble; /* then: why none can be written here; NULL */
    struct observed_host host;     /* looked at where a limit changes that depends on it */
    bool cannot_grow;              /* a volume is to become larger, and may not while it is mounted */
    struct world_disk *disks;
    size_t disk_count;
    struct world_look *looks;
    size_t look_count;
    struct id_ranges ids; /* of others, see world_look_at_ids() */
};

struct map;
struct world_hint { /* what the record says of a container that is worth knowing before looking at it */
    struct known_init init; /* first: the view takes it for just that */
    struct texts mounts;    /* where volumes are mounted in it, or may be */
    bool has_macvlans;
    bool on_host; /* shares the host's network, nothing of it is its own */
};
/* By LXC name. */
void world_hints(const struct paths *paths, const struct actual *actual, struct arena *arena,
                 struct map *hints);
/* world_observe() in its parts. Only an indexed world can be asked for things by name. */
int world_look(const struct paths *paths, const struct map *hints, struct arena *arena, struct world *world,
               struct error *error);
void world_index(struct world *world, struct arena *arena);

/* `actual` tells which containers have volumes, and where: only there is looked for mounts. */
int world_observe(const struct paths *paths, const struct actual *actual, struct arena *arena,
                  struct world *world, struct error *error);

/* Whether `after` bounds that limit more narrowly. 0 is no limit. */
bool world_is_lowered(int64_t before, int64_t after);
/* How much those use whose limits are going to be lowered, and what the host makes of limits that change. */
void world_look_at_use(const struct paths *paths, const struct actual *actual,
                       const struct object_set *desired, struct arena *arena, struct world *world);

/* Whose ids are whose, where a container is going to get a range of them: asked for nothing else. */
void world_look_at_ids(const struct paths *paths, const struct actual *actual,
                       const struct object_set *desired, struct arena *arena, struct world *world);

/* The host's routes of IPv6, where a network is going to get a subnet of it. */
void world_look_at_routes6(const struct actual *actual, const struct object_set *desired, struct arena *arena,
                           struct world *world);

/* Whether volumes that are to become larger can while they are mounted, and the file of each layer that has or gets a
 * limits.disk. Replaces what an earlier look saw. */
void world_look_at_disks(const struct paths *paths, const struct actual *actual,
                         const struct object_set *desired, struct arena *arena, struct world *world);
const struct observed_disk *world_disk(const struct world *world, const char *container); /* NULL: none */

/* Whose are the ports that are wanted and not on record; asked for nothing else, so a run without such asks nothing. */
void world_look_at_claims(const struct paths *paths, const struct actual *actual,
                          const struct object_set *desired, struct arena *arena, struct world *world);
const char *world_claim(const struct world *world, const struct port *port); /* the rule; NULL: none */

/* The second look, once it is known what is wanted: at what recorded and desired containers are lent. Replaces what an
 * earlier one saw. */
void world_look_at_loans(const struct paths *paths, const struct actual *actual,
                         const struct object_set *desired, struct arena *arena, struct world *world);
/* The same where world->loans holds the questions already. */
void world_look_at_known_loans(const struct paths *paths, struct world *world);
const struct world_loans *world_loans(const struct world *world, const char *container); /* NULL: none */
const struct observed_bind *world_bind(const struct world *world, const char *container,
                                       const struct bind *bind);
/* Whether it was seen for that device. */
bool device_is_as(const struct observed_device *seen, const struct device *device);
/* Its permissions as a number. */
int64_t device_mode(const struct device *device);

/* NULL when not there. */
const struct observed_container *world_container(const struct world *world, const char *lxc_name);
const struct world_guest *world_guest(const struct world *world, const struct observed_container *container);
const struct observed_bridge *world_bridge(const struct world *world, const char *ifname);
const struct observed_port *world_port(const struct world *world, const char *ifname);
/* Host ends with this mark: the first, and the one after `port`. */
const struct observed_port *world_marked_port(const struct world *world, const char *mark);
const struct observed_port *world_marked_next(const struct world *world, const struct observed_port *port);
/* What the rules in force have: a guard by its port, a forward by what it listens on, a network by its bridge. */
bool world_has_guard(const struct world *world, const char *port);
const struct rule_forward *world_forward(const struct world *world, const char *listen);
bool world_has_network_rules(const struct world *world, const char *bridge);
const struct observed_root *world_root(const struct world *world, const char *lxc_name);
/* A socket of the host in the way of a forward, or NULL; and whose it is, which costs a walk through /proc. */
/* `has6`: the container has IPv6, and a port of all addresses is forwarded there, too. */
bool listener_meets(const struct observed_listener *listener, const struct port *port, bool has6);
const struct observed_listener *world_listener(const struct world *world, const struct port *port, bool has6);
const char *world_listener_name(const struct observed_listener *listener, struct arena *arena);
/* Whether no interface of the host has that address of IPv4 or IPv6, as far as that can be known. NULL: no. */
bool world_lacks_address(const struct world *world, const char *address);
/* What the image stands for today, where that is not what it was made of; NULL. */
const char *world_image_changed(const struct world *world, const char *image);
bool world_has_image(const struct world *world, const char *digest);
bool world_has_layer(const struct world *world, const char *file);
const char *world_layer_type(const struct world *world, const char *file); /* NULL: unknown */
bool world_has_volume(const struct world *world, const char *file);
int64_t world_volume_size(const struct world *world, const char *file); /* bytes; 0: nothing bounds it */
const struct observed_resolver *world_resolver(const struct world *world, const char *bridge);
/* Its init runs. A monitor alone is one that is just starting, or cleans up behind an init that has ended. */
bool container_is_up(const struct observed_container *container);
/* True when anything of ours (marked) exists: with an empty record that means the database was lost. */
bool world_has_marked(const struct world *world);
