/* Sets and maps that a rule looks in, for keys of which not everything is known: see view_registers.h. */
#include <linux/netfilter/nf_tables.h>
#include <netlink/attr.h>
#include <stdlib.h>
#include <string.h>

#include "drivers/network/view_registers.h"

static int compare_elements(const void *left, const void *right)
{
    const struct ruleset_element *a = *(const struct ruleset_element *const *)left;
    const struct ruleset_element *b = *(const struct ruleset_element *const *)right;
    const int order = memcmp(a->key, b->key, a->size < b->size ? a->size : b->size);
    return order ? order : (int)b->ends_interval - (int)a->ends_interval;
}

/* From one element up to, and without, the next: an interval's end has an element of its own. */
static enum certainty meets_interval(const struct run *run, size_t at, const struct ruleset_element *element,
                                     const struct ruleset_element *next)
{
    unsigned char last[REGISTER_BYTES];
    memset(last, 0xff, sizeof(last));
    if (next) {
        memcpy(last, next->key, next->size);
        for (size_t i = next->size; i-- > 0 && last[i]-- == 0;)
            ;
    }
    return bits_between(run->value + at, run->known + at, element->key, last, element->size);
}

static enum certainty meets_fields(const struct run *run, size_t at, const struct ruleset_set *set,
                                   const struct ruleset_element *element)
{
    enum certainty is = YES;
    size_t begin = 0;
    for (const unsigned char *field = set->fields; *field && begin + *field <= element->size; field++) {
        is = certainty_and(is, bits_between(run->value + at + begin, run->known + at + begin,
                                            element->key + begin, element->end + begin, *field));
        begin += *field;
    }
    return begin == element->size ? is : MAYBE;
}

struct lookup {
    struct run *run;
    const struct ruleset_set *set;
    size_t at, room;
    struct nlattr *to; /* where the data goes; NULL: none */
    enum certainty found;
    enum flow flow;
    bool has_verdicts;
};

static void found(struct lookup *lookup, const struct ruleset_element *element, enum certainty is)
{
    struct run *run = lookup->run;
    size_t size;
    if (element->is_conditional)
        is = certainty_and(is, MAYBE);
    if (is == NO || lookup->found == YES)
        return;
    lookup->found = is;
    enum flow flow = FLOW_ON;
    if (!lookup->to)
        return;
    if (data_verdict(run, element->data, is == YES && run->met == YES, &flow)) {
        lookup->has_verdicts = true;
        lookup->flow = flow;
        return;
    }
    const unsigned char *value = data_value(element->data, &size);
    if (is == YES && value)
        register_load(run, lookup->to, value, NULL, size);
    else
        register_load_unknown(run, lookup->to, size);
}

static void find_in_intervals(struct lookup *lookup)
{
    const struct ruleset_set *set = lookup->set;
    struct arena *arena = lookup->run->walk->ruleset->arena;
    const struct ruleset_element **sorted = arena_array_of(arena, const struct ruleset_element *, set->count);
    size_t count = 0;
    for (size_t i = 0; i < set->count; i++)
        if (!set->elements[i].is_default && set->elements[i].key && set->elements[i].size <= lookup->room)
            sorted[count++] = &set->elements[i];
    qsort(sorted, count, sizeof(*sorted), compare_elements);
    for (size_t i = 0; i < count; i++)
        if (!sorted[i]->ends_interval)
            found(lookup, sorted[i],
                  meets_interval(lookup->run, lookup->at, sorted[i], i + 1 < count ? sorted[i + 1] : NULL));
}

static void find(struct lookup *lookup)
{
    const struct run *run = lookup->run;
    const struct ruleset_set *set = lookup->set;
    if (set->intervals && !set->fields[1]) {
        find_in_intervals(lookup);
    } else {
        for (size_t i = 0; i < set->count; i++) {
            const struct ruleset_element *element = &set->elements[i];
            if (element->is_default || !element->key || element->size > lookup->room)
                continue;
            found(lookup, element,
                  element->end && element->end_size == element->size
                      ? meets_fields(run, lookup->at, set, element)
                      : bits_equal(run->value + lookup->at, run->known + lookup->at, element->key,
                                   element->size));
        }
    }
    for (size_t i = 0; i < set->count && lookup->found != YES; i++)
        if (set->elements[i].is_default)
            found(lookup, &set->elements[i], lookup->found == NO ? YES : MAYBE);
}

void rule_look_up(struct run *run, struct nlattr **data)
{
    const bool inverted = attribute_number(data[NFTA_LOOKUP_FLAGS]) & NFT_LOOKUP_F_INV;
    struct lookup lookup = {.run = run, .to = data[NFTA_LOOKUP_DREG], .found = NO, .flow = FLOW_ON};
    lookup.at = register_at(data[NFTA_LOOKUP_SREG], &lookup.room);
    lookup.set = data[NFTA_LOOKUP_SET] ? ruleset_set(run->walk->ruleset, run->chain->family,
                                                     run->chain->table, nla_get_string(data[NFTA_LOOKUP_SET]))
                                       : NULL;
    if (!lookup.set) {
        if (lookup.to && attribute_number(lookup.to) == NFT_REG_VERDICT)
            rule_verdict(run, VERDICT_UNKNOWN, NULL);
        else if (lookup.to)
            register_load_unknown(run, lookup.to, REGISTER_BYTES);
        rule_met(run, MAYBE);
        return;
    }
    find(&lookup);
    if (lookup.has_verdicts) { /* what it may be was walked; without one the rule goes no further */
        run->flow = lookup.flow;
        run->met = NO;
        return;
    }
    rule_met(run, inverted ? certainty_not(lookup.found) : lookup.found);
}
