/* The storage family: image store, layers, volumes, and the mounts that put them together.
 *
 *   images/DIGEST/root          one unpacked root file system, ids 0-65535 as in the image, never written again
 *   images/DIGEST/complete      written last: without it the folder is a leftover
 *   layers/FILE/upper, /work    one folder a layer (overlay's work directories must not share a parent)
 *   volumes/FILE/data           one folder a volume
 *   run/.../mounts/LXCNAME      the merged root of a container: overlay(upper, lower = image), volumes mounted on it
 *
 * On disk everything carries container ids; a container's id range is only a mount-time fact (idmapped mounts of
 * image, upper and volumes). The stores' own folders are 0700 root, what leads to the mounts is 0711.
 *
 * An upper is never mounted twice: the kernel does not refuse that, and it destroys data. mount_root() looks at
 * what is mounted, under a lock file of the layer, before it mounts; the caller mounts for a stopped container
 * only. Volumes are put into a root by the same code before start and into a running container.
 *
 * Effects are idempotent: "already so" is success. */
#pragma once

#include "drivers/call.h"
#include "drivers/paths.h"
#include "specs/model.h"

struct error;

/* ---- view ---- */

struct observed_image {
    const char *digest; /* 64 hex digits */
    int64_t bytes;      /* of content, from the store's own note; 0 when unknown */
    const char *name; /* full name of the object it was first made for, by the same note; NULL when unknown */
    int64_t made;     /* seconds since the epoch */
};

struct observed_data { /* a layer or a volume in its store */
    const char *file;  /* its folder's name: paths_file_name() */
    int64_t modified;  /* seconds since the epoch, of the folder with the data */
};

struct observed_root { /* a merged root that is mounted on the host */
    const char *lxc_name;
};

struct observed_guest_mount { /* a volume seen inside a running container */
    const char *path;         /* in the guest */
    const char *volume;       /* file name in the volumes' store */
    bool read_only;
};

struct observed_storage {
    struct observed_image *images;
    size_t image_count;
    struct observed_data *layers, *volumes;
    size_t layer_count, volume_count;
    struct observed_root *roots;
    size_t root_count;
};

struct observed_guest_mounts {
    struct observed_guest_mount *items; /* sorted by path */
    size_t count;
    const char
        *layer; /* file name of the layer whose overlay is the guest's root; NULL when it is none of ours */
};

struct storage_view {
    /* One read of three folders and of /proc/self/mountinfo. Missing folders are empty. */
    int (*dump)(const struct paths *, const struct call *, struct observed_storage *, struct error *);
    /* Volumes of our store that are mounted inside the container of `init_pid` (its mountinfo), and whether its
     * root is still the overlay of `layer_file`. */
    int (*dump_guest)(const struct paths *, int64_t init_pid, const struct call *,
                      struct observed_guest_mounts *, struct error *);
};
extern const struct storage_view storage_view;

/* ---- effects ---- */

struct data_reference { /* a layer or a volume */
    struct described described;
    const char *file; /* folder in its store */
};
extern const struct table data_reference_table;

struct
    root_file { /* written into the root before start, handle by handle, never through a symlink out of it */
    struct described described;
    const char *path; /* absolute in the container; its parents are made; a symlink there is replaced */
    const char *content;
    int64_t mode;
};
extern const struct table root_file_table;

struct root_volume {
    struct described described;
    const char *path; /* in the container */
    const char *file; /* folder in the volumes' store */
    bool read_only;   /* and root inside cannot change that */
};
extern const struct table root_volume_table;

struct root_mount {
    struct described described;
    const char *lxc_name;
    const char *digest;  /* of the image */
    const char *layer;   /* file name in the layers' store; made when missing */
    int64_t id_base;     /* 0: privileged, no idmap */
    struct list volumes; /* of root_volume; made when missing */
    struct list files;   /* of root_file */
    bool with_init;      /* provides fpsync's small init at /.fpsync/init (read-only bind), for `command:` */
};
extern const struct table root_mount_table;

struct root_write { /* files of a root that is mounted */
    struct described described;
    const char *lxc_name;
    int64_t id_base;   /* as it was mounted with */
    struct list files; /* of root_file */
};
extern const struct table root_write_table;

struct root_reference {
    struct described described;
    const char *lxc_name;
};
extern const struct table root_reference_table;

struct
    volume_attach { /* into a running container; PLATFORM recipe of open_tree, idmap, openat2, setns, move_mount */
    struct described described;
    const char *lxc_name;
    int64_t init_pid, init_start; /* both must still match, else -ESRCH */
    const char *path;
    const char *file; /* NULL in a detach */
    bool read_only;   /* what is mounted otherwise is mounted anew */
};
extern const struct table volume_attach_table;

struct storage_effects {
    int (*create_layer)(const struct paths *, const struct data_reference *, const struct call *,
                        struct error *);
    int (*create_volume)(const struct paths *, const struct data_reference *, const struct call *,
                         struct error *);
    /* For `gc` alone. -EBUSY while it is mounted anywhere that we can see. */
    int (*delete_layer)(const struct paths *, const struct data_reference *, const struct call *,
                        struct error *);
    int (*delete_volume)(const struct paths *, const struct data_reference *, const struct call *,
                         struct error *);
    /* The merged root at mounts/LXCNAME with volumes and files. A root that is mounted already is first taken down
     * when it is not exactly this one (the container is stopped: that is the caller's promise). */
    int (*mount_root)(const struct paths *, const struct root_mount *, const struct call *, struct error *);
    int (*unmount_root)(const struct paths *, const struct root_reference *, const struct call *,
                        struct error *);
    /* Seen at once by the container that runs on it. -ENOENT when the root is not mounted. */
    int (*write_root)(const struct paths *, const struct root_write *, const struct call *, struct error *);
    int (*attach_volume)(const struct paths *, const struct volume_attach *, const struct call *,
                         struct error *);
    int (*detach_volume)(const struct paths *, const struct volume_attach *, const struct call *,
                         struct error *);
};
extern const struct storage_effects storage_effects;
