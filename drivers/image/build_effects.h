/* The effects of drivers/image/build.h, each in a file of its own. */
#pragma once

#include "drivers/image/build.h"

int build_copy_step(const struct paths *, const struct build_copy *, const struct call *, struct error *);
int build_folder_step(const struct paths *, const struct build_folder *, const struct call *, struct error *);
int build_run_step(const struct paths *, const struct build_run *, const struct call *, struct error *);
int build_shell_open(const struct paths *, const struct build_shell *, const struct call *,
                     struct build_shelled *, struct error *);
int build_commit_image(const struct paths *, const struct build_commit *, const struct call *,
                       struct image_made *, struct error *);
int build_fetch_context(const struct paths *, const struct image_make *, const struct call *,
                        struct image_made *, struct error *);
/* Removes from build/contexts what a crash left. */
int build_contexts_settle(int contexts, struct error *);
int build_address_fetch(const struct paths *, const struct build_address *, const struct call *,
                        struct build_fetched *, struct error *);
/* What was fetched, open for reading, after a look at its digest. */
int build_fetched_open(const struct paths *, const char *digest, const struct call *, struct error *);
int build_serve_steps(const struct paths *, const struct build_serve *, const struct call *, struct error *);
int build_drop_all(const struct paths *, const struct build_drop *, const struct call *, struct error *);
