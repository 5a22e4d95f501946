/* Rows of what LMDB holds. Ids are a format: never reused, also after a row is gone. */
#include "state/state.h"

#define TEXT(struct_, number, member, says)                                                                  \
    {                                                                                                        \
        .id = (number), .key = #member, .type = FIELD_TEXT, .offset = offsetof(struct struct_, member),      \
        .help = (says)                                                                                       \
    }
#define NUMBER(struct_, number, member, default_, says)                                                      \
    {                                                                                                        \
        .id = (number), .key = #member, .type = FIELD_NUMBER, .offset = offsetof(struct struct_, member),    \
        .standard = (default_), .help = (says)                                                               \
    }
#define FLAG(struct_, number, member, says)                                                                  \
    {                                                                                                        \
        .id = (number), .key = #member, .type = FIELD_BOOL, .offset = offsetof(struct struct_, member),      \
        .standard = "false", .help = (says)                                                                  \
    }
#define OF_TYPE(struct_, number, member, type_, says)                                                        \
    {                                                                                                        \
        .id = (number), .key = #member, .type = (type_), .offset = offsetof(struct struct_, member),         \
        .help = (says)                                                                                       \
    }

static const struct field record_rows[] = {
    TEXT(record, 1, kind, "Kind of the object."),
    TEXT(record, 2, name, "Full name."),
    TEXT(record, 3, uid, "Identity of the object; names are labels on it."),
    NUMBER(record, 4, generation, "0", "Grows with every change."),
    TEXT(record, 5, source, "Where it was declared; absent for what nobody declares any more."),
    FLAG(record, 6, implicit, "Made because something needs it."),
    OF_TYPE(record, 7, body, FIELD_BYTES, "As last applied."),
    OF_TYPE(record, 8, facts, FIELD_BYTES, "What effects answered and what was last seen."),
    TEXT(record, 9, phase, "Where it is in its life."),
    TEXT(record, 10, reason, "Why it is there."),
    NUMBER(record, 11, since, "0", "When the phase began, in seconds since the epoch."),
    TEXT(record, 12, stopped_by, "Who stopped it."),
    TEXT(record, 13, spec_file, "File that declares it."),
    NUMBER(record, 14, spec_line, "0", "Line that declares it."),
};
const struct table record_table = {
    .name = "record", .size = sizeof(struct record), TABLE_ROWS(record_rows), .help = "One recorded object."};

static const struct field lease_address_rows[] = {
    /* 5 was used once */
    TEXT(lease_address, 1, network, "Full name of the network."),
    TEXT(lease_address, 2, address, "IPv4 address."),
    TEXT(lease_address, 3, mac, "MAC address."),
    NUMBER(lease_address, 4, index, "-1", "Number of the interface inside; -1 while not attached."),
    TEXT(lease_address, 9, address6, "IPv6 address."),
    TEXT(lease_address, 10, left6, "IPv6 address that it had before, and that its guest is to lose."),
};
const struct table lease_address_table = {.name = "lease.address",
                                          .size = sizeof(struct lease_address),
                                          TABLE_ROWS(lease_address_rows),
                                          .help = "A name's identity in one network."};

static const struct field lease_rows[] = {
    TEXT(lease, 1, kind, "Kind of the object."),
    TEXT(lease, 2, name, "Full name."),
    NUMBER(lease, 3, id_base, "0", "First of its 65,536 host ids."),
    TEXT(lease, 4, subnet, "Subnet from the pool."),
    {.id = 5,
     .key = "addresses",
     .type = FIELD_LIST,
     .offset = offsetof(struct lease, addresses),
     .nested = &lease_address_table,
     .help = "One a network."},
    TEXT(lease, 9, subnet6, "IPv6 subnet."),
    NUMBER(lease, 6, left, "0", "When the last object of that name went, in milliseconds since the epoch."),
};
const struct table lease_table = {.name = "lease",
                                  .size = sizeof(struct lease),
                                  TABLE_ROWS(lease_rows),
                                  .help = "Identities that belong to a name."};

static const struct field source_rows[] = {
    TEXT(source, 1, name, "Name of the source."),
    TEXT(source, 2, path, "Path of the -f argument."),
    FLAG(source, 3, down, "Taken down by a person."),
    NUMBER(source, 4, generation, "0", "Of the last applied set."),
    TEXT(source, 5, digest, "Of the last applied set."),
    NUMBER(source, 6, applied, "0", "When, in seconds since the epoch."),
    NUMBER(source, 7, objects, "0", "Declared objects."),
    OF_TYPE(source, 8, networks, FIELD_TEXTS, "Implicit networks that it uses."),
};
const struct table source_table = {.name = "source",
                                   .size = sizeof(struct source),
                                   TABLE_ROWS(source_rows),
                                   .help = "Where specs come from."};

static const struct field intent_rows[] = {
    NUMBER(intent, 1, sequence, "0", "Number of the intent."),
    TEXT(intent, 2, action, "The action in words."),
    TEXT(intent, 3, kind, "Kind of the object."),
    TEXT(intent, 4, name, "Full name."),
    TEXT(intent, 5, verb, "What is done to it."),
    OF_TYPE(intent, 6, steps, FIELD_TEXTS, "Steps, in order."),
    NUMBER(intent, 7, begun, "0", "When, in seconds since the epoch."),
    OF_TYPE(intent, 8, body, FIELD_BYTES, "The container as it is to become."),
    TEXT(intent, 9, wish, "What a command asked of data."),
    TEXT(intent, 10, token, "What the change of that data is known by."),
    TEXT(intent, 11, snapshot, "Name that the data of before is kept under."),
    TEXT(intent, 12, was, "Full name that it is renamed from."),
};
const struct table intent_table = {.name = "intent",
                                   .size = sizeof(struct intent),
                                   TABLE_ROWS(intent_rows),
                                   .help = "An action whose outcome is not recorded yet."};

static const struct field generation_rows[] = {
    TEXT(generation, 1, source, "Name of the source."),
    NUMBER(generation, 2, number, "0", "Number of the generation."),
    NUMBER(generation, 3, applied, "0", "When, in seconds since the epoch."),
    TEXT(generation, 4, digest, "Of the set."),
    OF_TYPE(generation, 5, actions, FIELD_TEXTS, "What was done, one line each."),
    OF_TYPE(generation, 6, set, FIELD_BYTES, "The set as canonical YAML."),
};
const struct table generation_table = {.name = "generation",
                                       .size = sizeof(struct generation),
                                       TABLE_ROWS(generation_rows),
                                       .help = "One applied set of a source."};
