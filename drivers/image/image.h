/* The image family: root file systems from their sources into the store (layout in drivers/storage/storage.h).
 *
 * An image is made under a temporary name below images/, digested, marked complete, synced, and renamed to its
 * content digest; a crash leaves a ".tmp-" folder that the next run removes. The digest covers path, type, mode,
 * owner, size, link target, device number, xattrs and content of every entry, in byte order of paths; times are
 * left out.
 *
 * Unpacking is done by build/fpsync-fetch, a second, sandboxed program: it is the only one that links libarchive
 * and libcurl, and can only hand back a finished tree or an error. */
#pragma once

#include "drivers/call.h"
#include "drivers/paths.h"
#include "specs/model.h"
#include "specs/remote.h"

struct error;

struct image_make {
    struct described described;
    const char *name;   /* full name, for messages */
    const char *source; /* as in struct image; an archive is a tar, plain or as .gz, .xz or .zst */
    struct texts packages;
    struct remote *remote; /* that the source names; its name is NULL where it names none */
    const char *pin;       /* "sha256:HEX" of what is fetched; NULL: whatever comes */
    const char *origin; /* what the source was resolved to the last time; older versions are refused; NULL */
    bool offline;       /* no server is asked */
    const char *arch;   /* "amd64", "arm64", as Debian calls it; NULL: this machine's */
    struct downloads *downloads;
    struct texts words; /* of a list: all of them are in what is listed; `source` is "REMOTE:" */
};
extern const struct table image_make_table;

struct image_listed { /* result */
    struct described described;
    const char
        *products; /* JSON: an array of what fetch/resolve.h calls a product, texts as the server has them */
    int64_t more;  /* that were left out */
};
extern const struct table image_listed_table;

struct image_made { /* result */
    struct described described;
    const char *digest; /* 64 hex digits */
    int64_t bytes;      /* sum of file sizes */
    const char *config; /* JSON of what is to be known where it runs (specs/image_config.h); NULL: nothing */
    const char *
        origin; /* what the source was resolved to: "sha256:..." of a manifest, a server's fingerprint; NULL */
    const char *lower; /* digest of the image that it is a delta on; NULL: it is whole */
};
extern const struct table image_made_table;

/* What a source stands for today, asked of its server and of nobody else. Nothing is stored. */
struct image_looked { /* result */
    struct described described;
    const char *origin; /* as image_made has it, or what that one begins with: see image_origin_is() */
};
extern const struct table image_looked_table;
/* Whether what was made with `origin` is still what the server has. */
bool image_origin_is(const char *origin, const char *looked);

struct image_reference {
    struct described described;
    const char *digest;
    bool left;     /* only what earlier removals have left of it */
    bool download; /* no image, but what came of a download: `digest` is its key */
};
extern const struct table image_reference_table;

/* Into an OCI layout, or, where the path ends as one, a tar. */
struct image_export {
    struct described described;
    const char *digest; /* of an image of the store */
    const char
        *path; /* absolute: a folder that is not there, or empty, or a layout, which then gets one more */
    const char *tag;         /* NULL: "latest"; the one that the layout has under it goes */
    const char *compression; /* of layers: "gzip", "zstd", "none"; NULL: "gzip" */
};
extern const struct table image_export_table;

struct image_exported { /* result */
    struct described described;
    const char *digest; /* "sha256:..." of the manifest */
    int64_t bytes;      /* of the layers */
};
extern const struct table image_exported_table;

/* Into a tree that image servers serve: see publish.h. */
struct image_publish {
    struct described described;
    const char *name;        /* of the product: bare */
    const char *digest;      /* of an image of the store */
    const char *path;        /* absolute: a folder that is not there, or empty, or such a tree */
    const char *format;      /* of the root: "squashfs", "tar.xz" */
    const char *arch;        /* as Debian calls it */
    const char *time;        /* of the version, seconds since 1970 in digits; NULL: now */
    int64_t keep;            /* versions, with this one */
    const char *key;         /* file of the secret key of minisign or signify that signs the tree; NULL */
    const char *gpg;         /* which of GPG's secret keys signs it; NULL */
    const char *gpg_home;    /* folder of GPG's keys; NULL: root's own */
    const char *recipe_text; /* what the image is made of, where that is no folder; NULL */
    const char *context;     /* folder of the host that it was built of; NULL */
    const char *recipe;      /* in it, by its name there */
    struct list sources;     /* of build_source: what the recipe takes of that folder */
    struct texts needs;      /* images that the recipe names and that are those of this host */
};
extern const struct table image_publish_table;

struct image_published { /* result */
    struct described described;
    const char *version;
    int64_t bytes; /* of its files */
    bool changed;  /* false: the tree had it as it is */
};
extern const struct table image_published_table;

struct image_effects {
    /* Long: reports progress by lines ("unpacking 34 %", mmdebstrap's own phases). */
    int (*make)(const struct paths *, const struct image_make *, const struct call *, struct image_made *,
                struct error *);
    /* `origin` of the request is what is there: older versions than that are refused. -ENODATA when the server says
     * nothing that could be compared. */
    int (*look)(const struct paths *, const struct image_make *, const struct call *, struct image_looked *,
                struct error *);
    /* For gc alone. -EBUSY while a root stands on it. */
    int (*remove)(const struct paths *, const struct image_reference *, const struct call *, struct error *);
    /* -EEXIST when something else is at the path. */
    int (*export)(const struct paths *, const struct image_export *, const struct call *,
                  struct image_exported *, struct error *);
    /* -EEXIST when something else is at the path, -EPERM for what would leave a signature behind that is wrong. */
    int (*publish)(const struct paths *, const struct image_publish *, const struct call *,
                   struct image_published *, struct error *);
    /* What the request's remote has; it changes nothing. Errors of drivers/image/remote.h. */
    int (*list)(const struct paths *, const struct image_make *, const struct call *, struct image_listed *,
                struct error *);
};
extern const struct image_effects image_effects;
