/* The effects of a build in one table. */
#include "drivers/image/build_effects.h"

const struct build_effects build_effects = {.copy = build_copy_step,
                                            .folder = build_folder_step,
                                            .run = build_run_step,
                                            .shell = build_shell_open,
                                            .commit = build_commit_image,
                                            .drop = build_drop_all,
                                            .fetch = build_fetch_context,
                                            .address = build_address_fetch,
                                            .serve = build_serve_steps};
