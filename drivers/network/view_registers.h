/* What the expressions of one rule work on: registers of which not every bit is known (view_packet.h), and how far the rule
 * has come. */
#pragma once

#include "drivers/network/view_packet.h"

struct nlattr;

#define REGISTER_BYTES 64 /* sixteen of four bytes, which are four of sixteen, too */

struct run {
    struct walk *walk;
    const struct ruleset_chain *chain;
    const struct ruleset_rule *rule;
    unsigned char value[REGISTER_BYTES], known[REGISTER_BYTES];
    enum certainty met; /* of all conditions so far */
    enum flow flow;
};

/* 0 where it is none. */
uint32_t attribute_number(struct nlattr *attribute);
/* Where a register begins, and how much there is from it on. */
size_t register_at(struct nlattr *attribute, size_t *room);
/* `known` NULL: all of it. */
void register_load(struct run *run, struct nlattr *destination, const void *value, const void *known,
                   size_t size);
void register_load_unknown(struct run *run, struct nlattr *destination, size_t size);
void register_load_number(struct run *run, struct nlattr *destination, uint32_t value, uint32_t known);
void register_load_name(struct run *run, struct nlattr *destination, const char *name);

/* One more condition. */
void rule_met(struct run *run, enum certainty condition);
void rule_verdict(struct run *run, int code, const char *target);

/* The bytes in some data; NULL and 0. */
const unsigned char *data_value(struct nlattr *data, size_t *size);
/* The verdict in some data; false when it is no verdict. */
bool data_verdict(struct run *run, struct nlattr *data, bool sure, enum flow *flow);

/* view_lookup.c: an expression, as those of view_expressions.c. */
void rule_look_up(struct run *run, struct nlattr **data);
