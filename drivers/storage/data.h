/* Folders of layers and volumes in their stores. */
#pragma once

#include <stdbool.h>

#include "drivers/call.h"
#include "drivers/paths.h"

struct error;
struct data_reference;
struct data_rename;

/* mkdir -p of an absolute path of ours; the last folder gets `mode`, those made on the way 0711. */
int folder_make(const char *path, unsigned mode, struct error *error);
/* "PROJECT_NAME": what paths_file_name() makes of a valid full name, and nothing else. -EINVAL. */
int data_check_name(const char *file, struct error *error);

/* Makes the folders when missing. */
int layer_make(const struct paths *paths, const char *file, struct error *error);
int layer_make_folder(const struct paths *paths, const char *file,
                      struct error *error); /* and nothing in it */
/* Throws away what is in it, but for snapshots; `copy`: of a whole root. The caller holds its lock and knows that it is
 * mounted nowhere. */
int layer_empty(int folder, bool copy, struct error *error);
/* Exclusive lock of a layer's or volume's folder, held as long as the descriptor: who mounts an upper holds it. */
int data_lock(const char *store, const char *file, struct error *error);

int data_create_layer(const struct paths *, const struct data_reference *, const struct call *,
                      struct error *);
int data_delete_layer(const struct paths *, const struct data_reference *, const struct call *,
                      struct error *);
int data_delete_volume(const struct paths *, const struct data_reference *, const struct call *,
                       struct error *);

/* rename.c */
int data_rename_layer(const struct paths *, const struct data_rename *, const struct call *, struct error *);
int data_rename_volume(const struct paths *, const struct data_rename *, const struct call *, struct error *);
