/* What the effects of the network family share: single changes of links, addresses and settings, each made only
 * where it is needed. */
#pragma once

#include "drivers/network/network.h"
#include "drivers/network/view_internal.h"

int bridge_create(const struct paths *paths, const struct bridge *request, const struct call *call,
                  struct error *error);
int bridge_delete(const struct paths *paths, const struct link_reference *request, const struct call *call,
                  struct error *error);
int port_mark(const struct paths *paths, const struct port_mark *request, const struct call *call,
              struct error *error);
int port_attach(const struct paths *paths, const struct port_attach *request, const struct call *call,
                struct error *error);
int port_delete(const struct paths *paths, const struct link_reference *request, const struct call *call,
                struct error *error);
int macvlan_delete(const struct paths *paths, const struct macvlan_reference *request,
                   const struct call *call, struct error *error);
/* The NIC that is asked for, found or made inside: in its place, of its parent. Its MAC may be another. */
int macvlan_ensure(const struct port_attach *request, const struct link *parent, struct nl_sock *host,
                   struct nl_sock *inside, int namespace, struct arena *arena, struct link *nic,
                   struct error *error);
int guest_forwarding_set(const struct paths *paths, const struct guest_forwarding *request,
                         const struct call *call, struct error *error);
int rules_set(const struct paths *paths, const struct rules *request, const struct call *call,
              struct error *error);
int rules_delete(const struct paths *paths, const struct call *call, struct error *error);
int resolver_set(const struct paths *paths, const struct resolver *request, const struct call *call,
                 struct error *error);
int resolver_delete(const struct paths *paths, const struct link_reference *request, const struct call *call,
                    struct error *error);

/* ---- the text of our tables (rules.c, rules_forwards.c) ---- */

/* A set or map, whose elements follow, a line each; one without elements has no such line: nft takes no empty braces. */
void rules_begin_set(struct buffer *text, const char *kind, const char *name, const char *type, bool filled);
void rules_end_set(struct buffer *text, bool filled);
int forwards_check(const struct rules *request, struct arena *arena, struct error *error);
/* Of one family: their maps, and the chains that lead by them and let through what was led, behind all other sets. */
void forwards_write(const struct rules *request, bool is6, struct buffer *text);
bool rules_have6(const struct rules *request);
int rules_check6(const struct rules *request, struct error *error);
void rules_write_table6(const struct rules *request, struct buffer *text);  /* what stands in the table */
void rules_write_guards6(const struct rules *request, struct buffer *text); /* in the bridge table */
void rules_write_deaf6(const struct rules *request,
                       struct buffer *text); /* there, too; nothing where nobody is */

/* ---- links (link.c) ---- */

int link_unmark(const struct paths *paths, const struct link_reference *request, const struct call *call,
                struct error *error);
int link_set_mark(struct nl_sock *socket, const struct link *link, const char *mark, struct error *error);
int link_set_name(struct nl_sock *socket, const struct link *link, const char *name, struct error *error);
int link_set_up(struct nl_sock *socket, const struct link *link, struct error *error);
int link_set_master(struct nl_sock *socket, const struct link *link, int master, struct error *error);
int link_set_mac(struct nl_sock *socket, const struct link *link, const unsigned char mac[static 6],
                 struct error *error);
/* Lets frames leave by the port they came from. With bridge-nf-call-iptables a forward is translated while a frame is
 * still being bridged, and a guest that reaches itself by a port of the host would lose it otherwise. */
int link_set_hairpin(struct nl_sock *socket, const struct link *link, struct error *error);
/* Absent is success. -EPERM when it carries another mark or none. */
int link_delete(const char *ifname, const char *mark, const struct call *call, struct error *error);
int link_delete_index(struct nl_sock *socket, const struct link *link, struct error *error);

/* Makes `prefix` the link's first IPv4 address. A link that has it first keeps what else it has; from any other all
 * others are taken, after the new one came and promote_secondaries was set: else the kernel would drop the later ones of
 * a subnet with its first, the new one and every route among them. `changed` tells whether there was anything to do. */
int link_set_address(struct nl_sock *socket, const struct link *link, const char *prefix, struct arena *arena,
                     bool *changed, struct error *error);

int link_take_addresses(struct nl_sock *socket, const struct link *link, struct arena *arena,
                        struct error *error);

/* The default route without metric through the link is by `gateway`, or (NULL) there is none. */
int route_set_gateway(struct nl_sock *socket, const struct link *link, const char *gateway,
                      struct error *error);

/* Takes away the default routes that routers of the LAN advertised to it. What stays behind ends by itself. */
void routes_forget_advertised(struct nl_sock *socket, const struct link *link);

/* The IPv4 address (with or without a prefix) is that MAC's from now on: told to all on the bridge. What cannot be told
 * heals by itself. */
void address_announce(struct nl_sock *socket, int bridge, const char *mac, const char *address);

/* Whether it is one of this host's, as `fib daddr type local` sees it. `socket`: of NETLINK_ROUTE. */
int address_is_local(struct nl_sock *socket, bool is6, const unsigned char address[static 16], bool *local,
                     struct error *error);

/* The network namespace of a running container, for the caller to close; -ESRCH when its init is gone. */
int guest_namespace(int64_t init_pid, int64_t init_start, struct arena *arena, struct error *error);
/* Whether the kernel there goes by router advertisements on that interface. The guest can turn it, too. */
int guest_heed_routers(int namespace, const char *ifname, bool heed, struct error *error);
/* Drops all that IPv6 has on that interface, and begins as when it came up: by asking for routers. */
int guest_begin_ipv6(int namespace, const char *ifname, struct error *error);
/* Takes that one away; that it is not there is as well. */
int link_drop_address6(struct nl_sock *socket, const struct link *link, const char *prefix,
                       struct error *error);
/* Makes `prefix` the link's only IPv6 address beside its own of the link; NULL: none is left. */
int link_set_address6(struct nl_sock *socket, const struct link *link, const char *prefix,
                      struct arena *arena, struct error *error);

/* Mark texts are printable ASCII of at most 127 bytes (the kernel's own bound is 255). -EINVAL. */
int mark_check(const char *ifname, const char *mark, struct error *error);
/* -EINVAL unless the name is one of this root's class. */
int ifname_check(const char *ifname, const char *prefix, struct error *error);

bool setting_reads(const char *path, const char *value);
/* Writes a setting below /proc/sys where it differs. */
int setting_write(const char *path, const char *value, struct error *error);
/* Makes the folder and what leads to it; mode for the last one, 0755 for others. Existing ones stay as they are. */
int run_folder_make(const char *path, unsigned mode, struct error *error);
/* Whether the file reads so already. */
bool file_reads(const char *folder, const char *name, const char *content, size_t size);
/* By a temporary file beside `folder` and a rename; no call at all when the file reads so already. */
int file_replace(const char *folder, const char *name, const char *temporary, const char *content,
                 size_t size, struct error *error);
