/* See flows.h.
 *
 * What the rules led before is read from a file beside their witness, run/networks/flows: an encoded struct rules that
 * holds forwards of UDP and askers and nothing else. Before the rules change, what they led and what they are about to
 * lead is written to a second one, flows-outstanding, and the witness goes; so a run that ends in between makes the next
 * one set the rules again, and end whatever either of them led. Afterwards the first says what they lead, and the second
 * goes. It stays where the kernel failed to end flows: the witness says so then, and the next run sets the rules again
 * for it. Where that were rules that go, and nobody sets any, they end as they become silent. */
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

#define FLOWS_LIMIT (64 * 1024 * 1024) /* bytes */
/* A list costs some 50 ns for each bucket of the kernel's table, of which there may be 262,144, whatever is in them. */
#define PASSES 4

struct flows {
    bool outstanding;
    struct rules *before, *after;
    struct buffer wanted; /* what the file says afterwards; held by the arena */
};

static struct rules *of_datagrams(const struct rules *request, struct arena *arena);
static int read_led(const struct paths *paths, const char *name, struct arena *arena, struct buffer *text,
                    struct rules **led);
static int announce(const struct paths *paths, const struct flows *flows, struct arena *arena,
                    struct error *error);
static int write_file(const struct paths *paths, const char *name, const struct buffer *text,
                      struct arena *arena, struct error *error);
static bool tables_stand(const struct paths *paths, const struct rules *led);

int flows_expect(const struct paths *paths, const struct rules *request, struct arena *arena,
                 struct flows **out, struct error *error)
{
    struct flows *flows = arena_new_of(arena, struct flows);
    _cleanup_buffer_ struct buffer settled = {0}, unsettled = {0}, wanted = {0};
    flows->before = described_new(arena, &rules_table);
    const int known = read_led(paths, FLOWS_FILE, arena, &settled, &flows->before);
    const int open = read_led(paths, FLOWS_OUTSTANDING_FILE, arena, &unsettled, &flows->before);
    flows->after = of_datagrams(request, arena);
    if (flows->after->forwards.count || flows->after->askers.count)
        fields_encode(&rules_table, flows->after, &wanted);
    flows->wanted = (struct buffer){arena_copy(arena, wanted.bytes ? wanted.bytes : "", wanted.length),
                                    wanted.length, wanted.length};
    *out = flows;
    if (known == -ENOENT && open == -ENOENT && !wanted.length)
        return 0;
    const bool same = known != -EBADMSG && settled.length == wanted.length &&
                      (!wanted.length || memcmp(settled.bytes, wanted.bytes, wanted.length) == 0);
    flows->outstanding = !same || open != -ENOENT || access(rules_witness_file(paths, arena), F_OK) < 0 ||
                         !tables_stand(paths, flows->before);
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
    const struct buffer none = {0};
    if (result < 0 || (result = write_file(paths, FLOWS_FILE, &flows->wanted, arena, error)) < 0 ||
        (result = write_file(paths, FLOWS_OUTSTANDING_FILE, &none, arena, error)) < 0)
        return error_wrap(error, result, "flows");
    return 0;
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

/* Of a file that is there (else -ENOENT) and that it can be read from (else -EBADMSG, whatever ails it): a later one
 * takes its place. `led` stays what it was then. */
static int read_led(const struct paths *paths, const char *name, struct arena *arena, struct buffer *text,
                    struct rules **led)
{
    struct error ignored;
    void *object;
    const char *file = arena_printf(arena, "%s/%s", paths->networks, name);
    int result = buffer_read_file(text, AT_FDCWD, file, FLOWS_LIMIT, NULL);
    if (result == -ENOENT)
        return result;
    if (result < 0 || fields_decode(&rules_table, text->bytes, text->length, arena, &object, &ignored) < 0 ||
        forwards_check(object, arena, &ignored) < 0)
        return -EBADMSG;
    *led = object;
    return 0;
}

struct entry { /* of a list, with all that it says */
    void *item;
    struct buffer text;
};

static int compare_entries(const void *left, const void *right)
{
    const struct buffer *a = &((const struct entry *)left)->text, *b = &((const struct entry *)right)->text;
    if (a->length != b->length)
        return a->length < b->length ? -1 : 1;
    return memcmp(a->bytes, b->bytes, a->length);
}

/* What is in either, once: runs that fail one after the other add nothing. */
static struct list unite(const struct list *left, const struct list *right, const struct table *table,
                         struct arena *arena)
{
    const size_t count = left->count + right->count;
    struct entry *entries = arena_array_of(arena, struct entry, count);
    struct list both = {0};
    for (size_t i = 0; i < count; i++) {
        entries[i].item = i < left->count ? left->items[i] : right->items[i - left->count];
        fields_encode(table, entries[i].item, &entries[i].text);
    }
    qsort(entries, count, sizeof(*entries), compare_entries);
    for (size_t i = 0; i < count; i++)
        if (i == 0 || compare_entries(&entries[i - 1], &entries[i]) != 0)
            append(arena, &both, entries[i].item);
    for (size_t i = 0; i < count; i++)
        buffer_clear(&entries[i].text);
    return both;
}

static int announce(const struct paths *paths, const struct flows *flows, struct arena *arena,
                    struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    const struct rules *before = flows->before, *after = flows->after;
    struct rules *both = described_new(arena, &rules_table);
    both->forwards = unite(&before->forwards, &after->forwards, &rule_forward_table, arena);
    both->askers = unite(&before->askers, &after->askers, &rule_asker_table, arena);
    fields_encode(&rules_table, described_whole(&rules_table, both), &text);
    int result = write_file(paths, FLOWS_OUTSTANDING_FILE, &text, arena, error);
    if (result == 0 && unlink(rules_witness_file(paths, arena)) < 0 && errno != ENOENT)
        result = error_errno(error, -errno, "%s", rules_witness_file(paths, arena));
    return result;
}

static int write_file(const struct paths *paths, const char *name, const struct buffer *text,
                      struct arena *arena, struct error *error)
{
    const char *file = arena_printf(arena, "%s/%s", paths->networks, name);
    if (!text->length)
        return unlink(file) < 0 && errno != ENOENT ? error_errno(error, -errno, "%s", file) : 0;
    int result = run_folder_make(paths->networks, 0755, error);
    return result < 0 ? result
                      : file_replace(paths->networks, name, arena_printf(arena, "%s.new", file), text->bytes,
                                     text->length, error);
}

static bool leads(const struct rules *rules, bool is6)
{
    bool found = !is6 && rules->askers.count;
    for (size_t i = 0; i < rules->forwards.count && !found; i++)
        found = !strchr(((const struct rule_forward *)rules->forwards.items[i])->target, ':') == !is6;
    return found;
}

/* Others flush all rules there are, nftables.service does when it is restarted: what came meanwhile was not led. */
static bool tables_stand(const struct paths *paths, const struct rules *led)
{
    _cleanup_netlink_ struct nl_sock *socket = NULL;
    struct error ignored;
    bool stand = true;
    if (netlink_open(NETLINK_NETFILTER, &socket, &ignored) < 0)
        return true;
    for (int is6 = 0; is6 < 2 && stand; is6++) {
        _cleanup_message_ struct nl_msg *message =
            netfilter_message(NFNL_SUBSYS_NFTABLES, NFT_MSG_GETTABLE, is6 ? NFPROTO_IPV6 : NFPROTO_IPV4);
        message_put_text(message, NFTA_TABLE_NAME, paths->nft_table);
        stand =
            !leads(led, is6) || netlink_transact(socket, message, NULL, NULL, "table", &ignored) != -ENOENT;
    }
    return stand;
}
