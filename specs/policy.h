/* fpsync.conf: what root permits the specs of this host (SEMANTICS 40). Read like a spec file, by the same rows and
 * under the same rules of ownership; a missing file permits nothing. */
#pragma once

#include "specs/remote.h"
#include "specs/specs.h"

struct policy_allow {
    struct described described;
    bool privileged;      /* containers without an id range of their own */
    bool raw_lxc;         /* lines of the LXC config */
    bool host_network;    /* containers that share the host's */
    struct texts binds;   /* folders of the host, with all that lies below them */
    struct texts devices; /* devices of the host, and folders with all that lies below them */
};

/* What of the images that nobody uses is kept all the same. */
struct policy_images {
    struct described described;
    int64_t budget; /* bytes of all images together; 0: none */
    int64_t age;    /* milliseconds since one was last used; 0: none */
};

struct policy_builds {
    struct described described;
    int64_t budget;         /* bytes, of steps and caches together */
    int64_t age;            /* milliseconds since a build last used it */
    bool private_addresses; /* that ADD of a recipe may fetch from */
};

struct policy {
    struct described described;
    struct policy_allow *allow;   /* never NULL */
    int64_t retention;            /* milliseconds: what is retained is freed by gc after that */
    struct list remotes;          /* of remote; see remote_find() */
    struct downloads *downloads;  /* never NULL */
    struct policy_images *images; /* never NULL */
    struct policy_builds *builds; /* never NULL */
    struct pairs aliases;         /* sources by patterns of names; see alias_find() */
};

extern const struct table policy_table, allow_table, policy_images_table, builds_table;

/* False when the file cannot be used: `problems` says why, and nothing is permitted. */
bool policy_load(const char *path, struct arena *arena, struct policy **policy, struct problems *problems);
