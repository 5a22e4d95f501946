/* Building images: one effect an instruction, each on what the instructions before it have left, and one that makes an
 * image of them all.
 *
 *   build/steps/KEY/upper       what one instruction changed, in overlay's upper format; ids as in images
 *   build/steps/KEY/note        written last: "bytes N", "on KEY" of the step right below it or "on -", and "boot ID" until
 *                               it is synced; its mtime is when the step was last used by a build
 *   build/steps/.tmp-KEY/       a step in the making, locked by its maker; without one it is a leftover
 *   build/fetched/DIGEST        what an address of ADD held, until the run that fetched it ends
 *   build/caches/ID/            of RUN --mount=type=cache: data, and a lock
 *   build/contexts/DIGEST/      what was in the archive of that SHA-256: "context", and a note, written last
 *   build/logs/PROJECT_NAME.KEY what the command of a RUN printed, 0600, and PROJECT_NAME.KEY.1 before that
 *   build/failed/KEY/           the upper of a RUN that failed, with a note: "expires SECONDS", "failed NANOSECONDS", "of IMAGE",
 *                               and the keys below it; and "run", what was to be run there
 *
 * A step is known by its key alone, which whoever plans computes from all that goes into it: an effect whose step is
 * there already does nothing. A step is made under its temporary name and renamed when it is whole, so a crash leaves
 * only what the next build or gc removes. The root of a step is overlay(its upper, those below it newest first, the
 * delta of its image, that one's lower): nothing is ever written to what lies below.
 *
 * Recipes, contexts and roots are written by strangers. Sources are opened below their folder without leaving it, and
 * no symbolic link of a root leads out of that root (openat2(2)); RUN has its own user, pid, mount and network
 * namespaces, and all it has started is dead before its step is kept. */
#pragma once

#include "drivers/call.h"
#include "drivers/container/container.h"
#include "drivers/image/image.h"
#include "drivers/network/network.h"
#include "drivers/paths.h"
#include "drivers/storage/storage.h"

struct error;

#define BUILD_FOLDER_STEPS    "steps" /* below paths->build */
#define BUILD_FOLDER_CACHES   "caches"
#define BUILD_FOLDER_FAILED   "failed"
#define BUILD_FOLDER_CONTEXTS "contexts"
#define BUILD_CONTEXT_FOLDER  "context" /* in one of those */
#define BUILD_FOLDER_LOGS     "logs"
#define BUILD_FOLDER_FETCHED  "fetched"

#define BUILD_LOG_AGE   ((int64_t)7 * 24 * 3600) /* seconds that a log is kept, */
#define BUILD_LOG_COUNT 256                      /* and how many of them at most */

struct build_place { /* where an instruction stands */
    struct described described;
    const char *image;  /* digest of the image that the stage began with; NULL: scratch */
    struct texts below; /* keys of the steps on it, newest first */
    const char *key;    /* of the step to be made, 64 hex digits; NULL where a place is only read */
    const char *name;   /* "stage build", "image tools" where a place is only read, for messages */
};
extern const struct table build_place_table;

/* ---- COPY and ADD ---- */

struct build_source { /* one of its sources, however many files that is */
    struct described described;
    const char *key;          /* "0", "1", ... in the order of the instruction */
    const char *text;         /* a here-document; NULL */
    const char *folder;       /* or a folder of the host, absolute: the context; NULL */
    struct build_place *from; /* or, where both are NULL, the root of another stage or image */
    const char *
        path; /* in the folder, relative and clean ("." for all of it); in the root, absolute, and a glob (ignore.h) where it is wild; of a
                                 here-document the file's name */
    struct texts excluded; /* of the folder: paths in it that are not copied, nor what is below them; from the
                              context on, relative and clean */
    struct texts included; /* and paths below those that are, all the same (".dockerignore" with "!") */
    const char *url; /* or what this address held, which has been fetched; `path` is the name of the file */
    const char *fetched; /* its digest, 64 hex digits */
    const char *digest;  /* of the files in the folder (view_context.h); NULL: not compared */
    int64_t skipped;     /* how many of the path's folders are left out of what build_copy.parents keeps */
};
extern const struct table build_source_table;

struct build_copy {
    struct described described;
    struct build_place *place;
    const char *what;    /* "Recipe:4 COPY a b /c", for messages */
    struct list sources; /* of build_source */
    const char
        *target; /* absolute; one that ends in "/" is a folder, and so it must be for several sources */
    const char *
        owner; /* "USER[:GROUP]", by name in the root's /etc/passwd and /etc/group or as numbers; NULL: 0:0 of
                            what comes from the host, as it is of what comes from a root */
    const char *mode;    /* of all files and folders, octal digits; NULL: as they are */
    bool unpack;         /* a source that is an archive is unpacked into the target */
    bool unpack_fetched; /* one that was fetched, too */
    bool parents;        /* sources keep the folders of their paths, below the target */
    const char *
        epoch; /* seconds since 1970 in digits (SOURCE_DATE_EPOCH): of all that it makes; NULL: as the sources */
};
extern const struct table build_copy_table;

struct build_folder { /* WORKDIR */
    struct described described;
    struct build_place *place;
    const char *what;
    const char *path;  /* absolute; made with its parents where missing */
    const char *owner; /* of what is made; NULL: 0:0 */
    const char *epoch;
};
extern const struct table build_folder_table;

/* ---- RUN ---- */

struct build_mount { /* RUN --mount=type=... */
    struct described described;
    const char *key;     /* "0", "1", ... */
    const char *type;    /* "cache", "secret", "bind", "tmpfs" */
    const char *target;  /* NULL: of a secret that is a variable only */
    const char *id;      /* cache: which */
    const char *sharing; /* cache: "shared", "private", "locked" */
    const char *path;    /* bind: what is mounted; cache: what a new one begins with; NULL: with nothing */
    const char *folder;  /* it is in this folder of the host, the context; NULL */
    struct texts excluded, included; /* of that, as in build_source */
    struct build_place *from;        /* or, where that is NULL, in the root of another stage or image */
    const char *file; /* secret: file of the host with its value, 0600; NULL: it is not there */
    const char *mode; /* secret, cache, tmpfs: octal digits; NULL: 0400, 0755, 01777 */
    int64_t uid, gid;
    bool writable;   /* bind, cache; what is written to a bind goes nowhere */
    int64_t size;    /* tmpfs: bytes; 0: half of the memory */
    const char *env; /* secret: variable of the command that has its value, up to the first zero byte; NULL */
};
extern const struct table build_mount_table;

struct build_run {
    struct described described;
    struct build_place *place;
    const char *what;
    struct texts argv;     /* a shell form has its shell already */
    struct pairs env;      /* all of it; PATH and HOME are set where it does not */
    const char *user;      /* as in build_copy.owner; NULL: root */
    const char *directory; /* absolute; made where missing; NULL: "/" */
    bool init;             /* the image's init is booted first */
    struct container_definition
        *definition; /* id_base, limits, nics, hostname and so on; the effect says its name, which is
                                                build_container_name(), root, uid, env and command */
    struct container_start *start;
    struct list ports; /* of port_mark, done once it runs */
    struct list
        guards; /* of rule_guard: what the rules have for those ports while it runs; somebody else sees to it */
    struct list
        files; /* of root_file: seen while it runs, and in no step ("/etc/resolv.conf", "/etc/hosts") */
    struct list mounts; /* of build_mount */
    const char *image;  /* full name of the image that it is for; NULL: no log is kept */
    int64_t keep;       /* milliseconds that the root of a command that failed is kept; 0: not at all */
    const char *epoch;
};
extern const struct table build_run_table;

struct
    build_shell { /* in the root of a RUN that failed; what it changes there stays there, in no step and no image */
    struct described described;
    struct build_run *run; /* as it was kept; its place says which root */
    struct texts argv;     /* empty: the root's bash, or else its sh */
    int64_t pid; /* whose streams 0, 1 and 2 it gets, through pidfd_getfd(2); it ends with that process */
    const char *term; /* TERM, where the environment has none; NULL */
};
extern const struct table build_shell_table;

struct build_shelled { /* result */
    struct described described;
    int64_t status; /* as a shell has it */
};
extern const struct table build_shelled_table;

/* ---- the end ---- */

struct build_commit {
    struct described described;
    const char *name;          /* full name, for the image's note */
    struct build_place *place; /* `key` NULL */
    const char *config;        /* the image's config as JSON in canonical form; NULL: none */
    const char *origin;        /* what the result tells of as such; NULL */
    const char *epoch;
    struct texts uses; /* keys of all steps of the build, also of other stages: each was used now */
};
extern const struct table build_commit_table;

struct build_serve { /* steps that were made anew are what later builds find */
    struct described described;
    struct texts made; /* keys that they have, each after what it stands on; what is not there is left out */
    struct texts cached; /* keys that they get, one each */
};
extern const struct table build_serve_table;

struct build_address { /* what an address of ADD holds */
    struct described described;
    const char *url;    /* https:// */
    const char *digest; /* that it must have, 64 hex digits; NULL: whatever comes */
    bool guarded;       /* addresses that are not public are refused */
    bool offline;
    struct downloads *downloads;
};
extern const struct table build_address_table;

struct build_fetched { /* result */
    struct described described;
    const char *digest;
};
extern const struct table build_fetched_table;

struct build_drop { /* for gc; what is not there is gone already */
    struct described described;
    struct texts steps;    /* keys */
    struct texts failed;   /* keys */
    struct texts caches;   /* ids */
    struct texts contexts; /* digests */
    struct texts logs;     /* names of files */
    bool fetched;          /* all that addresses held */
};
extern const struct table build_drop_table;

/* Name that a step's container has in LXC. No container of a spec can have it: those begin with a small letter. */
char *build_container_name(const struct paths *paths, struct arena *arena, const char *key);
/* 64 hex digits. -EINVAL. */
int build_check_key(const char *key, struct error *error);
/* File of a log: "PROJECT_NAME.KEY". */
char *build_log_name(struct arena *arena, const char *image, const char *key);
/* Folder of a cache: letters, digits, '-', '_' and '.', not leading; any other id is known by its digest. */
char *build_cache_file(struct arena *arena, const char *id);

struct build_effects {
    /* -EAGAIN when the files of a source are not those that its digest says: they changed while they were copied. */
    int (*copy)(const struct paths *, const struct build_copy *, const struct call *, struct error *);
    int (*folder)(const struct paths *, const struct build_folder *, const struct call *, struct error *);
    /* The command's output is progress, line by line. -ECHILD: it ended with another status than 0, which the error says
     * with its last lines. The call's deadline is its time. */
    int (*run)(const struct paths *, const struct build_run *, const struct call *, struct error *);
    /* In a container just like that of the RUN. Where both 0 and 1 are a terminal it gets one of its own, joined to that
     * one, which is as it was afterwards. -ENOENT: the root is not kept any more, or something below it is gone. */
    int (*shell)(const struct paths *, const struct build_shell *, const struct call *,
                 struct build_shelled *, struct error *);
    /* The uppers of the place's steps as one delta on its image, or on that one's lower, where it is a delta itself; a whole
     * tree on scratch. The same steps, config and epoch give the same digest. */
    int (*commit)(const struct paths *, const struct build_commit *, const struct call *, struct image_made *,
                  struct error *);
    int (*drop)(const struct paths *, const struct build_drop *, const struct call *, struct error *);
    /* The context of image `name`: `source` is the absolute path of an archive, an https:// address, or REMOTE:ALIAS, of
     * which the recipe is meant that it was published with. It is verified, as images are, unpacked within bounds of its
     * own, and known by the SHA-256 of the archive, which the result has as digest. An archive that holds one folder and
     * nothing else is taken for that folder. */
    int (*fetch)(const struct paths *, const struct image_make *, const struct call *, struct image_made *,
                 struct error *);
    /* With a digest that is there nobody is asked. -EBADMSG: it has another one. */
    int (*address)(const struct paths *, const struct build_address *, const struct call *,
                   struct build_fetched *, struct error *);
    /* What had these keys goes, and all that stands on it: newest first, so that a crash leaves no step on another than it
     * was made on. For times in which nothing is built. */
    int (*serve)(const struct paths *, const struct build_serve *, const struct call *, struct error *);
};
extern const struct build_effects build_effects;

/* ---- view ---- */

struct observed_step {
    const char *key;
    const char *on; /* key of the step right below it; "-": there is none; NULL: it does not say */
    int64_t bytes;  /* of content */
    int64_t used;   /* seconds since 1970: last used by a build */
};

struct observed_failed {
    const char *key;
    const char *of;            /* full name of the image; NULL: it does not say */
    struct build_place *place; /* that its upper stands on */
    int64_t expires;           /* seconds since 1970 */
    int64_t failed;            /* nanoseconds since 1970: which of two is the newer one */
    int64_t bytes;
};

struct observed_cache {
    const char *file; /* build_cache_file() of its id, and its name in build/caches */
    int64_t used;
};

struct observed_context {
    const char *digest; /* of its archive */
    int64_t made;       /* seconds since 1970 */
};

struct observed_log {
    const char *file;
    int64_t used; /* seconds since 1970: last written to */
    int64_t bytes;
};

#define STEP_TEMPORARY ".tmp-" /* a step in the making: then its key */

struct observed_build {
    struct observed_step *steps; /* by key */
    size_t step_count;
    struct observed_failed *failed; /* by key */
    size_t failed_count;
    struct observed_cache *caches; /* by file */
    size_t cache_count;
    struct observed_context *contexts; /* by digest */
    size_t context_count;
    struct observed_log *logs; /* by file */
    size_t log_count;
    size_t fetched_count; /* files that addresses held */
    size_t left_count;    /* steps of builds that were killed, with their containers; drop() ends those */
};

struct build_view {
    /* One read of five folders and of a note a step. Missing ones are empty. */
    int (*dump)(const struct paths *, struct arena *, struct observed_build *, struct error *);
    /* Whether the step is there: one small file is read. */
    bool (*has_step)(const struct paths *, const char *key);
    /* The folder that the archive with this digest was unpacked into, in the arena; NULL: it is not there. */
    const char *(*context)(const struct paths *, struct arena *, const char *digest);
    /* What was to be run in a root that is kept. -ENOENT, -EBADMSG. */
    int (*failed_run)(const struct paths *, struct arena *, const char *key, struct build_run **,
                      struct error *);
};
extern const struct build_view build_view;
