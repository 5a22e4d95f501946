/* Between those who read archives and the one who lays out what they read.
 *
 * Readers (tar.c, squash.c) turn what an archive says into entries and check nothing but their own format; filling.c
 * holds the one set of rules and makes the entries; layer.c knows what an OCI layer does to what lies below it. */
#pragma once

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "drivers/image/fetch/fetch.h"
#include "lib/map.h"

/* A bomb: this much more than was read, once it is worth a look. Real root file systems stay below 20. */
#define RATIO_LIMIT ((int64_t)200)
#define RATIO_FROM  ((int64_t)256 << 20)
#define DEPTH_LIMIT 128

enum entry_type { ENTRY_FILE, ENTRY_FOLDER, ENTRY_SYMLINK, ENTRY_HARDLINK, ENTRY_FIFO, ENTRY_OTHER };

struct attribute { /* an xattr */
    const char *name;
    const void *value;
    size_t size;
};

struct entry { /* as the archive has it: nothing of it is checked */
    enum entry_type type;
    const char *name; /* NULL: not UTF-8 */
    const char *link; /* of symlinks and hard links */
    unsigned mode;
    int64_t uid, gid, size;
    struct timespec time;
    const struct attribute *attributes;
    size_t attribute_count;
};

struct reader {
    void *context;
    /* The next piece of the present file: 1, 0 at its end, or a negative errno. */
    int (*piece)(void *context, const void **bytes, size_t *size, int64_t *offset, struct error *error);
    int (*percent)(void *context);
};

struct folder_time {
    const char *path;
    struct timespec time;
};

struct filling {
    int root;
    bool layer;  /* what is there already is of lower layers */
    bool small;  /* the context of a build */
    bool checks; /* nothing is made */
    struct reader reader;
    struct arena *arena;
    struct folder_time *folders; /* their times are set last: making what is in them changes them */
    size_t folder_count;
    struct map made; /* in a layer: path -> MADE, or TOUCHED for the folders on the way to what was made */
    struct unpacked unpacked;
    int64_t promised; /* sizes of all files, holes included: whoever reads the tree reads them, too */
    int percent;
    void (*progress)(int percent);
    char path[PATH_MAX]; /* clean name of the present entry; "" is the root */
    char parent_path
        [PATH_MAX]; /* of the folder that is held open, as the next entry mostly lies beside the last */
    int parent;     /* -1: none */
    struct error *error;
};

void filling_begin(struct filling *filling, struct arena *arena);
/* Takes an entry, and the pieces of its content when it is a file. */
int filling_add(struct filling *filling, const struct entry *entry);
int filling_finish(struct filling *filling);
void filling_clear(struct filling *filling);

int filling_fail(struct filling *filling, int code);
int filling_refuse(struct filling *filling, const char *reason);
/* -errno in errno's way. In a layer symlinks of lower ones are followed, as if the target were "/". */
int filling_open(const struct filling *filling, const char *path, int flags);
/* The folder that holds `path`; `name` is what follows in it. When `make`, its missing parents are made; else -ENOENT. */
int filling_open_parent(struct filling *filling, const char *path, bool make, const char **name);

/* Whether the name is one of OCI's marks (image-spec, layer.md: whiteouts), which are obeyed and not made. */
bool layer_is_mark(const char *name);
int layer_obey(struct filling *filling, int parent, const char *name);
/* Makes room at the name for what this layer has there; a folder that a folder replaces keeps what is in it. */
int layer_make_room(struct filling *filling, const struct entry *entry, int parent, const char *name);
/* Remembers that the present entry is this layer's. */
void layer_made(struct filling *filling, const char *path);

/* A thread that reads and decompresses (gzip, xz, zstd, or nothing), so that another can lay out meanwhile. */
struct decoder;
/* `hashed`: with digests of what is read and of what comes out. The thread runs when this returns. */
struct decoder *decoder_start(int archive, bool hashed, struct error *error);
/* Waits for the next block, which is the caller's until the next call: its size, 0 at the end, or -errno. */
int64_t decoder_next(struct decoder *decoder, const void **bytes, struct error *error);
int decoder_percent(const struct decoder *decoder);
/* To the end of the input; then the digests are known. */
int decoder_drain(struct decoder *decoder, struct error *error);
void decoder_digests(const struct decoder *decoder, const char **read, const char **decoded);
void decoder_free(struct decoder *decoder); /* accepts NULL; stops it */

int tar_read(struct decoder *decoder, struct filling *filling);
bool squash_is(int archive);
int squash_read(int archive, struct filling *filling);
