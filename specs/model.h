/* The model: what YAML can ask for, as structs, with one table of rows for each.
 *
 * The same structs hold what is desired (from YAML), what is recorded (from LMDB) and, where a driver can see a
 * field, what is observed. Rows, with all they say about a field, stand in specs/rows_*.c. */
#pragma once

#include "lib/fields.h"
#include "lib/index.h"

enum kind { KIND_IMAGE, KIND_NETWORK, KIND_VOLUME, KIND_LAYER, KIND_CONTAINER, KIND_COUNT };

extern const struct table image_table, network_table, volume_table, layer_table, container_table;
extern const struct table image_build_table, build_secret_table, attachment_table, port_table, mount_table,
    limits_table, capabilities_table, dependency_table, bind_table, device_table, health_table;

const struct table *kind_table(enum kind kind);
const char *kind_name(enum kind kind);             /* "container" */
const char *kind_plural(enum kind kind);           /* "containers", the key in YAML */
int kind_parse(const char *text, enum kind *kind); /* singular or plural; -EINVAL */

/* How an image is made from a recipe: of a folder that has one, or of steps that stand in the spec itself. */
struct image_build {
    struct described described;
    const char *
        context; /* folder or archive on the host, clean and absolute; else "https://..." or "REMOTE:ALIAS", an
                            archive elsewhere; NULL */
    const char *digest;             /* "sha256:HEX" of the archive; NULL: whatever comes */
    const char *recipe;             /* in it; NULL: Recipe, else Dockerfile */
    const char *from;               /* instead of a folder: what FROM would say, */
    struct texts steps;             /* and the lines of a recipe after it, each item whole instructions; */
    struct text_place *step_places; /* and where each of them stands; NULL: it was not read of a text */
    struct pairs args;              /* values of the recipe's ARG */
    const char *target;             /* the stage that becomes the image; NULL: the last */
    const char *network;            /* full name of the one that RUN has, or NETWORK_NONE */
    struct list secrets;            /* of build_secret */
    int64_t epoch;                  /* seconds since 1970 that no file is newer than; where it is present */
};

/* What RUN --mount=type=secret,id=ID gets to see. */
struct build_secret {
    struct described described;
    const char *id;
    const char *file; /* on the host, absolute and clean */
};
#define NETWORK_NONE "none"

struct image {
    struct described described;
    const char *
        source; /* "bootstrap:SUITE", "file:/absolute/path", "https://...", "REMOTE:ALIAS"; NULL: it is built */
    struct texts packages;     /* extra Debian packages of a bootstrap, as written */
    const char *digest;        /* "sha256:HEX" of what is fetched; NULL: whatever comes */
    const char *pull;          /* "missing", "never", "always" */
    int64_t follow;            /* milliseconds after which its server is asked again; 0: never */
    struct image_build *build; /* never NULL */
};
/* Whether a recipe makes it. */
bool image_is_built(const struct image *image);
/* Full name of the network that the RUN of its recipe has; NULL: none. */
const char *image_build_network(const struct image *image);

struct network {
    struct described described;
    const char *was;     /* full name that it had before; NULL */
    const char *subnet;  /* "10.30.0.0/24"; NULL: leased from the pool. The bridge has its first address. */
    bool nat;            /* what leaves the host does so under one of its addresses: */
    const char *subnet6; /* "fd00:30::/64"; "auto": one derived from host and name; NULL: no IPv6 */
    const char *nat_address;  /* this; NULL: the one of the way it takes */
    const char *nat_address6; /* the same of IPv6 */
    bool isolated;
    const char *gateway6; /* as gateway; NULL: what gateway says, save an address */
    const char *gateway;  /* an address, the full name of a container, or GATEWAY_NONE; NULL: the bridge */
    const char *bridge;   /* an attached one: of the host's, never configured; `subnet` then is the LAN's */
    const char *parent;   /* the same by macvlan: an interface of the host; NULL */
    const char *range;    /* "FIRST-LAST": what containers are leased of the LAN's addresses; NULL: none */
    const char *range6;   /* the same of IPv6 */
    struct texts allow;   /* projects beside its own that may use it */
};
#define GATEWAY_NONE "none"
static inline bool network_is_attached(const struct network *network)
{
    return network->bridge || network->parent;
}
/* Where its addresses are unique: networks that are attached to one link are one LAN. A full name has a slash, which no
 * interface has. */
static inline const char *network_link(const struct network *network, const char *full_name)
{
    return network->bridge ? network->bridge : network->parent ? network->parent : full_name;
}

struct volume {
    struct described described;
    const char *was;    /* full name that it had before; NULL */
    int64_t size;       /* bytes; 0: as large as the store */
    const char *type;   /* "dir", "loop", "btrfs" */
    bool fill;          /* a new one, from the image that it is first mounted over */
    const char *retain; /* "gc", "keep", "none" */
    struct texts allow; /* projects beside its own that may use it */
};

struct layer {
    struct described described;
    const char *was;             /* full name that it had before; NULL */
    const char *image;           /* full name */
    const char *on_image_change; /* "auto", "restack", "keep", "reset" */
    const char *retain;          /* "gc", "keep", "none" */
};

#define HOST_NETWORK "host" /* instead of a list of networks */

/* A container's place in a network. */
struct attachment {
    struct described described;
    const char *network;  /* key; full name */
    const char *address;  /* NULL: leased */
    const char *address6; /* NULL: leased where the network has IPv6; of an attached one's range6 alone */
    bool default_route;
    bool dhcp; /* the guest asks the LAN for its address */
};

/* A forward from the host: `listen` is the key, as of port_key(). */
struct port {
    struct described described;
    const char *listen;
    const char *address;  /* of the host; NULL: all */
    int64_t host, guest;  /* the first of each */
    const char *protocol; /* "tcp", "udp" or "tcp+udp" */
    int64_t count;        /* of ports in a row */
    bool take;            /* also from what listens there on the host */
};

struct mount {
    struct described described;
    const char *path;   /* key; inside the container, clean and absolute */
    const char *volume; /* full name */
    bool read_only;
};

/* A folder or file of the host, seen in the container. */
struct bind {
    struct described described;
    const char *path;   /* key; inside the container, clean and absolute */
    const char *source; /* on the host, clean and absolute */
    bool read_only;
    bool optional; /* left out while the source is missing */
};

/* A device of the host that the container may open. One of the first three says which, and is the key. */
struct device {
    struct described described;
    const char *path;   /* on the host, clean and absolute */
    const char *usb;    /* VENDOR:PRODUCT[:SERIAL] */
    const char *gpu;    /* "all", or a number */
    const char *target; /* inside; NULL: where it is on the host */
    const char *mode;   /* "0660" */
    bool optional;      /* left out while it is missing */
};
const char *device_place(const struct device *device); /* inside; NULL: where it will be found on the host */

struct limits { /* 0 where not said and without default: no limit */
    struct described described;
    int64_t memory, swap; /* bytes; swap is the amount beside memory */
    int64_t cpus;         /* thousandths */
    int64_t pids;
    int64_t cpu_weight;                /* against the others', 100 being usual */
    const char *cpuset;                /* NULL: all processors */
    int64_t io_read, io_write;         /* bytes a second, of the device that the store lies on */
    int64_t io_read_ops, io_write_ops; /* operations a second */
    int64_t io_weight;                 /* against the others', 100 being usual */
    int64_t disk;                      /* bytes that its layer may hold */
};

struct capabilities {
    struct described described;
    struct texts drop; /* beside those that every container is without */
    struct texts keep; /* these alone; empty: all but the dropped ones */
};

struct dependency {
    struct described described;
    const char *container; /* key; full name */
    const char *condition; /* "started", "completed", "healthy" */
};

/* How to tell that it does what it is for. One of the first three says how; where none does, its image may. */
struct health {
    struct described described;
    const char *http;     /* ":PORT/PATH": a GET is answered with 200 to 399 */
    int64_t tcp;          /* port that takes a connection; 0: not said */
    struct texts command; /* ends with 0, inside; what was one text is /bin/sh, -c and it */
    bool none;            /* nothing does, whatever the image says */
    int64_t interval, timeout, start_period; /* milliseconds */
    int64_t retries;
};
/* Whether it says how. */
bool health_is_probed(const struct health *health);
/* Milliseconds that it is waited for at most. */
int64_t health_patience(const struct health *health);

struct container {
    struct described described;
    const char *was;   /* full name that it had before; NULL */
    const char *image; /* full name; NULL only when `layer` names a declared layer, which knows its image */
    const char *layer; /* full name; NULL: the implicit layer of the container's own name */
    struct list networks; /* of attachment, in order of eth0, eth1, ... */
    bool host_network;    /* none of them: it shares the host's */
    struct list ports;    /* of port */
    struct list volumes;  /* of mount */
    struct list binds;    /* of bind */
    struct list devices;  /* of device */
    struct pairs env;
    struct texts command;  /* empty: the image's own, else its init; of a planned one: init */
    bool init;             /* the image's init also where the image has a command */
    const char *user;      /* of the command: NAME|UID[:GROUP|GID]; NULL: the image's, else root */
    const char *directory; /* of the command, clean and absolute; NULL: the image's, else "/" */
    struct limits *limits; /* never NULL */
    bool privileged;
    bool nesting;
    bool frozen;                       /* its processes stand still */
    bool router;                       /* forwards between its networks */
    struct capabilities *capabilities; /* never NULL */
    struct texts lxc;                  /* lines of the LXC config */
    struct list depends_on;            /* of dependency */
    const char *restart;               /* "always", "on-failure", "never" */
    const char *hostname;              /* NULL: its bare name */
    const char *stop_signal;           /* NULL: by the kind of init */
    int64_t stop_timeout;              /* milliseconds */
    const char *root; /* "layer", "copy", or the root of an adopted container, as lxc.rootfs.path has it */
    struct texts includes;       /* configs of LXC's own that an adopted one begins with, as "common" */
    const char *arch;            /* what it takes the machine for, as lxc.arch has it; NULL: for what it is */
    const char *apparmor;        /* profile of an adopted one: "generated", "nesting"; NULL: LXC's own */
    const char *lxc_name;        /* of an adopted container; NULL: made of its own name */
    const char *on_image_change; /* NULL: as its layer says */
    const char *retain;          /* of its implicit layer */
    int64_t
        replicas; /* of a set that is not expanded yet; 0: it is a container itself, as all are once loaded */
    const char *set;       /* full name of the set that it is a member of; NULL */
    bool fresh;            /* an empty layer, where the old one was made on another image */
    struct health *health; /* never NULL */
};

/* Whether LXC had it before fpsync: its root and the rest of its definition are what the spec says and no more. */
bool container_is_adopted(const struct container *container);

/* "kind/project/name" into a place of the caller's, for looking something up; what is longer than any name is cut. */
#define OBJECT_ID_SIZE 128
const char *object_id(enum kind kind, const char *name, char id[static OBJECT_ID_SIZE]);

/* One object of a set. `body` is the struct of its kind. Full names read "project/name". */
struct object {
    enum kind kind;
    const char *name;   /* full */
    const char *id;     /* "kind/project/name" */
    bool implicit;      /* made by us because something needs it: default network, a container's own layer */
    struct place place; /* of the key that names it; of what needs it when implicit */
    const char *source; /* the source it came from; filled by whoever loads or decodes */
    void *body;
};

/* A set of objects, ordered by kind (as in enum kind), then by name. */
struct object_set {
    struct object **items;
    size_t count;
    struct index by_id; /* of object_set_index(); what it does not fit any more is searched */
};

/* By kind, then by name. */
int object_compare(const struct object *left, const struct object *right);
void object_set_sort(struct object_set *set);
/* For a set that is looked into often. */
void object_set_index(struct object_set *set, struct arena *arena);
/* The full name that the object says it had before, and where; NULL. */
const char *object_was(const struct object *object, struct place *at);

struct object *object_find(const struct object_set *set, enum kind kind, const char *name); /* full name */
/* Parts of a full name; `name_bare` points into `full`, `name_project` is copied into `arena`. */
const char *name_bare(const char *full);
const char *name_project(struct arena *arena, const char *full);
/* The one validator of names; every name that becomes part of a path, a rule or an argument passed it. */
bool name_is_valid(const char *name);
bool full_name_is_valid(const char *full); /* PROJECT/NAME */
