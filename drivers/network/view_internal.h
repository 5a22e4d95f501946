/* The parts of the network view, one file each; view.c puts them together. */
#pragma once

#include "drivers/network/network.h"
#include "drivers/network/view_links.h"

struct error;

int view_routes(struct nl_sock *socket, const struct links *links, struct arena *arena,
                struct observed_network *out, struct error *error);
int view_routes6(struct observed_network *network, struct arena *arena, struct error *error);
int view_listeners(struct arena *arena, struct observed_network *out, struct error *error);
const char *view_name_listener(const struct observed_listener *listener, struct arena *arena);
int view_resolvers(const struct paths *paths, struct arena *arena, struct observed_network *out,
                   struct error *error);
int view_rules(const struct paths *paths, struct arena *arena, struct observed_network *out,
               struct error *error);
int view_guests(const struct paths *paths, const struct observed_network *network, const int64_t *pids,
                size_t count, const struct call *call, struct observed_guest **out, struct error *error);

int view_macvlans(const struct paths *paths, struct observed_guest *guest, const struct call *call,
                  struct error *error);
int view_inside(const struct paths *paths, struct observed_guest *guest, const struct call *call,
                struct error *error);

/* The kernel's number for a network namespace, as seen from the socket's; HERE when it has none. Of that behind a
 * descriptor, or that of a process (-ESRCH). */
int namespace_number(struct nl_sock *socket, int namespace, int *netnsid, struct error *error);
int namespace_number_of(struct nl_sock *socket, pid_t pid, int *netnsid, struct error *error);

/* Names of interfaces of this root's bridge class begin so; of ports, with paths->port_prefix. */
char *bridge_prefix(const struct paths *paths, struct arena *arena);

/* The dnsmasq of a pid file: its pid and a pidfd on it (owned by the caller), or 0 and -1. A pid file alone proves
 * nothing: the process must be dnsmasq and must have been told to write this very file. */
int resolver_find(const char *pid_file, struct arena *arena, int64_t *pid, int *pidfd, struct error *error);
char *resolver_folder(const struct paths *paths, struct arena *arena, const char *bridge);
char *resolver_pid_file(const struct paths *paths, struct arena *arena, const char *bridge);
/* Where the pid files of a bridge's unions lie, and the addresses that those are named by, sorted. */
#define UNION_SUFFIX ".pid"
char *unions_folder(const struct paths *paths, struct arena *arena, const char *bridge);
int unions_list(const char *folder, struct arena *arena, struct texts *out, struct error *error);
/* The one file in each of the two folders that a resolver watches, "dhcp" and "hosts" below its own. */
#define RESOLVER_NAMES    "names"
#define RESOLVER_LOCAL    "local"    /* of the names with a project, that nobody outside is asked for them */
#define RESOLVER_CHANGING "changing" /* beside them while they are replaced, until dnsmasq was told */
/* Whether a folder is there and holds no other file than this one. */
bool holds_only(const char *folder, const char *name);
/* Whether an entry is a file beside `kept` (NULL: any). dnsmasq passes over names with a leading dot. */
struct dirent;
bool is_other(const struct dirent *entry, const char *kept);

/* What our tables look like apart from the elements of their sets: chains with their hooks, rules, set types.
 * Written down when the tables are made, compared when they are seen. 0 and "" when they do not exist. */
#define WITNESS_SIZE       65        /* DIGEST_TEXT_SIZE */
#define WITNESS_FLOWS_LEFT "\nflows" /* follows in its file where flows of before have not ended (flows.c) */
int rules_shape(const struct paths *paths, char shape[static WITNESS_SIZE], struct error *error);
char *rules_witness_file(const struct paths *paths, struct arena *arena);
/* Beside it, what is known of flows that the rules led (flows.c). */
#define FLOWS_FILE             "flows"
#define FLOWS_OUTSTANDING_FILE "flows-outstanding"
bool view_has_flows(const struct paths *paths, struct arena *arena);
bool view_tracks_flows(const struct paths *paths);
