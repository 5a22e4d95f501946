/* A packet's way through chains: see view_packet.h. */
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <stddef.h>

#include "drivers/network/view_packet.h"

#define DEPTH 16     /* jumps in each other, NFT_JUMP_STACK_SIZE */
#define STEPS 200000 /* rules; who has more gets no answer instead of a late one */

static enum flow walk_chain(struct walk *walk, const struct ruleset_chain *chain);

static void note_end(struct walk *walk, const struct ruleset_chain *chain, const struct ruleset_rule *rule)
{
    struct fate *fate = walk->fate;
    fate->ends = true;
    fate->base = walk->base;
    fate->chain = chain;
    fate->rule = rule;
}

/* Every base chain of a hook is asked: accepting in one of them is passing it, and no more. */
void walk_base(struct walk *walk, const struct ruleset_chain *chain)
{
    struct fate *all = walk->fate, own = {0};
    walk->fate = &own;
    walk->base = chain;
    walk->depth = 0;
    if (walk_chain(walk, chain) != FLOW_END) {
        own.passes = own.passes || !chain->drops;
        if (chain->drops)
            note_end(walk, chain, NULL);
    }
    walk->fate = all;
    if (own.translates && !all->translates) {
        all->translates = true;
        all->translates_in = own.translates_in;
        all->translator = own.translator;
    }
    /* What surely ends is worse than what may, of that the first. */
    if (all->passes && own.ends && (!all->ends || !own.passes)) {
        all->ends = true;
        all->base = own.base;
        all->chain = own.chain;
        all->rule = own.rule;
        all->exempts = own.exempts;
        all->exempts_in = own.exempts_in;
    }
    all->passes = all->passes && own.passes;
}

enum flow walk_verdict(struct walk *walk, const struct ruleset_chain *chain, const struct ruleset_rule *rule,
                       bool sure, int verdict, const char *target)
{
    const bool unsure = walk->unsure;
    enum flow flow;
    if (!sure && (verdict == NFT_RETURN || verdict == NFT_GOTO))
        walk->unsure = true; /* from here to the end */
    switch (verdict) {
    case NFT_CONTINUE:
        return FLOW_ON;
    case NFT_BREAK:
        return FLOW_ON;
    case NFT_RETURN:
        walk->left = walk->left || !sure;
        return sure ? FLOW_RETURN : FLOW_ON;
    case NFT_JUMP:
    case NFT_GOTO:
        chain = target ? ruleset_chain(walk->ruleset, chain->family, chain->table, target) : NULL;
        if (!chain || walk->depth >= DEPTH)
            return walk_verdict(walk, walk->base, rule, false, VERDICT_UNKNOWN, NULL);
        walk->depth++;
        walk->unsure = walk->unsure || !sure;
        flow = walk_chain(walk, chain);
        walk->unsure = unsure || (!sure && verdict == NFT_GOTO);
        walk->depth--;
        if (!sure) {
            walk->left = walk->left || (verdict == NFT_GOTO && flow != FLOW_END);
            return FLOW_ON;
        }
        return flow == FLOW_END ? FLOW_END : verdict == NFT_GOTO ? FLOW_RETURN : FLOW_ON;
    case VERDICT_TRANSLATE:
        if (!walk->fate->translates) {
            walk->fate->translates = true;
            walk->fate->translates_in = chain;
            walk->fate->translator = rule;
        }
        if (walk->before_ours)
            note_end(walk, chain, rule);
        walk->fate->passes = true;
        return sure ? FLOW_END : FLOW_ON;
    case NF_ACCEPT:
        walk->fate->passes = true;
        if (!walk->fate->exempts) {
            walk->fate->exempts = rule;
            walk->fate->exempts_in = chain;
        }
        return sure ? FLOW_END : FLOW_ON;
    case VERDICT_UNKNOWN:
        walk->fate->passes = true;
        note_end(walk, chain, rule);
        return FLOW_ON;
    default: /* NF_DROP, NF_STOLEN; NF_QUEUE: who reads the queue decides */
        note_end(walk, chain, rule);
        walk->fate->passes = walk->fate->passes || (verdict & NF_VERDICT_MASK) == NF_QUEUE;
        return sure ? FLOW_END : FLOW_ON;
    }
}

static enum flow walk_rules(struct walk *walk, const struct ruleset_chain *chain)
{
    for (size_t i = 0; i < chain->count; i++) {
        if (++walk->steps > STEPS)
            return walk_verdict(walk, chain, &chain->rules[i], false, VERDICT_UNKNOWN, NULL);
        enum flow flow = rule_run(walk, chain, &chain->rules[i]);
        if (flow != FLOW_ON)
            return flow;
    }
    return FLOW_ON;
}

/* Where some packets may have left a chain, it did not end all of them, whatever it does with the others. */
static enum flow walk_chain(struct walk *walk, const struct ruleset_chain *chain)
{
    const bool left = walk->left;
    walk->left = false;
    enum flow flow = walk_rules(walk, chain);
    if (walk->left && flow == FLOW_END)
        flow = FLOW_RETURN;
    walk->left = left;
    return flow;
}
