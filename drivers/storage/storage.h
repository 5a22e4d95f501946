/* The storage family: image store, layers, volumes, and the mounts that put them together.
 *
 *   images/DIGEST/root          one unpacked root file system, ids 0-65535 as in the image, never written again; or what
 *                               it changes of another one: view_image.h
 *   images/DIGEST/image.squashfs   the root as the squashfs that it came in; then root is empty: squash.h
 *   images/DIGEST/config        what it says about being run; only where it says something
 *   images/DIGEST/complete      written last: without it the folder is a leftover
 *   layers/FILE/upper, /work    one folder a layer (overlay's work directories must not share a parent)
 *   layers/FILE/root            instead of the upper, for `root: copy`: all of the image, and what was written
 *   layers/FILE/image           these in a file system of its own, where limits.disk says how large: disk.h
 *   layers/FILE/frozen, /snapshots, /stack     what lies below the upper, what was kept: view_stack.h
 *   volumes/FILE/data           one folder a volume, with frozen and snapshots like a layer; more in volume.h
 *   run/.../mounts/LXCNAME/root the merged root of a container: overlay(upper, lower = image), volumes mounted on it
 *
 * On disk everything carries container ids; a container's id range is only a mount-time fact (idmapped mounts of
 * image, upper and volumes). The stores' own folders are 0700 root, what leads to the mounts is 0711, and
 * the folder of each root closed to all but its own root user.
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
    int64_t used;     /* the same of when a root was last mounted on it, or it was made */
    const char *lower;    /* digest of the whole image that it is a delta on; NULL: it is whole itself */
    const char *squashfs; /* digest of the file that it is kept as: squash.h; NULL: a folder */
    int64_t stored;       /* bytes that it takes in the store: of that file, else `bytes` */
    bool mounted;         /* that file, somewhere */
};

struct observed_data {      /* a layer or a volume in its store */
    const char *file;       /* its folder's name: paths_file_name() */
    int64_t modified;       /* seconds since the epoch, of the folder with the data */
    const char *type;       /* volumes: "dir", "loop", "btrfs"; layers: "layer", "copy"; NULL: unknown */
    int64_t size;           /* of loop, and of btrfs where the store has quotas: bytes */
    uint64_t device, inode; /* of the folder with the data, or of the file it is in */
};

struct observed_root { /* a merged root that is mounted on the host */
    const char *lxc_name;
    bool open; /* it lies where fpsync mounted roots before: the host's users get at what is in it */
};

struct observed_guest_mount { /* a volume seen inside a running container */
    const char *path;         /* in the guest */
    const char *volume;       /* file name in the volumes' store */
    bool read_only;
    bool stuck; /* so is its file system as a whole: no mount of it can be written to */
};

/* Something of the host that is bound into a container, or shall be. The first three are the question. */
struct observed_bind {
    const char *path, *source;
    bool read_only;
    const char *trouble; /* why the source cannot be had; NULL: it is there */
    bool missing;        /* namely because there is none, which `optional` excuses, and nothing else */
    bool mounted;        /* in the running container something is mounted at the path, */
    bool is_source;      /* namely the source, */
    bool as_asked;       /* and it can be written to as far as asked */
    bool unknown;        /* no file system answered there: of the three above none is known */
};

/* The file that a limited layer lies in. The first is the question. */
struct observed_disk {
    bool measured;       /* whether to find out what it holds, which may cost a walk over all of that */
    int64_t size;        /* bytes of the file system in the file; 0: the layer lies in its folder */
    int64_t used;        /* bytes of what it holds */
    bool grows;          /* it can be made larger while it is mounted */
    const char *trouble; /* why layers cannot be limited here; NULL: they can */
};

struct observed_storage {
    bool on_btrfs, has_quotas; /* the store's file system, and whether it counts what a subvolume holds */
    struct observed_image *images;
    size_t image_count;
    struct observed_data *layers, *volumes;
    size_t layer_count, volume_count;
    struct observed_root *roots;
    size_t root_count;
};

struct observed_guest_mounts {
    struct observed_guest_mount *items;
    size_t count;
    struct texts unknown; /* paths where no file system answered */
};

struct observed_snapshot {
    const char *kind; /* "layer" or "volume" */
    const char *file, *name;
    const char *image;   /* digest that the layer stood on; NULL for volumes */
    struct texts frozen; /* numbers of folders below its "frozen", which other snapshots may name, too */
    int64_t made;        /* seconds since the epoch */
    bool kept;           /* by a person: it goes only by name */
    bool whole;          /* of a copy root, or of a volume */
};

struct observed_snapshots {
    struct observed_snapshot *items; /* by kind, file and name */
    size_t count;
};

struct observed_leftover { /* what could not be removed, or not yet: its name is free, its bytes are not */
    const char *kind;      /* "image", "layer" or "volume" */
    const char *file;      /* that it was in the store: a digest, or paths_file_name() */
};

struct observed_leftovers {
    struct observed_leftover *items; /* each file once */
    size_t count;
};

struct observed_difference { /* what may keep a layer from another image: SEMANTICS 10 */
    const char *database;    /* "dpkg": the package database that the layer holds a part of; NULL */
    const char *system;      /* "VERSION_ID 12 -> 13": what differs between the images; NULL */
};

struct storage_view {
    /* One read of three folders. Missing ones are empty. */
    int (*dump)(const struct paths *, const struct call *, struct observed_storage *, struct error *);
    /* Which volumes of that dump are on top at these paths of the container of `init_pid`. What else a guest mounts where
     * is its own affair. */
    void (*look_mounts)(const struct observed_storage *, int64_t init_pid, const struct texts *paths,
                        struct arena *, struct observed_guest_mounts *);
    /* Answers for each; `init_pid` 0: the container does not run, only the sources are looked at. */
    void (*look_binds)(const struct paths *, int64_t init_pid, struct observed_bind *binds, size_t count);
    /* `init_pid` 0: its container does not run. */
    void (*look_disk)(const struct paths *, const char *layer_file, int64_t init_pid, struct observed_disk *);
    /* Whether a file system in a file can be made larger while it is mounted. */
    bool (*grows_mounted)(const struct paths *);
    /* Reads the notes in every layer's and volume's folder: for those who ask for snapshots. */
    int (*dump_snapshots)(const struct paths *, const struct call *, struct observed_snapshots *,
                          struct error *);
    /* Reads the names in the three stores: for gc and doctor. */
    int (*dump_leftovers)(const struct paths *, struct arena *, struct observed_leftovers *, struct error *);
    /* Looks into a layer and at two images; `to` may be NULL while it is not made yet. */
    int (*dump_difference)(const struct paths *, const char *layer_file, const char *from, const char *to,
                           const struct call *, struct observed_difference *, struct error *);
    /* Bytes on disk of a layer or volume in its store (paths->layers, paths->volumes): a walk over all that is in it. */
    int64_t (*measure)(const char *store, const char *file);
};
extern const struct storage_view storage_view;

/* ---- effects ---- */

struct data_reference { /* a layer or a volume */
    struct described described;
    const char *file; /* folder in its store */
    bool left;        /* deletions: only what earlier ones have left of it */
};
extern const struct table data_reference_table;

struct data_rename {
    struct described described;
    const char *from, *to; /* folders in the store */
};
extern const struct table data_rename_table;

struct
    root_file { /* written into the root before start, handle by handle, never through a symlink out of it */
    struct described described;
    const char *path; /* absolute in the container; its parents are made; a symlink there is replaced */
    const char *content;
    int64_t mode;
};
extern const struct table root_file_table;

struct volume_source { /* a volume as it is to be made */
    struct described described;
    const char *file; /* folder in its store */
    const char *type; /* "dir", "loop", "btrfs" */
    int64_t size;     /* bytes; 0: as large as the store */
};
extern const struct table volume_source_table;

struct root_volume {
    struct described described;
    const char *path; /* in the container */
    const char *file; /* folder in the volumes' store */
    bool read_only;   /* and root inside cannot change that */
    const char *type; /* as in struct volume_source */
    int64_t size;
    bool fill; /* a new one: with what the image has at the path */
    struct texts
        fills; /* or, where others mount it too, the first of these images that has the path: "DIGEST/path" */
    bool fresh; /* what is in it is thrown away, unless another container has it */
};
extern const struct table root_volume_table;

struct root_bind { /* a folder or file of the host */
    struct described described;
    const char *path;   /* in the container */
    const char *source; /* on the host, without a symbolic link on the way */
    bool read_only;
};
extern const struct table root_bind_table;

struct root_mount {
    struct described described;
    const char *lxc_name;
    const char *digest;  /* of the image */
    const char *layer;   /* file name in the layers' store; made when missing */
    int64_t id_base;     /* 0: privileged, no idmap */
    struct list volumes; /* of root_volume; made when missing */
    struct list files;   /* of root_file */
    struct list binds;   /* of root_bind */
    bool fresh;          /* what is in the layer is thrown away first */
    bool with_init;      /* provides fpsync's small init at /.fpsync/init (read-only bind), for `command:` */
    bool copy;           /* the root is a copy of the image, not a layer on it; made when missing */
    bool lends_sys;      /* the host's sysfs is at /sys, read-only */
    bool lends_names;    /* the host's resolv.conf is written into it */
    int64_t disk;        /* bytes that the layer may hold; 0: as many as the store */
    const char *from; /* a copy that is made: of what this snapshot shows of the layer; NULL: of the image */
};
extern const struct table root_mount_table;

struct data_guest { /* a running container */
    struct described described;
    const char *lxc_name;
    int64_t init_pid, init_start;
};
extern const struct table data_guest_table;

struct data_change { /* of a layer or volume that is mounted nowhere */
    struct described described;
    const char *file;
    const char *token;  /* a change with the token of the last one is already so */
    const char *image;  /* layers: digest that it stands on until now */
    const char *name;   /* keep what is there as this snapshot, or NAME-2 where that is taken; NULL: do not */
    bool kept;          /* the snapshot goes only by name */
    bool whole;         /* a copy root; a volume always is */
    bool fresh;         /* begin anew with nothing */
    const char *from;   /* go back to this snapshot; NULL */
    struct list guests; /* volumes: of data_guest; they stand still while a copy is made */
};
extern const struct table data_change_table;

struct data_changed { /* result */
    struct described described;
    const char *name;  /* of the snapshot that was made; NULL: none */
    const char *image; /* of the snapshot that was gone back to: what the layer stands on now; NULL */
};
extern const struct table data_changed_table;

struct archive_part { /* what guests write to, and nobody else: read from one moment */
    struct described described;
    const char *name;    /* key; any */
    struct texts layers; /* file names */
    struct texts volumes;
    struct list guests; /* of data_guest: they stand still while it is read */
};
extern const struct table archive_part_table;

struct archive {
    struct described described;
    const char *file;   /* absolute; "/proc/PID/fd/N" for a stream of somebody's */
    struct list guests; /* of data_guest: they stand still while all is read that is in no part */
    struct list parts;  /* of archive_part, one after the other */
};
extern const struct table archive_table;

struct layer_check {
    struct described described;
    const char *file;
    const char *from, *to; /* digests of images */
};
extern const struct table layer_check_table;

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
    const char *type; /* as in struct volume_source */
    int64_t size;
    bool fill;          /* a new one, from what the image of this */
    const char *digest; /* has at the path, */
    struct texts fills; /* or, where others mount it too, as in struct root_volume */
};
extern const struct table volume_attach_table;

struct bind_attach { /* into a running container */
    struct described described;
    const char *lxc_name;
    int64_t init_pid, init_start; /* both must still match, else -ESRCH */
    const char *path;
    const char *source; /* NULL in a detach */
    bool read_only;
    bool plain; /* as LXC's own mounts are: ids as on the host, programs and devices as they are */
};
extern const struct table bind_attach_table;

struct storage_effects {
    int (*create_layer)(const struct paths *, const struct data_reference *, const struct call *,
                        struct error *);
    /* Also makes one larger that is there. */
    int (*create_volume)(const struct paths *, const struct volume_source *, const struct call *,
                         struct error *);
    /* What is not there any more while the other name is has been renamed already. -EEXIST when both are there. A layer
     * may not be mounted anywhere (-EBUSY): who mounts it next must be able to see that nobody has. Mounts of a volume
     * go on. */
    int (*rename_layer)(const struct paths *, const struct data_rename *, const struct call *,
                        struct error *);
    int (*rename_volume)(const struct paths *, const struct data_rename *, const struct call *,
                         struct error *);
    /* For `gc` alone. -EBUSY while it is mounted anywhere that we can see. 0: no byte of it is there any more. */
    int (*delete_layer)(const struct paths *, const struct data_reference *, const struct call *,
                        struct error *);
    int (*delete_volume)(const struct paths *, const struct data_reference *, const struct call *,
                         struct error *);
    /* Makes the file of a limited layer larger while it is mounted: `file` and `size`. -EPERM without CAP_SYS_RESOURCE. */
    int (*grow_layer)(const struct paths *, const struct volume_source *, const struct call *,
                      struct error *);
    /* Freezes the upper, without a copy, and what else is asked: see drivers/storage/stack.h. Changes of what is whole
     * copy the data where the file system cannot share it. -EBUSY while it is mounted. */
    int (*change_layer)(const struct paths *, const struct data_change *, const struct call *,
                        struct data_changed *, struct error *);
    int (*change_volume)(const struct paths *, const struct data_change *, const struct call *,
                         struct data_changed *, struct error *);
    /* Frees the snapshot `name` and what only it names. */
    int (*drop_layer_snapshot)(const struct paths *, const struct data_change *, const struct call *,
                               struct error *);
    int (*drop_volume_snapshot)(const struct paths *, const struct data_change *, const struct call *,
                                struct error *);
    /* See drivers/storage/archive.h. */
    int (*write_backup)(const struct paths *, const struct archive *, const struct call *, struct error *);
    int (*read_backup)(const struct paths *, const struct archive *, const struct call *, struct error *);
    /* -EPERM, saying why, when the layer should not be put on the image `to`: see observed_difference. */
    int (*check_layer)(const struct paths *, const struct layer_check *, const struct call *, struct error *);
    /* Whether mount_root() will find what it needs: asked while the container still runs on what it had. */
    int (*check_root)(const struct paths *, const struct root_mount *, const struct call *, struct error *);
    /* The merged root at mounts/LXCNAME/root with volumes and files. A root that is mounted already is first taken down
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
    int (*attach_bind)(const struct paths *, const struct bind_attach *, const struct call *, struct error *);
    /* Whatever is mounted there. */
    int (*detach_bind)(const struct paths *, const struct bind_attach *, const struct call *, struct error *);
};
extern const struct storage_effects storage_effects;
