/* Between the files of drivers/image/image.h: the effect `list`. */
#pragma once

#include "drivers/image/image.h"

int image_list(const struct paths *, const struct image_make *, const struct call *, struct image_listed *,
               struct error *);
