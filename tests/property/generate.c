#include "tests/property/generate.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"
#include "lib/map.h"

#define OFTEN  40 /* in a hundred: that a field is said */
#define SELDOM 15

static struct part make_part(struct spec *spec, const struct body *body, const struct table *table,
                             const struct field *row);

/* ---- chance ---- */

unsigned spec_random(struct spec *spec, unsigned bound)
{
    spec->random ^= spec->random << 13; /* xorshift64 */
    spec->random ^= spec->random >> 7;
    spec->random ^= spec->random << 17;
    return bound ? (unsigned)((spec->random * 0x2545f4914f6cdd1du) >> 33) % bound : 0;
}

static bool by_chance(struct spec *spec, unsigned of_hundred)
{
    return spec_random(spec, 100) < of_hundred;
}

static const char *one_of(struct spec *spec, const char *const *words)
{
    unsigned count = 0;
    while (words[count])
        count++;
    return words[spec_random(spec, count)];
}

/* ---- names ---- */

#define OF_A_KIND 6

static const char *name_of(struct spec *spec, enum kind kind, unsigned number)
{
    static const char letters[] = {'i', 'n', 'v', 'l', 'c'};
    return arena_printf(spec->arena, "%c%u", letters[kind], number);
}

static const struct body *body_of(const struct spec *spec, enum kind kind, const char *name)
{
    for (size_t i = 0; i < spec->count; i++)
        if (spec->bodies[i].kind == kind && strcmp(spec->bodies[i].name, name) == 0)
            return &spec->bodies[i];
    return NULL;
}

/* One that exists, if there is any. */
static const char *some_name(struct spec *spec, enum kind kind)
{
    const struct body *found = NULL;
    unsigned seen = 0;
    for (size_t i = 0; i < spec->count; i++)
        if (spec->bodies[i].kind == kind && spec_random(spec, ++seen) == 0)
            found = &spec->bodies[i];
    return found ? found->name : name_of(spec, kind, 0);
}

static const struct part *part_of(const struct part *whole, const char *key)
{
    for (size_t i = 0; i < whole->count; i++)
        if (strcmp(whole->parts[i].row->key, key) == 0)
            return &whole->parts[i];
    return NULL;
}

/* ---- scalars ---- */

static const char *number_text(struct spec *spec, const struct field *row)
{
    const bool bounded = row->minimum || row->maximum;
    const int64_t least = bounded ? row->minimum : 0, most = bounded ? row->maximum : INT64_MAX;
    const int64_t mebibytes = 64 + 16 * (int64_t)spec_random(spec, 8);
    int64_t small = least + (int64_t)spec_random(spec, most - least > 50 ? 50 : (unsigned)(most - least) + 1);
    switch (row->form) {
    case FORM_SIZE:
        return arena_printf(spec->arena, "%" PRId64 "MiB", mebibytes);
    case FORM_DURATION:
        return arena_printf(spec->arena, "%us", 1 + spec_random(spec, 90));
    case FORM_CPUS:
        return arena_printf(spec->arena, "%u.%u", 1 + spec_random(spec, 3), spec_random(spec, 10));
    case FORM_PORT:
        return arena_printf(spec->arena, "%u", 1000 + spec_random(spec, 50000));
    default:
        return arena_printf(spec->arena, "%" PRId64, small);
    }
}

/* Of a network with this number, or anything that is no network's. */
static const char *address_text(struct spec *spec, const char *network)
{
    const unsigned number = network && network[0] == 'n' ? (unsigned)atoi(network + 1) : 9;
    return arena_printf(spec->arena, "10.77.%u.%u", number, 10 + spec_random(spec, 200));
}

/* NULL where only the row's example will do. */
static const char *plain_text(struct spec *spec, const struct field *row)
{
    static const char *const words[] = {"red", "green", "blue", "\"two words\"", "\"with # and: more\"",
                                        NULL};
    static const char *const packages[] = {"dbus", "ifupdown", "nginx", "libfoo1", NULL};
    static const char *const signals[] = {"SIGTERM", "SIGINT", "SIGRTMIN+3", "term", NULL};
    static const char *const capabilities[] = {"net_raw", "CAP_SYS_TIME", "mknod", "sys_boot", NULL};
    static const char *const hosts[] = {"web.example.org", "db", "a-b.c", NULL};
    enum kind kind;
    if (row->words)
        return one_of(spec, row->words);
    switch (row->form) {
    case FORM_PLAIN:
        return one_of(spec, words);
    case FORM_NAME:
        return arena_printf(spec->arena, "name%u", spec_random(spec, 100));
    case FORM_REFERENCE:
        return kind_parse(row->key, &kind) == 0 ? some_name(spec, kind) : NULL;
    case FORM_IPV4:
        return address_text(spec, NULL);
    case FORM_GUEST_PATH:
        return arena_printf(spec->arena, "/srv/d%u%s", spec_random(spec, 8),
                            by_chance(spec, 30) ? "/inner" : "");
    case FORM_IMAGE_SOURCE:
        return spec->served ? "\"images:debian/12\"" : "\"bootstrap:bookworm\"";
    case FORM_PACKAGE:
        return one_of(spec, packages);
    case FORM_SIGNAL:
        return one_of(spec, signals);
    case FORM_CAPABILITY:
        return one_of(spec, capabilities);
    case FORM_HOSTNAME:
        return one_of(spec, hosts);
    case FORM_GATEWAY:
    case FORM_GATEWAY6:
        return by_chance(spec, 70) ? "none" : some_name(spec, KIND_CONTAINER);
    case FORM_BUILD_NETWORK:
        return by_chance(spec, 50) ? "none" : some_name(spec, KIND_NETWORK);
    default:
        return NULL;
    }
}

static const char *texts_text(struct spec *spec, const struct field *row)
{
    const char *said[3];
    unsigned count = spec_random(spec, 4), kept = 0;
    _cleanup_buffer_ struct buffer text = {0};
    buffer_text(&text, "[");
    for (unsigned i = 0; i < count; i++) {
        const char *item = plain_text(spec, row);
        bool again = false;
        if (!item)
            return row->example;
        for (unsigned j = 0; j < kept; j++)
            again = again || strcmp(said[j], item) == 0;
        if (again)
            continue;
        said[kept++] = item;
        buffer_printf(&text, "%s%s", kept > 1 ? ", " : "", item);
    }
    buffer_text(&text, "]");
    return arena_strdup(spec->arena, text.bytes);
}

static const char *pairs_text(struct spec *spec, const struct field *row)
{
    if (row->form != FORM_VARIABLE)
        return row->example;
    _cleanup_buffer_ struct buffer text = {0};
    for (unsigned i = 0; i < 3; i++)
        if (by_chance(spec, 60))
            buffer_printf(&text, "%s%s%u: %s", text.length ? ", " : "{",
                          by_chance(spec, 20) ? "MY_TOKEN" : "VAR", i,
                          plain_text(spec, &(struct field){.form = FORM_PLAIN}));
    return text.length ? arena_printf(spec->arena, "%s}", text.bytes) : "{}";
}

/* Behind the key of a field, in one line. */
static const char *value_text(struct spec *spec, const struct field *row)
{
    const char *text = NULL;
    switch (row->type) {
    case FIELD_TEXT:
        text = plain_text(spec, row);
        break;
    case FIELD_BOOL:
        return by_chance(spec, 50) ? "true" : "false";
    case FIELD_NUMBER:
        text = number_text(spec, row);
        break;
    case FIELD_TEXTS:
        text = texts_text(spec, row);
        break;
    case FIELD_PAIRS:
        text = pairs_text(spec, row);
        break;
    default:
        break;
    }
    return text ? text : row->example;
}

/* ---- parts ---- */

static bool is_writable(const struct field *row)
{
    return !(row->flags & FIELD_DERIVED) && row->type != FIELD_BYTES;
}

static void add_part(struct spec *spec, struct part *whole, struct part part)
{
    *(struct part *)arena_append(spec->arena, whole->parts, whole->count) = part;
}

/* An address of IPv6 can be said where the network says its subnet. */
static void want_subnet6(struct spec *spec, const char *network)
{
    struct body *there = (struct body *)body_of(spec, KIND_NETWORK, network);
    const struct field *row = field_by_key(&network_table, "subnet6");
    if (there && !part_of(&there->whole, row->key))
        add_part(spec, &there->whole, make_part(spec, there, &network_table, row));
}

/* What depends on more than the row: who has which subnet, and where an address belongs. */
static const char *special_text(struct spec *spec, const struct body *body, const struct table *table,
                                const struct field *row, const char *network)
{
    if (table == &network_table && strcmp(row->key, "subnet") == 0)
        return arena_printf(spec->arena, "10.77.%s.0/24", body->name + 1);
    if (table == &network_table && strcmp(row->key, "range") == 0)
        return arena_printf(spec->arena, "10.77.%s.220-10.77.%s.240", body->name + 1, body->name + 1);
    if (table == &network_table && strcmp(row->key, "range6") == 0)
        return arena_printf(spec->arena, "\"fd77:0:0:%s::220-fd77:0:0:%s::240\"", body->name + 1,
                            body->name + 1);
    if (table == &network_table && strcmp(row->key, "subnet6") == 0)
        return arena_printf(spec->arena, "\"fd77:0:0:%s::/64\"", body->name + 1);
    if (table == &attachment_table && strcmp(row->key, "address6") == 0 && network)
        want_subnet6(spec, network);
    if (table == &attachment_table && strcmp(row->key, "address6") == 0)
        return arena_printf(spec->arena, "\"fd77:0:0:%s::%x\"", network ? network + 1 : "9",
                            16 + spec_random(spec, 200));
    if (table == &attachment_table && strcmp(row->key, "address") == 0)
        return address_text(spec, network);
    /* The trial's folder has such a recipe; and the first image is built on no other, or nothing could be. */
    if (table == &image_build_table && strcmp(row->key, "context") == 0)
        return "./wordpress";
    if (table == &image_build_table && strcmp(row->key, "recipe") == 0)
        return row->example;
    if (table == &image_build_table && strcmp(row->key, "steps") == 0)
        return spec_random(spec, 2) ? row->example
                                    : "[\"RUN <<EOF\\n\\techo $${A} $b\\nEOF\", \"ENV A=$$B\"]";
    if (table == &image_build_table && strcmp(row->key, "target") == 0)
        return row->example;
    if (table == &image_build_table && strcmp(row->key, "from") == 0)
        return name_of(spec, KIND_IMAGE, 0);
    if (table == &container_table && strcmp(row->key, "replicas") == 0)
        return arena_printf(spec->arena, "%u", 1 + spec_random(spec, 3));
    /* Earlier ones only: what goes round in a circle is refused. */
    if (table == &dependency_table && row == &table->rows[0] && body->name[1] > '0')
        return name_of(spec, KIND_CONTAINER, spec_random(spec, (unsigned)(body->name[1] - '0')));
    return NULL;
}

/* Items of some tables are known by one of several fields. */
static const struct field *some_key(struct spec *spec, const struct table *table)
{
    const struct field *key = &table->rows[0];
    unsigned seen = 1;
    for (const struct field *row = table->rows; row < table->rows + table->count; row++)
        if (row->flags & FIELD_KEY && spec_random(spec, ++seen) == 0)
            key = row;
    return key;
}

static const char *item_text(struct spec *spec, const struct body *body, const struct table *table)
{
    _cleanup_buffer_ struct buffer text = {0};
    const char *network = NULL;
    const struct field *key = some_key(spec, table);
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        const bool needed = (row->flags & FIELD_REQUIRED) || row == key;
        const bool rivals = row != key && (row->flags & FIELD_KEY || row == &table->rows[0]);
        if (!is_writable(row) || rivals || (!needed && !by_chance(spec, OFTEN)))
            continue;
        const char *value = special_text(spec, body, table, row, network);
        if (!value)
            value = value_text(spec, row);
        if (!value)
            continue;
        if (strcmp(row->key, "network") == 0)
            network = value;
        buffer_printf(&text, "%s%s: %s", text.length ? ", " : "{ ", row->key, value);
    }
    return arena_printf(spec->arena, "%s }", text.length ? text.bytes : "{");
}

static struct part make_list(struct spec *spec, const struct body *body, const struct field *row)
{
    struct part list = {.row = row};
    for (unsigned count = spec_random(spec, 4); count; count--)
        add_part(spec, &list, (struct part){.row = row, .text = item_text(spec, body, row->nested)});
    if (!list.count)
        list.text = "[]";
    return list;
}

static void add_fields(struct spec *spec, const struct body *body, const struct table *table,
                       struct part *whole, unsigned chance)
{
    for (const struct field *row = table->rows; row < table->rows + table->count; row++)
        if (is_writable(row) && ((row->flags & FIELD_REQUIRED) || by_chance(spec, chance)))
            add_part(spec, whole, make_part(spec, body, table, row));
}

/* One way of finding out, or nothing of the sort; an edit may add another, which the loader then complains of. */
static struct part make_health(struct spec *spec, const struct body *body, const struct field *row)
{
    static const char *const ways[] = {"http", "tcp", "command", "none", NULL};
    const char *way = one_of(spec, ways);
    struct part health = {.row = row};
    for (const struct field *own = row->nested->rows; own < row->nested->rows + row->nested->count; own++) {
        bool is_way = false;
        for (const char *const *other = ways; *other; other++)
            is_way = is_way || strcmp(own->key, *other) == 0;
        if (is_way ? strcmp(own->key, way) == 0 : by_chance(spec, OFTEN))
            add_part(spec, &health, make_part(spec, body, row->nested, own));
    }
    return health;
}

static bool is_digest(const struct field *row)
{
    return strcmp(row->key, "digest") == 0;
}

/* Of a folder, what an archive holds, or steps; an edit may make it both, which the loader then complains of. */
static struct part make_build(struct spec *spec, const struct body *body, const struct field *row)
{
    static const char *const others[2][3] = {{"from", "steps", NULL}, {"context", "recipe", NULL}};
    const bool folder = by_chance(spec, 50), archive = folder && by_chance(spec, 30);
    struct part build = {.row = row};
    for (const struct field *own = row->nested->rows; own < row->nested->rows + row->nested->count; own++) {
        const bool is_base = strcmp(own->key, folder ? "context" : "from") == 0;
        bool is_other = (!folder && strcmp(own->key, "target") == 0) || (!archive && is_digest(own));
        for (const char *const *other = others[!folder]; *other; other++)
            is_other = is_other || strcmp(own->key, *other) == 0;
        if (!is_other && (is_base || by_chance(spec, 60)))
            add_part(spec, &build, make_part(spec, body, row->nested, own));
        if (archive && is_base)
            build.parts[build.count - 1].text = "./app.tar";
    }
    return build;
}

static struct part make_part(struct spec *spec, const struct body *body, const struct table *table,
                             const struct field *row)
{
    if (row->type == FIELD_LIST)
        return make_list(spec, body, row);
    if (row->nested == &health_table)
        return make_health(spec, body, row);
    if (row->nested == &image_build_table)
        return make_build(spec, body, row);
    struct part part = {.row = row, .text = special_text(spec, body, table, row, NULL)};
    if (row->type == FIELD_STRUCT) {
        add_fields(spec, body, row->nested, &part, OFTEN);
        if (!part.count)
            part.text = "{}";
    } else if (!part.text) {
        part.text = value_text(spec, row);
    }
    return part;
}

/* It has a source, or it is built. */
static void add_image(struct spec *spec, struct body *body)
{
    const bool built = strcmp(body->name, name_of(spec, KIND_IMAGE, 0)) != 0 && by_chance(spec, 40);
    for (const struct field *row = image_table.rows; row < image_table.rows + image_table.count; row++) {
        const bool is_build = strcmp(row->key, "build") == 0;
        if (is_build && built)
            add_part(spec, &body->whole, make_build(spec, body, row));
        else if (!is_build && !built && (strcmp(row->key, "source") == 0 || by_chance(spec, OFTEN)))
            add_part(spec, &body->whole, make_part(spec, body, &image_table, row));
    }
}

static void add_body(struct spec *spec, enum kind kind, const char *name)
{
    struct body *body = arena_append(spec->arena, spec->bodies, spec->count);
    *body = (struct body){.kind = kind, .name = name};
    if (kind == KIND_IMAGE) {
        add_image(spec, body);
        return;
    }
    add_fields(spec, body, kind_table(kind), &body->whole, kind == KIND_CONTAINER ? SELDOM : OFTEN);
    /* Most containers have an image of their own choice and a network: without those little can happen to them. */
    if (kind != KIND_CONTAINER)
        return;
    static const char *const usual[] = {"image", "networks"};
    for (size_t i = 0; i < sizeof(usual) / sizeof(*usual); i++)
        if (!part_of(&body->whole, usual[i]) && by_chance(spec, i ? 60 : 95))
            add_part(spec, &body->whole,
                     make_part(spec, body, &container_table, field_by_key(&container_table, usual[i])));
}

void spec_generate(struct spec *spec)
{
    static const unsigned most[KIND_COUNT] = {2, 3, 4, 2, OF_A_KIND};
    spec->served = by_chance(spec, 30);
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        const unsigned least = kind == KIND_IMAGE || kind == KIND_CONTAINER;
        const unsigned count = least + spec_random(spec, most[kind] + 1 - least);
        for (unsigned i = 0; i < count; i++)
            add_body(spec, kind, name_of(spec, kind, i));
    }
}

/* ---- changes ---- */

static void drop_part(struct part *whole, size_t at)
{
    whole->count--;
    memmove(&whole->parts[at], &whole->parts[at + 1], (whole->count - at) * sizeof(*whole->parts));
}

static void drop_body(struct spec *spec, size_t at)
{
    spec->count--;
    memmove(&spec->bodies[at], &spec->bodies[at + 1], (spec->count - at) * sizeof(*spec->bodies));
}

static void edit_part(struct spec *spec, struct body *body, const struct table *table, struct part *whole)
{
    const struct field *row = &table->rows[spec_random(spec, (unsigned)table->count)];
    const struct part *there = part_of(whole, row->key);
    size_t at = there ? (size_t)(there - whole->parts) : whole->count;
    if (!is_writable(row))
        return;
    /* A folder has no digest. */
    if (table == &image_build_table && (is_digest(row) || strcmp(row->key, "context") == 0))
        return;
    if (there && there->count && row->type == FIELD_STRUCT && by_chance(spec, 70))
        edit_part(spec, body, row->nested, &whole->parts[at]);
    else if (there && !(row->flags & FIELD_REQUIRED) && by_chance(spec, 30))
        drop_part(whole, at);
    else if (there)
        whole->parts[at] = make_part(spec, body, table, row);
    else
        add_part(spec, whole, make_part(spec, body, table, row));
}

static void add_or_drop_body(struct spec *spec)
{
    enum kind kind = (enum kind)spec_random(spec, KIND_COUNT);
    const char *name = name_of(spec, kind, spec_random(spec, OF_A_KIND));
    const struct body *there = body_of(spec, kind, name);
    if (there)
        drop_body(spec, (size_t)(there - spec->bodies));
    else
        add_body(spec, kind, name);
}

void spec_edit(struct spec *spec)
{
    if (by_chance(spec, 30) || !spec->count) {
        add_or_drop_body(spec);
        return;
    }
    struct body *body = &spec->bodies[spec_random(spec, (unsigned)spec->count)];
    const struct table *table = kind_table(body->kind);
    for (unsigned times = 1 + spec_random(spec, 3); times && table->count; times--)
        edit_part(spec, body, table, &body->whole);
}

/* Words as they are; what reads like another type of scalar is none of ours. */
static void say_defaults(struct spec *spec, const struct table *table, struct part *whole)
{
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        const struct part *there = part_of(whole, row->key);
        if (row->type == FIELD_STRUCT && there && there->count)
            say_defaults(spec, row->nested, &whole->parts[there - whole->parts]);
        else if (!there && row->standard && is_writable(row))
            add_part(spec, whole, (struct part){.row = row, .text = row->standard});
        else if (!there && row->type == FIELD_STRUCT && is_writable(row)) {
            struct part nested = {.row = row};
            say_defaults(spec, row->nested, &nested);
            if (nested.count)
                add_part(spec, whole, nested);
        }
    }
}

void spec_say_defaults(struct spec *spec)
{
    for (size_t i = 0; i < spec->count; i++)
        say_defaults(spec, kind_table(spec->bodies[i].kind), &spec->bodies[i].whole);
}

/* An order among list items may mean something: they stay. */
static void shuffle(struct spec *spec, struct part *whole)
{
    for (size_t i = whole->count; i > 1; i--) {
        size_t j = spec_random(spec, (unsigned)i);
        struct part kept = whole->parts[i - 1];
        whole->parts[i - 1] = whole->parts[j];
        whole->parts[j] = kept;
    }
    for (size_t i = 0; i < whole->count; i++)
        if (whole->parts[i].row->type == FIELD_STRUCT)
            shuffle(spec, &whole->parts[i]);
}

void spec_shuffle(struct spec *spec)
{
    for (size_t i = spec->count; i > 1; i--) {
        size_t j = spec_random(spec, (unsigned)i);
        struct body kept = spec->bodies[i - 1];
        spec->bodies[i - 1] = spec->bodies[j];
        spec->bodies[j] = kept;
    }
    for (size_t i = 0; i < spec->count; i++)
        shuffle(spec, &spec->bodies[i].whole);
}

static struct part copy_part(struct arena *arena, const struct part *part)
{
    struct part copy = *part;
    copy.parts = NULL;
    copy.count = 0;
    for (size_t i = 0; i < part->count; i++)
        *(struct part *)arena_append(arena, copy.parts, copy.count) = copy_part(arena, &part->parts[i]);
    return copy;
}

struct spec spec_copy(const struct spec *spec)
{
    struct spec copy = {.arena = spec->arena, .random = spec->random, .served = spec->served};
    for (size_t i = 0; i < spec->count; i++) {
        struct body *body = arena_append(copy.arena, copy.bodies, copy.count);
        *body = spec->bodies[i];
        body->whole = copy_part(copy.arena, &spec->bodies[i].whole);
    }
    return copy;
}

/* ---- text ---- */

static void print_part(struct part *part, int depth, unsigned *line, struct buffer *out)
{
    part->line = ++*line;
    buffer_printf(out, "%*s%s:%s%s\n", depth * 2, "", part->row->key, part->text && !part->count ? " " : "",
                  part->text && !part->count ? part->text : "");
    for (size_t i = 0; i < part->count; i++) {
        if (part->row->type != FIELD_LIST) {
            print_part(&part->parts[i], depth + 1, line, out);
            continue;
        }
        part->parts[i].line = ++*line;
        buffer_printf(out, "%*s- %s\n", depth * 2 + 2, "", part->parts[i].text);
    }
}

void spec_print(struct spec *spec, struct buffer *out)
{
    unsigned line = 1;
    buffer_text(out, "project: p\n");
    for (enum kind kind = 0; kind < KIND_COUNT; kind++) {
        bool opened = false;
        for (size_t i = 0; i < spec->count; i++) {
            struct body *body = &spec->bodies[i];
            if (body->kind != kind)
                continue;
            if (!opened)
                buffer_printf(out, "%s:\n", kind_plural(kind));
            line += !opened + 1;
            opened = true;
            body->whole.line = line;
            buffer_printf(out, "  %s:%s\n", body->name, body->whole.count ? "" : " {}");
            for (size_t j = 0; j < body->whole.count; j++)
                print_part(&body->whole.parts[j], 2, &line, out);
        }
    }
}

static bool drop_line(struct part *whole, unsigned line)
{
    for (size_t i = 0; i < whole->count; i++) {
        if (whole->parts[i].line == line) {
            drop_part(whole, i);
            if (!whole->count && whole->row)
                whole->text = whole->row->type == FIELD_LIST ? "[]" : "{}";
            return true;
        }
        if (drop_line(&whole->parts[i], line))
            return true;
    }
    return false;
}

bool spec_drop_line(struct spec *spec, unsigned line)
{
    for (size_t i = 0; i < spec->count; i++) {
        if (spec->bodies[i].whole.line == line) {
            drop_body(spec, i);
            return true;
        }
        if (drop_line(&spec->bodies[i].whole, line))
            return true;
    }
    return false;
}
