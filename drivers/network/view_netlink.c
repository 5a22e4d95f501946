/* See view_netlink.h. Linked into the main program as well: nothing here changes anything by itself. */
#include "drivers/network/view_netlink.h"
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>

#include <errno.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/error.h"

#define REQUEST_SIZE 1024 /* bytes; ours are a few hundred */
/* Bytes. The kernel fills a dump up to 32 KiB at a time, but a guest may give its link 64 KiB of other names. */
#define RECEIVE_SIZE (96 * 1024)

struct inside {
    int namespace;
    struct nl_sock *socket;
    int result;
    struct error *error;
};

static void *open_inside(void *argument);
static int receive(struct nl_sock *socket, uint32_t sequence, bool single, netlink_handler *handler,
                   void *context, const char *what, struct error *error);
static int answer_error(const struct nlmsghdr *message, const char *what, struct error *error);

void cleanup_netlink(struct nl_sock **socket)
{
    nl_socket_free(*socket); /* accepts NULL */
}

void cleanup_message(struct nl_msg **message)
{
    if (*message)
        nlmsg_free(*message);
}

int netlink_open(int protocol, struct nl_sock **out, struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = nl_socket_alloc();
    if (!socket)
        return error_errno(error, -ENOMEM, "netlink socket");
    /* nl_connect() opens with SOCK_CLOEXEC; its own result codes are not errno, errno itself still is. */
    errno = 0;
    if (nl_connect(socket, protocol) < 0)
        return error_errno(error, errno ? -errno : -EIO, "netlink socket of protocol %d", protocol);
    int on = 1, fd = nl_socket_get_fd(socket);
    /* Both exist since 4.20. The strict check makes the kernel honour filters of a dump instead of ignoring them. */
    if (setsockopt(fd, SOL_NETLINK, NETLINK_EXT_ACK, &on, sizeof(on)) < 0 ||
        (protocol == NETLINK_ROUTE &&
         setsockopt(fd, SOL_NETLINK, NETLINK_GET_STRICT_CHK, &on, sizeof(on)) < 0))
        return error_errno(error, -errno, "netlink socket options");
    *out = TAKE_PTR(socket);
    return 0;
}

/* A socket belongs to the namespace it was made in, for good. Only a thread of its own may change namespace
 * without taking the rest of the program along. */
int netlink_open_inside(int namespace, struct nl_sock **out, struct error *error)
{
    struct inside inside = {.namespace = namespace, .error = error};
    pthread_t thread;
    int result = pthread_create(&thread, NULL, open_inside, &inside);
    if (result != 0)
        return error_errno(error, -result, "thread for a network namespace");
    pthread_join(thread, NULL);
    if (inside.result < 0)
        return inside.result;
    *out = inside.socket;
    return 0;
}

struct nl_msg *message_new(int type, int flags, const void *header, size_t size)
{
    struct nl_msg *message = nlmsg_alloc_size(REQUEST_SIZE);
    if (!message || !nlmsg_put(message, NL_AUTO_PORT, NL_AUTO_SEQ, type, 0, flags) ||
        nlmsg_append(message, (void *)header, size, NLMSG_ALIGNTO) < 0)
        abort(); /* as lib/arena.h: without a few KiB nothing can be reported either */
    return message;
}

struct nl_msg *netfilter_message(int subsystem, int type, uint8_t family)
{
    const struct nfgenmsg header = {.nfgen_family = family, .version = NFNETLINK_V0};
    return message_new(subsystem << 8 | type, 0, &header, sizeof(header));
}

void message_put(struct nl_msg *message, int type, const void *data, size_t size)
{
    if (nla_put(message, type, (int)size, data) < 0)
        abort(); /* REQUEST_SIZE is too small: a mistake of ours */
}

void message_put_text(struct nl_msg *message, int type, const char *text)
{
    message_put(message, type, text, strlen(text) + 1);
}

void message_put_u32(struct nl_msg *message, int type, uint32_t value)
{
    message_put(message, type, &value, sizeof(value));
}

struct nlattr *message_nest(struct nl_msg *message, int type)
{
    struct nlattr *nest = nla_nest_start(message, type);
    if (!nest)
        abort();
    return nest;
}

int netlink_dump(struct nl_sock *socket, struct nl_msg *message, netlink_handler *handler, void *context,
                 const char *what, struct error *error)
{
    nlmsg_hdr(message)->nlmsg_flags |= NLM_F_REQUEST | NLM_F_DUMP;
    nl_complete_msg(socket, message);
    if (nl_send(socket, message) < 0)
        return error_errno(error, errno ? -errno : -EIO, "%s", what);
    return receive(socket, nlmsg_hdr(message)->nlmsg_seq, false, handler, context, what, error);
}

int netlink_transact(struct nl_sock *socket, struct nl_msg *message, netlink_handler *handler, void *context,
                     const char *what, struct error *error)
{
    nlmsg_hdr(message)->nlmsg_flags |= NLM_F_REQUEST | NLM_F_ACK;
    nl_complete_msg(socket, message);
    if (nl_send(socket, message) < 0)
        return error_errno(error, errno ? -errno : -EIO, "%s", what);
    return receive(socket, nlmsg_hdr(message)->nlmsg_seq, false, handler, context, what, error);
}

int netlink_ask(struct nl_sock *socket, struct nl_msg *message, netlink_handler *handler, void *context,
                const char *what, struct error *error)
{
    nlmsg_hdr(message)->nlmsg_flags |= NLM_F_REQUEST;
    nl_complete_msg(socket, message);
    nlmsg_hdr(message)->nlmsg_flags &= ~NLM_F_ACK; /* which libnl adds by itself */
    if (nl_send(socket, message) < 0)
        return error_errno(error, errno ? -errno : -EIO, "%s", what);
    return receive(socket, nlmsg_hdr(message)->nlmsg_seq, true, handler, context, what, error);
}

static void *open_inside(void *argument)
{
    struct inside *inside = argument;
    if (setns(inside->namespace, CLONE_NEWNET) < 0)
        inside->result = error_errno(inside->error, -errno, "network namespace");
    else
        inside->result = netlink_open(NETLINK_ROUTE, &inside->socket, inside->error);
    return NULL;
}

/* Everything up to the acknowledgement (NLMSG_ERROR) or the end of the dump is read even after a handler failed,
 * so that the socket can be used again. */
static int receive(struct nl_sock *socket, uint32_t sequence, bool single, netlink_handler *handler,
                   void *context, const char *what, struct error *error)
{
    _cleanup_free_ char *bytes = malloc(RECEIVE_SIZE);
    if (!bytes)
        return error_errno(error, -ENOMEM, "%s", what);
    int result = 0;
    bool interrupted = false;
    for (;;) {
        ssize_t length = recv(nl_socket_get_fd(socket), bytes, RECEIVE_SIZE, MSG_TRUNC);
        if (length < 0 && errno == EINTR)
            continue;
        if (length <= 0 || length > RECEIVE_SIZE)
            return error_errno(error, length < 0 ? -errno : -EMSGSIZE, "%s", what);
        int left = (int)length;
        for (struct nlmsghdr *message = (void *)bytes; nlmsg_ok(message, left);
             message = nlmsg_next(message, &left)) {
            if (message->nlmsg_seq != sequence)
                continue; /* an answer to a request that was given up */
            interrupted |= message->nlmsg_flags & NLM_F_DUMP_INTR;
            if (message->nlmsg_type == NLMSG_ERROR || message->nlmsg_type == NLMSG_DONE) {
                int code = answer_error(message, what, result < 0 ? NULL : error);
                if (result < 0 || code < 0)
                    return result < 0 ? result : code;
                return interrupted ? -EINTR : 0;
            }
            if (handler && result == 0)
                result = handler(message, context);
            if (single)
                return result;
        }
    }
}

static int answer_error(const struct nlmsghdr *message, const char *what, struct error *error)
{
    if (message->nlmsg_len < NLMSG_HDRLEN + sizeof(int))
        return 0;
    int code = *(int *)nlmsg_data(message);
    if (code >= 0)
        return 0;
    if (message->nlmsg_type == NLMSG_ERROR && message->nlmsg_flags & NLM_F_ACK_TLVS) {
        const struct nlmsgerr *answer = nlmsg_data(message);
        /* The request follows unless it was capped; the attributes come behind it. */
        size_t request = message->nlmsg_flags & NLM_F_CAPPED ? sizeof(answer->msg) : answer->msg.nlmsg_len;
        size_t skip = NLMSG_HDRLEN + sizeof(int) + NLMSG_ALIGN(request);
        if (skip < message->nlmsg_len) {
            struct nlattr *text = nla_find((void *)((char *)message + skip), (int)(message->nlmsg_len - skip),
                                           NLMSGERR_ATTR_MSG);
            if (text)
                return error_errno(error, code, "%s: %.*s", what, nla_len(text), (char *)nla_data(text));
        }
    }
    return error_errno(error, code, "%s", what);
}
