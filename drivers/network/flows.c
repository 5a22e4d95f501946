/* See flows.h.
 *
 * What the rules led before is read from a file beside their witness, run/networks/flows: an encoded struct rules that
 * holds forwards of UDP and askers and nothing else. Before the rules change it is written with what they led and what
 * they are about to lead, and the witness goes; so a run that ends in between makes the next one set the rules again,
 * and end whatever either of them led. Afterwards it says what they lead. */
#include <errno.h>
#include <fcntl.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <string.h>

#include "drivers/network/flows.h"
#include "drivers/network/flows_judge.h"
#include "drivers/network/internal.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define FLOWS_FILE  "flows"
#define FLOWS_LIMIT (64 * 1024 * 1024) /* bytes */
/* A list costs some 50 ns for each bucket of the kernel's table, of which there may be 262,144, whatever is in them. */
#define PASSES 4

struct flows {
    bool outstanding;
    struct rules *before, *after;
    struct buffer wanted; /* what the file says afterwards; held by the arena */
};

static struct rules *of_datagrams(const struct rules *request, struct arena *arena);
static int read_before(const struct paths *paths, struct arena *arena, struct buffer *text,
                       struct rules **before, struct error *error);
static int announce(const struct paths *paths, const struct flows *flows, struct arena *arena,
                    struct error *error);
static int write_file(const struct paths *paths, const struct buffer *text, struct arena *arena,
                      struct error *error);
static bool table_stands(const struct paths *paths);

int flows_expect(const struct paths *paths, const struct rules *request, struct arena *arena,
                 struct flows **out, struct error *error)
{
    struct flows *flows = arena_new_of(arena, struct flows);
    _cleanup_buffer_ struct buffer text = {0}, wanted = {0};
    int result = read_before(paths, arena, &text, &flows->before, error);
    if (result < 0)
        return result;
    flows->after = of_datagrams(request, arena);
    if (flows->after->forwards.count || flows->after->askers.count)
        fields_encode(&rules_table, flows->after, &wanted);
    flows->wanted = (struct buffer){arena_copy(arena, wanted.bytes ? wanted.bytes : "", wanted.length),
                                    wanted.length, wanted.length};
    *out = flows;
    if (!text.length && !wanted.length)
        return 0;
    const bool same = text.length == wanted.length && memcmp(text.bytes, wanted.bytes, wanted.length) == 0;
    flows->outstanding = !same || access(rules_witness_file(paths, arena), F_OK) < 0 || !table_stands(paths);
    return flows->outstanding && request ? announce(paths, flows, arena, error) : 0;
}

int flows_end(const struct paths *paths, const struct flows *flows, struct arena *arena, struct error *error)
{
    if (!flows->outstanding)
        return 0;
    struct judge *judge = judge_new(flows->before, flows->after, arena);
    int result = 0;
    for (int pass = 0; pass < PASSES && result == 0; pass++) {
        for (int is6 = 0; is6 < 2 && result == 0; is6++)
            if (judge_knows(judge, is6))
                result = conntrack_end(is6, judge_ends, judge, arena, error);
        if (!judge_looks_again(judge))
            break;
    }
    struct error failure;
    int judged = judge_close(judge, &failure);
    if (result == 0 && judged < 0)
        result = error_set(error, judged, "%s", failure.text);
    return result < 0 ? error_wrap(error, result, "flows") : write_file(paths, &flows->wanted, arena, error);
}

static void *append(struct arena *arena, struct list *list, void *item)
{
    *arena_append(arena, list->items, list->count) = item;
    return item;
}

static struct rules *of_datagrams(const struct rules *request, struct arena *arena)
{
    struct rules *rules = described_new(arena, &rules_table);
    for (size_t i = 0; request && i < request->forwards.count; i++) {
        struct rule_forward *forward = request->forwards.items[i];
        if (strcmp(forward->protocol, "udp") == 0)
            append(arena, &rules->forwards, forward);
    }
    if (request)
        rules->askers = request->askers;
    return described_whole(&rules_table, rules);
}

/* What cannot be read as such says nothing. */
static int read_before(const struct paths *paths, struct arena *arena, struct buffer *text,
                       struct rules **before, struct error *error)
{
    struct error failure;
    void *object;
    const char *file = arena_printf(arena, "%s/" FLOWS_FILE, paths->networks);
    int result = buffer_read_file(text, AT_FDCWD, file, FLOWS_LIMIT, &failure);
    if (result < 0 && result != -ENOENT)
        return error_set(error, result, "%s", failure.text);
    if (result < 0 || fields_decode(&rules_table, text->bytes, text->length, arena, &object, &failure) < 0 ||
        forwards_check(object, arena, &failure) < 0)
        object = described_new(arena, &rules_table);
    *before = object;
    return 0;
}

static int announce(const struct paths *paths, const struct flows *flows, struct arena *arena,
                    struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    const struct rules *parts[] = {flows->before, flows->after};
    struct rules *both = described_new(arena, &rules_table);
    for (size_t i = 0; i < 2; i++) {
        for (size_t j = 0; j < parts[i]->forwards.count; j++)
            append(arena, &both->forwards, parts[i]->forwards.items[j]);
        for (size_t j = 0; j < parts[i]->askers.count; j++)
            append(arena, &both->askers, parts[i]->askers.items[j]);
    }
    fields_encode(&rules_table, described_whole(&rules_table, both), &text);
    int result = write_file(paths, &text, arena, error);
    if (result == 0 && unlink(rules_witness_file(paths, arena)) < 0 && errno != ENOENT)
        result = error_errno(error, -errno, "%s", rules_witness_file(paths, arena));
    return result;
}

static int write_file(const struct paths *paths, const struct buffer *text, struct arena *arena,
                      struct error *error)
{
    const char *file = arena_printf(arena, "%s/" FLOWS_FILE, paths->networks);
    if (!text->length)
        return unlink(file) < 0 && errno != ENOENT ? error_errno(error, -errno, "%s", file) : 0;
    int result = run_folder_make(paths->networks, 0755, error);
    return result < 0 ? result
                      : file_replace(paths->networks, FLOWS_FILE, arena_printf(arena, "%s.new", file),
                                     text->bytes, text->length, error);
}

/* Others flush all rules there are, nftables.service does when it is restarted: what came meanwhile was not led. */
static bool table_stands(const struct paths *paths)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct error ignored;
    if (netlink_open(NETLINK_NETFILTER, &socket, &ignored) < 0)
        return true;
    _cleanup_message_ struct nl_msg *message =
        netfilter_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, NFPROTO_IPV4);
    message_put_text(message, NFTA_TABLE_NAME, paths->nft_table);
    return netlink_transact(socket, message, NULL, NULL, "table", &ignored) != -ENOENT;
}
