/* What COPY and ADD take: a part of a build context, looked at without changing anything.
 *
 * Who plans a build digests its inputs to know whether a step has to be made again; who then copies them digests them
 * once more, by the same walk, to be sure that they are what the key of the step says. The digest covers path, type,
 * mode, content and link target of each entry, in byte order of paths: neither owners nor times, which another checkout
 * of the same sources would change.
 *
 * Contexts are written by strangers: everything is opened below the context's folder (openat2(2), RESOLVE_BENEATH), and
 * whatever would lead out of it is an error. A source that is a symbolic link is what it points to; links further down
 * are links. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/arena.h"
#include "lib/fields.h"

struct buffer;
struct error;

#define CONTEXT_ENTRIES 1000000 /* of one source */
#define CONTEXT_DEPTH   128

struct context_filter { /* .dockerignore; all paths are relative to the context, clean */
    bool (*leaves_out)(void *context, const char *path);
    bool has_exceptions; /* what is below a folder that is left out may still be taken */
    void *context;
};

struct context_source {
    const char *
        path; /* relative to the context, links followed; "" is all of it. Known before the filter is asked, */
    bool is_folder;     /* and so is that */
    const char *digest; /* 64 hex digits */
    struct texts excluded,
        included; /* paths relative to the context: what a copy leaves out, and below it takes */
    int64_t entries, bytes;
};

/* The folder of a context. -ENOTDIR, -ENOENT. */
int context_open(const char *folder, struct error *error);
/* A file of it, as the ignore file. -ENOENT; -EXDEV: it leads out of the context; -EFBIG; -EINVAL: it is no file. */
int context_read(int folder, const char *path, size_t limit, struct buffer *text, struct error *error);
/* One source, "." being all; `filter` NULL takes everything. -ENOENT: there is none, or it is left out; -EXDEV: it leads
 * out of the context; -EMLINK: too much of it. */
int context_look(int folder, const char *path, const struct context_filter *filter, struct arena *arena,
                 struct context_source *source, struct error *error);
/* The same of what a copy was told: `excluded` and `included` as above. */
int context_look_again(int folder, const char *path, const struct texts *excluded,
                       const struct texts *included, struct arena *arena, struct context_source *source,
                       struct error *error);
/* Sources that a pattern matches, relative to the context, in byte order: a component of it at a time, by `matches`, never
 * through a symbolic link that leads out. Nothing that the filter leaves out. */
int context_match(int folder, const char *pattern,
                  bool (*matches)(void *context, const char *pattern, const char *name), void *context,
                  const struct context_filter *filter, struct arena *arena, struct texts *paths,
                  struct error *error);
