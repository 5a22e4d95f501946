/* What the parts of the resolver share. */
#pragma once

#include "drivers/network/internal.h"

#define RESOLVER_PROGRAM   "/usr/sbin/dnsmasq"
#define RESOLVER_ARGUMENTS 32

struct resolver_process {
    const char *name; /* of its cgroup, and in messages */
    const char *pid_file;
    const char *const *arguments; /* its program first; the one of its pid file is among them */
};

int resolver_process_ensure(const struct resolver_process *process, const struct call *call,
                            struct error *error);
/* Its pid file goes with it. Absent is success. */
int resolver_process_end(const char *name, const char *pid_file, const struct call *call,
                         struct error *error);
/* Lets it read again what it knows. */
int resolver_process_reload(const char *pid_file, const struct call *call, struct error *error);

int unions_check(const struct paths *paths, const struct resolver *request, const struct call *call,
                 struct error *error);
/* Those of the request run, and no other of its bridge. */
int unions_set(const struct paths *paths, const struct resolver *request, const struct call *call,
               struct error *error);
/* Lets all unions, of every bridge, read their names again. */
int unions_reload(const struct paths *paths, const struct call *call, struct error *error);
