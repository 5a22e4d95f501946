/* Images into a tree that any web server can serve, and that others read as a remote: fpsync itself, LXD's client
 * (simplestreams: streams/v1/index.json, streams/v1/images.json) and LXC's template `download` (meta/1.0/index-system,
 * index-user).
 *
 *   images/NAME/current/ARCH/default/VERSION/    the files of one version:
 *       rootfs.tar.xz, rootfs.squashfs           the root, merged; the second only where that is the format
 *       lxd.tar.xz                               metadata.yaml, and fpsync.json: what the image says about being run
 *       meta.tar.xz                              the same for LXC's template
 *       recipe.tar.xz                            Recipe, .dockerignore, and what the recipe takes of its folder
 *   streams/v1/NAME[.minisig|.sig], NAME.sjson   the indexes, and their signatures
 *
 * A reader never sees an index that names what is not there, nor a signature that is not of the index beside it: the
 * files of a version bear their name when they are whole and on disk; the folder streams/v1 is made anew beside the old
 * one and exchanged with it in one step; what no index names any more goes last. A crash leaves the tree as it was or
 * as it is meant to be, and names with a dot before them that the next run removes.
 *
 * What others have in the tree stays: their products, lists and files. The tree may have been written by strangers, too:
 * all is opened below its folder, step by step, and no symbolic link in it is followed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "drivers/call.h"
#include "drivers/paths.h"
#include "lib/buffer.h"
#include "lib/digest.h"

struct error;
struct image_config;
struct image_publish;
struct image_published;
struct json;
struct signing_key;

#define PUBLISH_STREAMS "streams/v1"
#define PUBLISH_LISTS   "meta/1.0"
#define PUBLISH_LIMIT   ((size_t)16 << 20) /* bytes of an index */

struct publish_item { /* a file of the version */
    const char *file; /* its name */
    const char *key;  /* in the index; NULL: it is in none */
    const char *type;
    char digest[DIGEST_TEXT_SIZE];
    int64_t size;
};

struct publishing {
    const struct paths *paths;
    const struct image_publish *request;
    const struct call *call;
    int tree;          /* its folder, locked */
    const char *place; /* "images/NAME/current/ARCH/default" */
    struct image_config *config;
    const char *config_text; /* NULL: it says nothing */
    struct signing_key *key; /* NULL: it is not signed so */
    int64_t time;
    const char *version; /* once it is known: a new one, or the newest of the tree, which is this image */
    bool is_there;
    struct publish_item items[8];
    size_t count;
    char combined[DIGEST_TEXT_SIZE];      /* over lxd.tar.xz and root: what LXD calls the fingerprint */
    struct json *index, *images;          /* what streams/v1 is to say; never NULL once it was read */
    const char *index_text, *images_text; /* as it is there; NULL: it is not, or says something else */
    bool changed;                         /* something was written */
};

/* The effect. */
int image_publish(const struct paths *paths, const struct image_publish *request, const struct call *call,
                  struct image_published *published, struct error *error);

/* ---- publish_tree.c: the folder ---- */

/* Opens, makes where it is missing, locks. -EEXIST: it is something else; -EBUSY. */
int publish_open(struct publishing *publishing, struct error *error);
/* A folder below the tree, for reading; `make`: with its parents where missing. -ELOOP or -ENOTDIR for a link. */
int publish_folder(int tree, const char *path, bool make, struct error *error);
/* A regular file. -ENOENT without a message where it is not there. */
int publish_read(int folder, const char *name, struct buffer *text, struct error *error);
/* A new one, on disk when this returns. */
int publish_write(int folder, const char *name, const void *bytes, size_t size, struct error *error);

/* ---- publish_files.c: a version's files ---- */

/* Makes them all, and shows them under the version's name. */
int publish_files(struct publishing *publishing, struct error *error);
/* Removes what the index names no more: versions of this product, and what crashes have left. */
int publish_clean(struct publishing *publishing, struct error *error);

/* ---- publish_recipe.c ---- */

/* Recipe, ignore file and sources into the empty folder. -EAGAIN: they are not what the image was made of. */
int publish_recipe(struct publishing *publishing, int folder, struct error *error);

/* ---- publish_metadata.c: texts about the image ---- */

void publish_metadata(const struct publishing *publishing, struct buffer *text); /* metadata.yaml */
/* For LXC: the lines of a container's config; of one without a user namespace, or with. */
void publish_lxc_config(const struct publishing *publishing, bool user, struct buffer *text);
void publish_lxc_message(const struct publishing *publishing, struct buffer *text);
const char *publish_label(const struct publishing *publishing, const char *key, const char *otherwise);
const char *publish_lxc_arch(const struct publishing *publishing); /* "x86_64" */

/* ---- publish_index.c: what the indexes say ---- */

/* Reads what the tree says; what it must say where it says nothing. -EBADMSG, -EEXIST: the product is somebody else's. */
int publish_read_index(struct publishing *publishing, struct error *error);
/* Which version: the newest, where it is this image, or a new one after it. */
int publish_choose_version(struct publishing *publishing, struct error *error);
/* Adds the version and drops those before the last `keep`. */
void publish_add_version(struct publishing *publishing);
bool publish_names_version(const struct publishing *publishing, const char *version);

/* ---- publish_streams.c, publish_lists.c: how it is shown ---- */

int publish_streams(struct publishing *publishing, struct error *error);
/* The tree is signed, and who publishes has not the key, or another one. -EPERM. */
int publish_check_signed(const struct publishing *publishing, struct error *error);
int publish_lists(struct publishing *publishing, struct error *error);
/* The clear-signed text of GPG. -ENOENT: it is not installed; -ENOKEY. */
int publish_gpg(const struct publishing *publishing, const struct buffer *text, struct buffer *out,
                struct error *error);
