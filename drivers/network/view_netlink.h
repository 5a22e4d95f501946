/* Netlink sockets as the whole family uses them: a dump that calls back a message at a time, and one change that
 * is acknowledged. Messages are built with libnl; receiving is ours, so that the kernel's own words (extack)
 * reach the error, a message costs no allocation, and a truncated or interrupted dump is noticed. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"

struct error;
struct nl_msg;
struct nl_sock;
struct nlattr;
struct nlmsghdr;

void cleanup_netlink(struct nl_sock **socket);
#define _cleanup_netlink_ _cleanup_(cleanup_netlink)

void cleanup_message(struct nl_msg **message);
#define _cleanup_message_ _cleanup_(cleanup_message)

/* `protocol` is NETLINK_ROUTE or NETLINK_NETFILTER. */
int netlink_open(int protocol, struct nl_sock **socket, struct error *error);
/* A NETLINK_ROUTE socket that lives in the network namespace behind `namespace`; the caller stays in its own. */
int netlink_open_inside(int namespace, struct nl_sock **socket, struct error *error);

/* Never NULL. `header` of `size` bytes follows the netlink header. */
struct nl_msg *message_new(int type, int flags, const void *header, size_t size);
/* Of a part of netfilter (NFNL_SUBSYS_*), about a family (NFPROTO_*). Never NULL. */
struct nl_msg *netfilter_message(int subsystem, int type, uint8_t family);
void message_put(struct nl_msg *message, int type, const void *data, size_t size);
void message_put_text(struct nl_msg *message, int type, const char *text);
void message_put_u32(struct nl_msg *message, int type, uint32_t value);
struct nlattr *message_nest(struct nl_msg *message, int type);

/* Called for each message of an answer; a negative return ends the walk and is returned. */
typedef int netlink_handler(const struct nlmsghdr *message, void *context);

/* Sends a NLM_F_DUMP request and walks the answer. -EINTR, without setting the error, when the kernel says that
 * what it listed changed meanwhile: callers repeat from an empty result. `what` names the request in errors. */
int netlink_dump(struct nl_sock *socket, struct nl_msg *message, netlink_handler *handler, void *context,
                 const char *what, struct error *error);
/* Sends one request and waits for its acknowledgement; `handler` (may be NULL) sees answers before it. */
int netlink_transact(struct nl_sock *socket, struct nl_msg *message, netlink_handler *handler, void *context,
                     const char *what, struct error *error);
/* Asks for what one message answers: no acknowledgement is waited for. */
int netlink_ask(struct nl_sock *socket, struct nl_msg *message, netlink_handler *handler, void *context,
                const char *what, struct error *error);
