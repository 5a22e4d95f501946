/* See view_registers.h. */
#include "drivers/network/view_registers.h"

#include <arpa/inet.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>
#include <netlink/attr.h>
#include <string.h>

uint32_t attribute_number(struct nlattr *attribute)
{
    return attribute && nla_len(attribute) >= 4 ? ntohl(nla_get_u32(attribute)) : 0;
}

size_t register_at(struct nlattr *attribute, size_t *room)
{
    const uint32_t name = attribute_number(attribute);
    const size_t at = name >= NFT_REG32_00 ? (name - NFT_REG32_00) * 4 : name ? (name - 1) * 16 : 0;
    *room = at < REGISTER_BYTES ? REGISTER_BYTES - at : 0;
    return at;
}

/* Fills up the last word with zeros, as the kernel does. */
void register_load(struct run *run, struct nlattr *destination, const void *value, const void *known,
                   size_t size)
{
    size_t room, at = register_at(destination, &room);
    const size_t whole = (size + 3) & ~(size_t)3;
    if (whole > room)
        return;
    memset(run->value + at, 0, whole);
    memset(run->known + at, 0xff, whole);
    memcpy(run->value + at, value, size);
    if (known)
        memcpy(run->known + at, known, size);
}

void register_load_unknown(struct run *run, struct nlattr *destination, size_t size)
{
    size_t room, at = register_at(destination, &room);
    memset(run->known + at, 0, size < room ? size : room);
}

void register_load_number(struct run *run, struct nlattr *destination, uint32_t value, uint32_t known)
{
    register_load(run, destination, &value, &known, sizeof(value));
}

void register_load_name(struct run *run, struct nlattr *destination, const char *name)
{
    char text[IFNAMSIZ] = "";
    if (name)
        memcpy(text, name, strnlen(name, IFNAMSIZ - 1));
    register_load(run, destination, text, NULL, sizeof(text));
}

void rule_met(struct run *run, enum certainty condition)
{
    run->met = certainty_and(run->met, condition);
}

void rule_verdict(struct run *run, int code, const char *target)
{
    run->flow = walk_verdict(run->walk, run->chain, run->rule, run->met == YES, code, target);
    /* A verdict ends the rule, also one that may not be reached: what follows it never runs. */
    if (code != NFT_CONTINUE)
        run->met = NO;
}

const unsigned char *data_value(struct nlattr *data, size_t *size)
{
    struct nlattr *value = data ? nla_find(nla_data(data), nla_len(data), NFTA_DATA_VALUE) : NULL;
    *size = value ? (size_t)nla_len(value) : 0;
    return value ? nla_data(value) : NULL;
}

bool data_verdict(struct run *run, struct nlattr *data, bool sure, enum flow *flow)
{
    struct nlattr *nested = data ? nla_find(nla_data(data), nla_len(data), NFTA_DATA_VERDICT) : NULL;
    if (!nested)
        return false;
    struct nlattr *code = nla_find(nla_data(nested), nla_len(nested), NFTA_VERDICT_CODE);
    struct nlattr *chain = nla_find(nla_data(nested), nla_len(nested), NFTA_VERDICT_CHAIN);
    *flow = walk_verdict(run->walk, run->chain, run->rule, sure, (int)attribute_number(code),
                         chain ? nla_get_string(chain) : NULL);
    return true;
}

enum certainty bits_equal(const unsigned char *value, const unsigned char *known, const unsigned char *wanted,
                          size_t size)
{
    enum certainty is = YES;
    for (size_t i = 0; i < size; i++) {
        if ((value[i] ^ wanted[i]) & known[i])
            return NO;
        if (known[i] != 0xff)
            is = MAYBE;
    }
    return is;
}

/* As the kernel compares: byte by byte, the first one most. Unknown bits are once all 0 and once all 1. */
static int compare(const unsigned char *value, const unsigned char *known, unsigned char filling,
                   const unsigned char *with, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        const unsigned char byte = (unsigned char)((value[i] & known[i]) | (filling & ~known[i]));
        if (byte != with[i])
            return byte < with[i] ? -1 : 1;
    }
    return 0;
}

enum certainty bits_between(const unsigned char *value, const unsigned char *known,
                            const unsigned char *first, const unsigned char *last, size_t size)
{
    if (compare(value, known, 0xff, first, size) < 0 || compare(value, known, 0, last, size) > 0)
        return NO;
    return compare(value, known, 0, first, size) >= 0 && compare(value, known, 0xff, last, size) <= 0 ? YES
                                                                                                      : MAYBE;
}
