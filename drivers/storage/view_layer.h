/* Looks into layers and at images for the view of drivers/storage/storage.h. */
#pragma once

#include "drivers/storage/storage.h"

int view_snapshots(const struct paths *, const struct call *, struct observed_snapshots *, struct error *);
int view_difference(const struct paths *, const char *layer_file, const char *from, const char *to,
                    const struct call *, struct observed_difference *, struct error *);
