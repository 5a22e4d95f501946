/* The file that a sized volume lies in. */
#pragma once

#include "drivers/call.h"

struct error;

/* A copy of `from` as `to`, both below `folder`; what stood there goes. */
int image_file_copy(int folder, const char *from, const char *to, const struct call *call,
                    struct error *error);
