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

/* What a union is not to ask outside: that of its networks' own resolvers, in one file, for dnsmasq takes but one. Its
 * name, in the folder of the unions. */
char *union_local_file(struct arena *arena, const char *folder, const char *address);
/* Of networks that have none yet, there is nothing; what they write later is added by union_local_renew(). The folder is
 * there. */
int union_local_write(const struct paths *paths, const char *folder, const struct resolver_union *all,
                      struct arena *arena, struct error *error);
/* Again, of the same networks. Where there is none, none is made. */
int union_local_renew(const struct paths *paths, const char *folder, const char *address, struct arena *arena,
                      struct error *error);
/* Absent is success. */
int union_local_remove(const char *folder, const char *address, struct arena *arena, struct error *error);
