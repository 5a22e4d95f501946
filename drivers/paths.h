/* Where everything of one fpsync root lies, and how its objects are called in the kernel and in LXC.
 *
 * With a root other than "/", LXC names, cgroups, interfaces, the nft table and the lock carry a tag: four hex
 * digits of the root's hash, so that several instances share a machine without meeting. */
#pragma once

#include "lib/arena.h"

#define PATHS_IFNAME_SIZE 16
#define PATHS_ROOT        "root" /* mount point of a merged root, in its place */

struct paths {
    const char *root;        /* "/" or an absolute clean path without a slash at its end */
    const char *tag;         /* "" or four hex digits */
    const char *specs;       /* ROOT/etc/fpsync/specs.d */
    const char *conf;        /* ROOT/etc/fpsync/fpsync.conf */
    const char *state;       /* ROOT/var/lib/fpsync/state */
    const char *store;       /* ROOT/var/lib/fpsync */
    const char *images;      /* ROOT/var/lib/fpsync/images */
    const char *downloads;   /* ROOT/var/lib/fpsync/downloads: what is being fetched */
    const char *layers;      /* ROOT/var/lib/fpsync/layers */
    const char *volumes;     /* ROOT/var/lib/fpsync/volumes */
    const char *build;       /* ROOT/var/lib/fpsync/build: steps, caches and failed roots of builds */
    const char *lxc;         /* ROOT/var/lib/lxc */
    const char *run;         /* ROOT/run/fpsync */
    const char *mounts;      /* ROOT/run/fpsync/mounts: the place of one merged root a container */
    const char *uppers;      /* ROOT/run/fpsync/uppers: which root a layer is mounted for, one link a layer */
    const char *networks;    /* ROOT/run/fpsync/networks: dnsmasq's files, one folder a network */
    const char *lock;        /* ROOT/run/fpsync/lock */
    const char *workers;     /* ROOT/run/fpsync/workers: locked, shared, by whatever acts for a run */
    const char *nft_table;   /* "fpsync" or "fpsync_TAG" */
    const char *port_prefix; /* of host ends of veths: "fpp" or "fpTAGp" */
};

/* -EINVAL when `root` is not an absolute path of at most 60 bytes of [A-Za-z0-9._/-]. */
struct error;
int paths_make(const char *root, struct arena *arena, struct paths *paths, struct error *error);

/* "shop_web", "web" in project default; ".TAG" behind it when there is a tag. */
char *paths_lxc_name(const struct paths *paths, struct arena *arena, const char *full_name);
/* Bridge of a network: "fpn" or "fpTAGn" and 8 hex digits of the full name's hash. */
void paths_bridge(const struct paths *paths, const char *network, char ifname[static PATHS_IFNAME_SIZE]);
/* Host end of a container's veth in a network: port_prefix and 8 hex digits. */
void paths_port(const struct paths *paths, const char *container, const char *network,
                char ifname[static PATHS_IFNAME_SIZE]);
/* File name of an object in a store: "PROJECT_NAME", never with a slash or a leading dot. */
char *paths_file_name(struct arena *arena, const char *full_name);
