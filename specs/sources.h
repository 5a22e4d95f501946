/* -f arguments into sources and files. */
#pragma once

#include "specs/specs.h"

struct spec_file {
    const char *path;   /* as shown to people; "-" for stdin */
    const char *folder; /* absolute: of the file; of the process for stdin */
    const char *source; /* name */
    size_t depth;       /* how many files include each other down to it; 0: named, or in a named folder */
};

struct file_list {
    struct spec_file *items;
    size_t count;
};

/* Fills `set->sources` and `files`, in the order of reading; each file once. What cannot be used is a problem. */
int sources_collect(const struct spec_request *request, const struct object_set *recorded,
                    struct arena *arena, struct spec_set *set, struct file_list *files,
                    struct problems *problems, struct error *error);

/* The whole of a file, checked: regular, not too large, and, for root, writable by nobody else. False after a
 * problem; `missing_is_fine`: true with nothing read when there is none. */
bool spec_file_read(const char *path, bool by_hand, bool missing_is_fine, struct problems *problems,
                    struct buffer *text);

/* The names of the specs in a folder, in byte order: *.yaml and *.yml, no dotfiles, templates or subfolders. None when there
 * is no such folder; false, after a problem at `place`, when it cannot be read or others may put files there. */
bool spec_folder_read(const char *path, bool by_hand, struct place place, struct arena *arena,
                      struct problems *problems, struct texts *names);

/* What a file adds to the set's digest. */
struct digest;
void spec_digest(struct digest *digest, const char *name, const struct buffer *text);
