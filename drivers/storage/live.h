/* Volumes into and out of a running container. */
#pragma once

#include "drivers/call.h"
#include "drivers/paths.h"

struct error;
struct volume_attach;

int live_attach(const struct paths *, const struct volume_attach *, const struct call *, struct error *);
int live_detach(const struct paths *, const struct volume_attach *, const struct call *, struct error *);
