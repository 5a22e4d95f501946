/* See flows_judge.h.
 *
 * A flow ends only where the rules, and nobody else's, have led it or should have:
 *   - it was led (DNAT) from an address and a port to a target as our forward did, and ours leads there no more;
 *   - it was sent to a host's own address and a port that is forwarded now, was not led, and nobody has answered yet. One
 *     that was answered is a host's service's, which `take: true` has put aside: its clients stay until they pause;
 *   - it began at what was our target, whose last answer came after its flow had ended: the client's next datagram would
 *     pass as the answer to that. Only where its port leads to another one now: without one, a guest may well go on
 *     sending, and be answered, as it may to anybody;
 *   - it is a guest's question to the resolver of a network, and another one answers those now. */
#include <arpa/inet.h>
#include <linux/netlink.h>
#include <string.h>

#include "drivers/network/flows_judge.h"
#include "drivers/network/internal.h"
#include "lib/error.h"

#define DNS_PORT 53

struct way { /* a forward */
    bool is6, everywhere;
    int rank; /* of several that match the lowest leads, as in the chain of forwards */
    struct flow_side at;
    uint16_t last;  /* port */
    uint16_t guest; /* 0: the one that was asked for */
    unsigned char (*targets)[16];
    size_t count;
};
struct question { /* an asker */
    struct flow_side from, to, resolver;
};
struct ways {
    struct way *ways;
    size_t count;
    struct question *questions;
    size_t question_count;
};
struct judge {
    struct ways before, after;
    bool left_guest;        /* as in judge_looks_again() */
    struct nl_sock *routes; /* NULL until one is asked for */
    int result;             /* the first failure, */
    struct error failure;
};

static struct ways find_ways(const struct rules *rules, struct arena *arena);
static bool knows(const struct ways *ways, bool is6);
static bool asks_another(const struct judge *judge, const struct flow *flow);
static bool was_led_there(const struct judge *judge, const struct flow *flow);
static bool came_before(const struct judge *judge, const struct flow *flow);
static bool began_inside(const struct judge *judge, const struct flow *flow);
static bool is_local(struct judge *judge, bool is6, const struct flow_side *asked);

struct judge *judge_new(const struct rules *before, const struct rules *after, struct arena *arena)
{
    struct judge *judge = arena_new_of(arena, struct judge);
    judge->before = find_ways(before, arena);
    judge->after = find_ways(after, arena);
    return judge;
}

bool judge_knows(const struct judge *judge, bool is6)
{
    return knows(&judge->before, is6) || knows(&judge->after, is6);
}

bool judge_ends(const struct flow *flow, void *context)
{
    struct judge *judge = context;
    if (asks_another(judge, flow))
        return true;
    const bool inside = began_inside(judge, flow), led = was_led_there(judge, flow);
    const struct flow_side *asked = inside ? &flow->answer_to : &flow->to;
    if (!(inside || led || came_before(judge, flow)) || !is_local(judge, flow->is6, asked))
        return false;
    judge->left_guest = judge->left_guest || inside || led;
    return true;
}

bool judge_looks_again(struct judge *judge)
{
    bool again = judge->left_guest;
    judge->left_guest = false;
    return again;
}

int judge_close(struct judge *judge, struct error *error)
{
    cleanup_netlink(&judge->routes);
    judge->routes = NULL;
    return judge->result < 0 ? error_set(error, judge->result, "%s", judge->failure.text) : 0;
}

/* ---- where the rules lead ---- */

static void parse(const char *text, unsigned char out[static 16])
{
    struct address6 address6;
    memset(out, 0, 16);
    if (!text)
        return;
    if (!strchr(text, ':'))
        inet_pton(AF_INET, text, out);
    else if (address6_parse(text, &address6) == 0)
        memcpy(out, address6.bytes, 16);
}

/* As rules_forwards.c asks its maps, and in one of them the narrower element. */
static int rank_of(const struct rule_forward *forward)
{
    const bool spans = forward->count > 1;
    const int map = forward->shared.count ? 2 + spans : spans;
    return 2 * map + !forward->address;
}

static void make_way(const struct rule_forward *forward, struct arena *arena, struct way *way)
{
    const struct texts one = {.items = (const char **)&forward->target, .count = 1};
    const struct texts *targets = forward->shared.count ? &forward->shared : &one;
    *way = (struct way){.is6 = strchr(forward->target, ':'),
                        .everywhere = !forward->address,
                        .rank = rank_of(forward),
                        .at.port = (uint16_t)forward->host,
                        .last = (uint16_t)(forward->host + forward->count - 1),
                        .guest = forward->count > 1 ? 0 : (uint16_t)forward->guest,
                        .targets = arena_alloc(arena, targets->count * sizeof(*way->targets)),
                        .count = targets->count};
    if (forward->address)
        parse(forward->address, way->at.address);
    for (size_t i = 0; i < targets->count; i++)
        parse(targets->items[i], way->targets[i]);
}

static struct ways find_ways(const struct rules *rules, struct arena *arena)
{
    struct ways ways = {.ways = arena_array_of(arena, struct way, rules->forwards.count),
                        .count = rules->forwards.count,
                        .questions = arena_array_of(arena, struct question, rules->askers.count),
                        .question_count = rules->askers.count};
    for (size_t i = 0; i < ways.count; i++)
        make_way(rules->forwards.items[i], arena, &ways.ways[i]);
    for (size_t i = 0; i < ways.question_count; i++) {
        const struct rule_asker *asker = rules->askers.items[i];
        parse(asker->address, ways.questions[i].from.address);
        parse(asker->server, ways.questions[i].to.address);
        parse(asker->resolver, ways.questions[i].resolver.address);
    }
    return ways;
}

static bool knows(const struct ways *ways, bool is6)
{
    bool found = !is6 && ways->question_count;
    for (size_t i = 0; i < ways->count && !found; i++)
        found = ways->ways[i].is6 == is6;
    return found;
}

static bool same_address(const struct flow_side *left, const struct flow_side *right)
{
    return memcmp(left->address, right->address, sizeof(left->address)) == 0;
}

static bool covers(const struct way *way, bool is6, const struct flow_side *asked)
{
    return asked->port >= way->at.port && asked->port <= way->last && way->is6 == is6 &&
           (way->everywhere || same_address(&way->at, asked));
}

static bool leads_to(const struct way *way, uint16_t asked, const struct flow_side *target)
{
    if (target->port != (way->guest ? way->guest : asked))
        return false;
    for (size_t i = 0; i < way->count; i++)
        if (memcmp(way->targets[i], target->address, sizeof(target->address)) == 0)
            return true;
    return false;
}

static const struct way *way_of(const struct ways *ways, bool is6, const struct flow_side *asked)
{
    const struct way *found = NULL;
    for (const struct way *way = ways->ways; way < ways->ways + ways->count; way++)
        if (covers(way, is6, asked) && (!found || way->rank < found->rank))
            found = way;
    return found;
}

/* Whether any did: more than the rules of one moment may be outstanding. */
static bool has_led(const struct ways *ways, bool is6, const struct flow_side *asked,
                    const struct flow_side *target)
{
    for (const struct way *way = ways->ways; way < ways->ways + ways->count; way++)
        if (covers(way, is6, asked) && leads_to(way, asked->port, target))
            return true;
    return false;
}

static const struct question *question_of(const struct ways *ways, const struct flow *flow,
                                          const struct flow_side *resolver)
{
    for (const struct question *question = ways->questions; question < ways->questions + ways->question_count;
         question++)
        if (same_address(&question->from, &flow->from) && same_address(&question->to, &flow->to) &&
            (!resolver || same_address(&question->resolver, resolver)))
            return question;
    return NULL;
}

/* ---- which flows go ---- */

static bool asks_another(const struct judge *judge, const struct flow *flow)
{
    if (flow->is6 || flow->to.port != DNS_PORT)
        return false;
    const struct question *question = question_of(&judge->after, flow, NULL);
    if (!flow->led)
        return question;
    return question_of(&judge->before, flow, &flow->answer_from) &&
           (!question || !same_address(&question->resolver, &flow->answer_from));
}

static bool was_led_there(const struct judge *judge, const struct flow *flow)
{
    if (!flow->led || !has_led(&judge->before, flow->is6, &flow->to, &flow->answer_from))
        return false;
    const struct way *now = way_of(&judge->after, flow->is6, &flow->to);
    return !now || !leads_to(now, flow->to.port, &flow->answer_from);
}

static bool came_before(const struct judge *judge, const struct flow *flow)
{
    return !flow->led && !flow->answered && way_of(&judge->after, flow->is6, &flow->to);
}

static bool began_inside(const struct judge *judge, const struct flow *flow)
{
    if (flow->led || !flow->sourced || !has_led(&judge->before, flow->is6, &flow->answer_to, &flow->from))
        return false;
    const struct way *now = way_of(&judge->after, flow->is6, &flow->answer_to);
    return now && !leads_to(now, flow->answer_to.port, &flow->from);
}

/* Our rules lead what is sent to the host itself, and whatever somebody else's lead further is his. */
static bool is_local(struct judge *judge, bool is6, const struct flow_side *asked)
{
    bool local = false;
    if (judge->result == 0 && !judge->routes)
        judge->result = netlink_open(NETLINK_ROUTE, &judge->routes, &judge->failure);
    if (judge->result == 0)
        judge->result = address_is_local(judge->routes, is6, asked->address, &local, &judge->failure);
    return judge->result == 0 && local;
}
