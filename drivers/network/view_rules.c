/* Our rules as the kernel holds them.
 *
 * libnftables writes them (rules.c); reading through it would parse the kernel's answer into its syntax tree, print
 * that as JSON and parse it again, at ten times the cost, on every run. So the view asks nf_tables itself: the
 * elements of the sets become struct rules, and the rest (chains, hooks, rules, set types) is digested and
 * compared with what was written down when the tables were made. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <netlink/attr.h>
#include <netlink/msg.h>
#include <netlink/netlink.h>
#include <netlink/socket.h>
#include <string.h>

#include "drivers/network/view_rules.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define ATTEMPTS 16

static int read_generation(struct nl_sock *socket, uint32_t *generation, struct error *error);
static int take_generation(const struct nlmsghdr *message, void *context);
static void read_witness(const struct paths *paths, struct arena *arena, const char *shape,
                         struct observed_network *out);

int view_rules(const struct paths *paths, struct arena *arena, struct observed_network *out,
               struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    int result = netlink_open(NETLINK_NETFILTER, &socket, error);
    if (result < 0)
        return error_wrap(error, result, "rules");
    for (int attempt = 0; attempt < ATTEMPTS; attempt++) {
        struct rules *rules = described_new(arena, &rules_table);
        struct rules_parts parts;
        bool present = false;
        uint32_t before, after;
        char shape[WITNESS_SIZE];
        if ((result = read_generation(socket, &before, error)) < 0 ||
            (result = rules_read_shape(socket, paths, shape, &parts, error)) < 0)
            return error_wrap(error, result, "rules");
        result = *shape ? rules_read_sets(socket, paths, &parts, arena, rules, &present, error) : 0;
        /* An error as well may come from reading while somebody commits. */
        struct error failure;
        if (read_generation(socket, &after, &failure) < 0)
            return error_set(error, failure.code, "rules: %s", failure.text);
        if (before != after || result == -EINTR)
            continue;
        if (result < 0)
            return error_wrap(error, result, "rules");
        out->rules = rules;
        if (present)
            read_witness(paths, arena, shape, out);
        if (!*shape)
            out->flows_left = view_has_flows(paths, arena);
        return 0;
    }
    return error_set(error, -EBUSY, "rules change faster than they can be listed");
}

int rules_shape(const struct paths *paths, char shape[static WITNESS_SIZE], struct error *error)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    int result = netlink_open(NETLINK_NETFILTER, &socket, error);
    struct rules_parts parts;
    return result < 0 ? result : rules_read_shape(socket, paths, shape, &parts, error);
}

char *rules_witness_file(const struct paths *paths, struct arena *arena)
{
    return arena_printf(arena, "%s/rules", paths->networks);
}

static int read_generation(struct nl_sock *socket, uint32_t *generation, struct error *error)
{
    _cleanup_message_ struct nl_msg *message =
        netfilter_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETGEN, NFPROTO_UNSPEC);
    *generation = 0;
    return netlink_transact(socket, message, take_generation, generation, "generation", error);
}

static int take_generation(const struct nlmsghdr *message, void *context)
{
    struct nlattr *id = nlmsg_find_attr((struct nlmsghdr *)message, sizeof(struct nfgenmsg), NFTA_GEN_ID);
    if (id)
        *(uint32_t *)context = nla_get_u32(id);
    return 0;
}

/* By what is read anyway: to look for the file of the flows as well would cost every run a call. */
static void read_witness(const struct paths *paths, struct arena *arena, const char *shape,
                         struct observed_network *out)
{
    _cleanup_buffer_ struct buffer text = {0};
    const size_t length = strlen(shape);
    if (buffer_read_file(&text, AT_FDCWD, rules_witness_file(paths, arena),
                         WITNESS_SIZE + sizeof(WITNESS_FLOWS_LEFT), NULL) < 0 ||
        text.length < length || memcmp(text.bytes, shape, length) != 0)
        return;
    const char *rest = text.bytes + length;
    out->flows_left = strcmp(rest, WITNESS_FLOWS_LEFT) == 0;
    out->rules_present = !*rest || out->flows_left;
}
