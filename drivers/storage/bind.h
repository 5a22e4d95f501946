/* Folders and files of the host in a container: at its start and while it runs. */
#pragma once

#include "drivers/storage/storage.h"

/* Whether its source can be had. */
int bind_check(const struct root_bind *bind, struct error *error);
/* Into a root on its way up, as its handle `root` has it; `user_namespace` -1: privileged. */
int bind_mount_into(int root, const struct root_bind *bind, int user_namespace, int64_t id_base,
                    struct error *error);
int bind_attach(const struct paths *paths, const struct bind_attach *request, const struct call *call,
                struct error *error);
int bind_detach(const struct paths *paths, const struct bind_attach *request, const struct call *call,
                struct error *error);
