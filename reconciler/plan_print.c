/* A plan as text for people and as JSON (schema 1 of DESIGN §5). */
#include <string.h>

#include "lib/json.h"
#include "lib/units.h"
#include "reconciler/plan.h"

struct style {
    const char *sign, *color;
};

static struct style style_of(enum verb verb)
{
    switch (verb) {
    case VERB_CREATE:
    case VERB_ADOPT:
    case VERB_BUILD:
    case VERB_FETCH:
    case VERB_START:
        return (struct style){"+", "\033[32m"};
    case VERB_DELETE:
    case VERB_RETAIN:
    case VERB_FORGET:
    case VERB_STOP:
        return (struct style){"-", "\033[31m"};
    case VERB_RECREATE:
    case VERB_RESTART:
    case VERB_RENAME:
        return (struct style){"!", "\033[35m"};
    default:
        return (struct style){"~", "\033[33m"};
    }
}

/* In no line stands what an image says (reconciler/image_inherit.h), and what is in a recipe no more. */
static void print_place(struct place at, struct buffer *out)
{
    if (at.file && at.line)
        buffer_printf(out, "   (%s:%u)", at.file, at.line);
    else if (at.file)
        buffer_printf(out, "   (%s)", at.file);
}

/* Values come from files and guests: control characters never reach a terminal. */
static void print_value(const char *value, struct buffer *out)
{
    const size_t start = out->length;
    buffer_text(out, value);
    for (char *at = out->bytes + start; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            *at = '?';
}

static void print_cause(const struct change *cause, struct buffer *out)
{
    buffer_text(out, "      ");
    print_value(cause->field, out);
    if (cause->old || cause->new)
        buffer_text(out, ": ");
    if (cause->old)
        print_value(cause->old, out);
    if (cause->old)
        buffer_text(out, cause->new ? " -> " : " (removed)");
    if (cause->new)
        print_value(cause->new, out);
    print_place(cause->at, out);
    buffer_text(out, "\n");
}

static void print_lease(const char *network, const char *what, const char *value, const char *declared,
                        struct buffer *out)
{
    if (!value)
        return;
    buffer_text(out, "      ");
    if (network)
        buffer_printf(out, "networks.%s.", network);
    buffer_printf(out, "%s: %s (%s)\n", what, value,
                  declared && strcmp(value, declared) == 0 ? "declared" : "leased");
}

/* The subnet of a new network is the cause already. */
static void print_leases(const struct action *action, struct buffer *out)
{
    for (size_t i = 0; i < action->leased.count; i++) {
        const struct lease_address *address = action->leased.items[i];
        const struct attachment *said = list_find(&((const struct container *)action->object->body)->networks,
                                                  &attachment_table, address->network);
        print_lease(address->network, "address", address->address, said ? said->address : NULL, out);
        print_lease(address->network, "address6", address->address6, said ? said->address6 : NULL, out);
    }
    print_lease(NULL, "subnet6", action->leased_subnet6, NULL, out);
}

static void print_action(const struct action *action, bool color, struct buffer *out)
{
    struct style style = style_of(action->verb);
    buffer_printf(out, "  %s%s %s %s %s%s", color ? style.color : "", style.sign, verb_name(action->verb),
                  kind_name(action->kind), action->name, color ? "\033[0m" : "");
    if (action->verb == VERB_UPDATE || action->verb == VERB_REPAIR)
        buffer_printf(out, " (%s)", class_name(action->class));
    buffer_text(out, "\n");
    for (size_t i = 0; i < action->causes.count; i++)
        print_cause(&action->causes.items[i], out);
    print_leases(action, out);
    if (action->hint)
        buffer_printf(out, "      hint: %s\n", action->hint);
    for (size_t i = 0; i < action->warning_count; i++) {
        buffer_printf(out, "      warning: %s", action->warnings[i].text);
        print_place(action->warnings[i].at, out);
        buffer_text(out, "\n");
    }
}

/* What it waits for: other actions, and what goes before actions without being one. */
static void print_waits(const struct plan *plan, const struct action *action, struct buffer *out)
{
    for (size_t i = 0; i < action->need_count; i++)
        buffer_printf(out, "      after: %s\n", action->needs[i]->id);
    for (size_t i = 0; i < plan->release_count; i++)
        if (plan->releases[i].takes == action)
            buffer_printf(out, "      after: container %s has let go of its layer\n",
                          plan->releases[i].leaves->name);
    for (size_t i = 0; i < plan->await_count; i++)
        for (size_t j = 0; j < plan->awaits[i].waiting_count; j++)
            if (plan->awaits[i].waiting[j] == action)
                buffer_printf(out, "      after: container %s %s\n", plan->awaits[i].object->name,
                              plan->awaits[i].healthy ? "is healthy" : "has completed");
}

/* What the run waits for once it is done. */
static void print_gate(const struct plan *plan, const struct action *action, struct buffer *out)
{
    for (size_t i = 0; i < plan->await_count; i++) {
        const struct await *await = &plan->awaits[i];
        if (!await->healthy || await->after != action)
            continue;
        char within[UNITS_TEXT_SIZE];
        duration_print(health_patience(((const struct container *)await->object->body)->health), within);
        buffer_printf(out, "      then: until it is healthy, %s at most\n", within);
    }
}

/* Reasons of one object stand one after the other. */
static size_t count_held(const struct plan *plan)
{
    size_t count = 0;
    for (size_t i = 0; i < plan->held_count; i++)
        count += !i || plan->held[i].kind != plan->held[i - 1].kind ||
                 strcmp(plan->held[i].name, plan->held[i - 1].name) != 0;
    return count;
}

void plan_print(const struct plan *plan, bool color, bool verbose, struct buffer *out)
{
    size_t counts[6] = {0};
    for (size_t i = 0; i < plan->count; i++) {
        enum verb verb = plan->actions[i]->verb;
        bool goes = verb == VERB_DELETE || verb == VERB_RETAIN || verb == VERB_FORGET;
        counts[verb == VERB_EXPAND   ? 3
               : verb == VERB_FETCH  ? 5
               : verb == VERB_BUILD  ? 4
               : verb == VERB_CREATE ? 0
               : goes                ? 2
                                     : 1]++;
        print_action(plan->actions[i], color, out);
        print_gate(plan, plan->actions[i], out);
        if (verbose)
            print_waits(plan, plan->actions[i], out);
    }
    for (size_t i = 0; i < plan->held_count; i++) {
        const struct held *held = &plan->held[i];
        buffer_printf(out, "  %s= held %s %s%s: ", color ? "\033[36m" : "", kind_name(held->kind), held->name,
                      color ? "\033[0m" : "");
        print_value(held->reason, out);
        print_place(held->at, out);
        buffer_text(out, "\n");
        if (held->hint)
            buffer_printf(out, "      hint: %s\n", held->hint);
    }
    if (!plan->count && !plan->held_count)
        buffer_text(out, "Nothing to do: everything is as declared.\n");
    if (counts[5])
        buffer_printf(out, "%zu to fetch, ", counts[5]);
    if (counts[4])
        buffer_printf(out, "%zu to build, ", counts[4]);
    if (plan->count || plan->held_count)
        buffer_printf(out, "%zu to create, %zu to change, %zu to remove", counts[0], counts[1], counts[2]);
    if (counts[3])
        buffer_printf(out, ", %zu known later", counts[3]);
    if ((plan->count || plan->held_count) && !plan->held_count)
        buffer_text(out, "\n");
    if (plan->held_count)
        buffer_printf(out, ", %zu held\n", count_held(plan));
}

static struct json *place_json(struct place at)
{
    if (!at.file)
        return json_new_null();
    if (!at.line)
        return json_new_text(at.file);
    _cleanup_buffer_ struct buffer text = {0};
    buffer_printf(&text, "%s:%u", at.file, at.line);
    return json_new_text(text.bytes);
}

static void set_text(struct json *object, const char *key, const char *value)
{
    if (value)
        json_set(object, key, json_new_text(value));
}

static struct json *leases_json(const struct action *action)
{
    struct json *leases = json_new_array();
    for (size_t i = 0; i < action->leased.count; i++) {
        const struct lease_address *address = action->leased.items[i];
        struct json *item = json_append(leases, json_new_object());
        json_set(item, "network", json_new_text(address->network));
        set_text(item, "address", address->address);
        set_text(item, "address6", address->address6);
        set_text(item, "mac", address->mac);
    }
    if (!action->leased_subnet && !action->leased_subnet6)
        return leases;
    struct json *item = json_append(leases, json_new_object());
    set_text(item, "subnet", action->leased_subnet);
    set_text(item, "subnet6", action->leased_subnet6);
    return leases;
}

struct json *action_to_json(const struct action *action)
{
    struct json *object = json_new_object();
    json_set(object, "id", json_new_text(action->id));
    json_set(object, "kind", json_new_text(kind_name(action->kind)));
    json_set(object, "name", json_new_text(action->name));
    json_set(object, "verb", json_new_text(verb_name(action->verb)));
    json_set(object, "class", json_new_text(class_name(action->class)));
    struct json *causes = json_set(object, "causes", json_new_array());
    for (size_t i = 0; i < action->causes.count; i++) {
        const struct change *cause = &action->causes.items[i];
        struct json *item = json_append(causes, json_new_object());
        json_set(item, "field", json_new_text(cause->field));
        json_set(item, "old", json_new_text(cause->old));
        json_set(item, "new", json_new_text(cause->new));
        json_set(item, "at", place_json(cause->at));
    }
    if (action->hint)
        json_set(object, "hint", json_new_text(action->hint));
    if (action->leased.count || action->leased_subnet || action->leased_subnet6)
        json_set(object, "leases", leases_json(action));
    struct json *needs = json_set(object, "needs", json_new_array());
    for (size_t i = 0; i < action->need_count; i++)
        json_append(needs, json_new_text(action->needs[i]->id));
    return object;
}

/* Not within the actions: what is done is the same with them and without. */
static struct json *warnings_json(const struct plan *plan)
{
    struct json *all = json_new_array();
    for (size_t i = 0; i < plan->count; i++) {
        const struct action *action = plan->actions[i];
        for (size_t j = 0; j < action->warning_count; j++) {
            struct json *item = json_append(all, json_new_object());
            json_set(item, "kind", json_new_text(kind_name(action->kind)));
            json_set(item, "name", json_new_text(action->name));
            json_set(item, "warning", json_new_text(action->warnings[j].text));
            json_set(item, "at", place_json(action->warnings[j].at));
        }
    }
    return all;
}

static struct json *gates_json(const struct plan *plan)
{
    struct json *gates = json_new_array();
    for (size_t i = 0; i < plan->await_count; i++) {
        const struct await *await = &plan->awaits[i];
        struct json *item = json_append(gates, json_new_object());
        json_set(item, "container", json_new_text(await->object->name));
        json_set(item, "until", json_new_text(await->healthy ? "healthy" : "completed"));
        set_text(item, "after", await->after ? await->after->id : NULL);
        struct json *waiting = json_set(item, "waiting", json_new_array());
        for (size_t j = 0; j < await->waiting_count; j++)
            json_append(waiting, json_new_text(await->waiting[j]->id));
    }
    return gates;
}

struct json *plan_to_json(const struct plan *plan)
{
    struct json *object = json_new_object();
    json_set(object, "schema", json_new_number(1));
    struct json *actions = json_set(object, "actions", json_new_array());
    for (size_t i = 0; i < plan->count; i++)
        json_append(actions, action_to_json(plan->actions[i]));
    struct json *held = json_set(object, "held", json_new_array());
    for (size_t i = 0; i < plan->held_count; i++) {
        struct json *item = json_append(held, json_new_object());
        json_set(item, "kind", json_new_text(kind_name(plan->held[i].kind)));
        json_set(item, "name", json_new_text(plan->held[i].name));
        json_set(item, "reason", json_new_text(plan->held[i].reason));
        json_set(item, "hint", json_new_text(plan->held[i].hint));
        json_set(item, "at", place_json(plan->held[i].at));
    }
    json_set(object, "warnings", warnings_json(plan));
    if (plan->await_count)
        json_set(object, "gates", gates_json(plan));
    return object;
}
