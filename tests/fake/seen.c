#include "tests/fake/seen.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/task.h"
#include "lib/buffer.h"
#include "lib/cleanup.h"
#include "lib/error.h"
#include "tests/fake/world.h"

#define DEPTH_LIMIT 64

enum shape { SHAPE_NULL, SHAPE_FLAG, SHAPE_NUMBER, SHAPE_TEXT, SHAPE_ARRAY, SHAPE_OBJECT };

/* Texts are told by where they lie from the value itself, so that a file of values can be looked at where it is mapped;
 * 0: none. While they are being read: by where they lie in the text, one up. */
struct seen {
    int64_t key;
    unsigned span : 28; /* values in the array from this one to behind its last part */
    unsigned last : 1;  /* of its object or array */
    unsigned shape : 3; /* enum shape */
    union {
        int64_t text;
        int64_t number; /* and flags */
    };
};

/* world.seen: this, the values, the text. */
struct file_head {
    char magic[8];
    uint64_t count, text_size;
};
static const char magic[8] = "seen 1\n";

struct running {
    int64_t init;
    const struct seen *container;
};

static struct loaded {
    char *text;
    struct seen *values;
    size_t count, room;
    struct running *by_init; /* running containers in order of init; NULL: not asked for yet */
    size_t running;
    struct timespec modified;
    ino_t inode;
    size_t mapped;         /* bytes of the file that all of it lies in, not of the heap; 0: it does not */
    struct loaded *before; /* what it replaced: somebody may still look at its texts */
} * loaded;

/* ---- reading ---- */

struct parser {
    struct loaded *into;
    char *at;
    int depth;
    bool broken;
};

static int64_t place_of(const struct loaded *into, const char *text)
{
    return text ? text - into->text + 1 : 0;
}

static struct seen *add_value(struct loaded *into, const char *key)
{
    if (into->count == into->room) {
        into->room = into->room ? into->room * 2 : 1024;
        into->values = realloc(into->values, into->room * sizeof(*into->values));
        if (!into->values)
            abort();
    }
    into->values[into->count] = (struct seen){.key = place_of(into, key)};
    return &into->values[into->count++];
}

static void skip_space(struct parser *parser)
{
    while (*parser->at == ' ' || *parser->at == '\n' || *parser->at == '\t' || *parser->at == '\r')
        parser->at++;
}

static bool take(struct parser *parser, char wanted)
{
    skip_space(parser);
    if (*parser->at != wanted)
        return false;
    parser->at++;
    return true;
}

static unsigned hex_of(struct parser *parser)
{
    unsigned value = 0;
    for (int i = 0; i < 4; i++, parser->at++) {
        const char *digit = strchr("0123456789abcdef", *parser->at | 0x20);
        if (!*parser->at || !digit)
            parser->broken = true;
        else
            value = value << 4 | (unsigned)(digit - "0123456789abcdef");
        if (parser->broken)
            break;
    }
    return value;
}

static char *put_utf8(char *to, unsigned code)
{
    if (code < 0x80) {
        *to++ = (char)code;
    } else if (code < 0x800) {
        *to++ = (char)(0xc0 | code >> 6);
        *to++ = (char)(0x80 | (code & 0x3f));
    } else {
        *to++ = (char)(0xe0 | code >> 12);
        *to++ = (char)(0x80 | (code >> 6 & 0x3f));
        *to++ = (char)(0x80 | (code & 0x3f));
    }
    return to;
}

/* Unescapes in place: an escape is never shorter than what it stands for. Nothing here is written as two escapes. */
static const char *read_text(struct parser *parser)
{
    static const char short_escapes[] = "bfnrt", meant[] = "\b\f\n\r\t";
    if (!take(parser, '"')) {
        parser->broken = true;
        return "";
    }
    char *start = parser->at, *to = start;
    for (;;) {
        size_t plain = strcspn(parser->at, "\"\\");
        if (to != parser->at)
            memmove(to, parser->at, plain);
        to += plain;
        parser->at += plain;
        if (*parser->at != '\\')
            break;
        const char escape = parser->at[1], *found = escape ? strchr(short_escapes, escape) : NULL;
        parser->at += escape ? 2 : 1;
        if (escape == 'u')
            to = put_utf8(to, hex_of(parser));
        else
            *to++ = found ? meant[found - short_escapes] : escape;
    }
    parser->broken = parser->broken || *parser->at != '"';
    parser->at += !parser->broken;
    *to = '\0';
    return start;
}

static void read_value(struct parser *parser, const char *key);

static void read_parts(struct parser *parser, size_t whole, char end)
{
    if (++parser->depth > DEPTH_LIMIT)
        parser->broken = true;
    for (size_t part = 0; !parser->broken && !take(parser, end);) {
        if (part && !take(parser, ',')) {
            parser->broken = true;
            break;
        }
        const char *key = end == '}' ? read_text(parser) : NULL;
        if (key && !take(parser, ':'))
            parser->broken = true;
        if (part)
            parser->into->values[part].last = false;
        part = parser->into->count;
        if (!parser->broken)
            read_value(parser, key);
        if (!parser->broken)
            parser->into->values[part].last = true;
    }
    parser->depth--;
    parser->into->values[whole].span = (parser->into->count - whole) & 0xfffffff;
}

static bool take_word(struct parser *parser, const char *word)
{
    size_t length = strlen(word);
    if (strncmp(parser->at, word, length) != 0)
        return false;
    parser->at += length;
    return true;
}

static void read_value(struct parser *parser, const char *key)
{
    const size_t index = parser->into->count;
    struct seen *value = add_value(parser->into, key);
    value->span = 1;
    skip_space(parser);
    if (*parser->at == '"') {
        value->shape = SHAPE_TEXT;
        value->text = place_of(parser->into, read_text(parser));
    } else if (take(parser, '{')) {
        value->shape = SHAPE_OBJECT;
        read_parts(parser, index, '}');
    } else if (take(parser, '[')) {
        value->shape = SHAPE_ARRAY;
        read_parts(parser, index, ']');
    } else if (take_word(parser, "true") || take_word(parser, "false")) {
        value->shape = SHAPE_FLAG;
        value->number = parser->at[-2] == 'u';
    } else if (!take_word(parser, "null")) {
        char *end;
        value->shape = SHAPE_NUMBER;
        value->number = strtoll(parser->at, &end, 10);
        parser->broken = parser->broken || end == parser->at;
        parser->at = end;
    }
}

static void loaded_free(struct loaded *old)
{
    if (old->mapped)
        munmap((char *)old->values - sizeof(struct file_head), old->mapped);
    if (!old->mapped) {
        free(old->text);
        free(old->values);
    }
    free(old->by_init);
    free(old);
}

/* Replaced by rename, never written to: what was looked at is what is read. */
static int read_whole(const char *path, size_t size, char **text, struct error *error)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    _cleanup_free_ char *bytes = malloc(size + 1);
    size_t length = 0;
    ssize_t got = fd < 0 || !bytes ? -1 : 1;
    while (got > 0 && length <= size) {
        got = read(fd, bytes + length, size + 1 - length);
        length += got > 0 ? (size_t)got : 0;
    }
    if (got < 0 || length > size)
        return error_errno(error, got < 0 ? -errno : -EAGAIN, "cannot read %s", path);
    bytes[length] = '\0';
    *text = TAKE_PTR(bytes);
    return 0;
}

/* From where the texts lie in the text to where they lie from the value. `apart`: bytes from the first value to it. */
static void relate(struct loaded *fresh, ptrdiff_t apart)
{
    for (size_t i = 0; i < fresh->count; i++) {
        struct seen *value = &fresh->values[i];
        const int64_t from = apart - (int64_t)(i * sizeof(*value)) - 1;
        if (value->key)
            value->key += from;
        if (value->shape == SHAPE_TEXT)
            value->text += from;
    }
}

static int parse(const char *path, struct loaded *fresh, struct error *error)
{
    struct parser parser = {.into = fresh, .at = fresh->text};
    read_value(&parser, NULL);
    skip_space(&parser);
    return parser.broken || *parser.at
               ? error_set(error, -EINVAL, "%s: no JSON at byte %td", path, parser.at - fresh->text)
               : 0;
}

/* What seen_write() wrote: nothing of it is read before it is looked at. */
static int map_file(const char *path, size_t size, struct loaded *fresh, struct error *error)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC);
    struct file_head *head =
        fd < 0 ? MAP_FAILED : mmap(NULL, size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (head == MAP_FAILED)
        return error_errno(error, -errno, "cannot map %s", path);
    fresh->mapped = size;
    fresh->values = (struct seen *)(head + 1);
    fresh->count = head->count;
    fresh->text = (char *)(fresh->values + head->count);
    return memcmp(head->magic, magic, sizeof(magic)) == 0 &&
                   size == sizeof(*head) + head->count * sizeof(struct seen) + head->text_size
               ? 0
               : error_set(error, -EINVAL, "%s: not what a fake wrote", path);
}

static int load(const char *path, const struct stat *info, bool is_mapped, struct error *error)
{
    struct loaded *fresh = calloc(1, sizeof(*fresh));
    if (!fresh)
        abort();
    fresh->before = loaded;
    if (info) {
        fresh->modified = info->st_mtim;
        fresh->inode = info->st_ino;
    }
    int result = is_mapped ? map_file(path, (size_t)info->st_size, fresh, error)
                 : info    ? read_whole(path, (size_t)info->st_size, &fresh->text, error)
                           : 0;
    if (!info && !(fresh->text = strdup("{}")))
        abort();
    if (result == 0 && !is_mapped)
        result = parse(path, fresh, error);
    if (result == 0 && !is_mapped)
        relate(fresh, (char *)fresh->text - (char *)fresh->values);
    if (result < 0) {
        loaded_free(fresh);
        return result;
    }
    loaded = fresh;
    return 0;
}

/* `info` is zeroed when it is not there. */
static int look_for(const char *path, struct stat *info, struct error *error)
{
    *info = (struct stat){0};
    return stat(path, info) == 0 || errno == ENOENT ? 0 : error_errno(error, -errno, "cannot read %s", path);
}

int seen_write(const char *path, char *text, size_t size, struct error *error)
{
    struct loaded fresh = {.text = text};
    int result = parse(path, &fresh, error);
    const struct file_head head = {.count = fresh.count, .text_size = size + 1};
    _cleanup_buffer_ struct buffer file = {0};
    if (result == 0) {
        relate(&fresh, (ptrdiff_t)(fresh.count * sizeof(struct seen)));
        buffer_add(&file, &head, sizeof(head));
        memcpy(file.bytes, magic, sizeof(magic));
        buffer_add(&file, fresh.values, fresh.count * sizeof(struct seen));
        buffer_add(&file, text, size + 1);
    }
    free(fresh.values);
    if (result < 0)
        return result;
    _cleanup_close_ int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    return fd < 0 || write(fd, file.bytes, file.length) != (ssize_t)file.length
               ? error_errno(error, -errno, "cannot write %s", path)
               : 0;
}

static int load_once(const char *path, const struct stat *info, bool is_mapped, const struct seen **world,
                     struct error *error)
{
    bool same = loaded && loaded->inode == info->st_ino &&
                memcmp(&loaded->modified, &info->st_mtim, sizeof(info->st_mtim)) == 0;
    int result = same ? 0 : load(path, info->st_ino ? info : NULL, is_mapped, error);
    if (result == 0)
        *world = loaded->values;
    return result;
}

int seen_whole(const char *root, const struct seen **world, struct error *error)
{
    char path[PATH_MAX];
    struct stat info;
    snprintf(path, sizeof(path), "%s/fake/world.json", root);
    int result = look_for(path, &info, error);
    return result < 0 ? result : load_once(path, &info, false, world, error);
}

static bool is_older(const struct timespec *left, const struct timespec *right)
{
    return left->tv_sec != right->tv_sec ? left->tv_sec < right->tv_sec : left->tv_nsec < right->tv_nsec;
}

int seen_world(const char *root, const struct seen **world, struct error *error)
{
    char path[PATH_MAX], brief_path[PATH_MAX];
    struct stat whole, brief;
    snprintf(path, sizeof(path), "%s/fake/world.json", root);
    snprintf(brief_path, sizeof(brief_path), "%s/fake/world.seen", root);
    int result = look_for(path, &whole, error);
    if (result == 0)
        result = look_for(brief_path, &brief, error);
    if (result < 0)
        return result;
    if (brief.st_ino && !is_older(&brief.st_mtim, &whole.st_mtim))
        return load_once(brief_path, &brief, true, world, error);
    return load_once(path, &whole, false, world, error);
}

/* ---- looking ---- */

const struct seen *seen_first(const struct seen *of)
{
    return of && of->shape >= SHAPE_ARRAY && of->span > 1 ? of + 1 : NULL;
}

const struct seen *seen_next(const struct seen *item)
{
    return item->last ? NULL : item + item->span;
}

const char *seen_key(const struct seen *item)
{
    return item->key ? (const char *)item + item->key : NULL;
}

const struct seen *seen_in(const struct seen *object, const char *key)
{
    for (const struct seen *i = seen_first(object); i && i->key; i = seen_next(i))
        if (strcmp((const char *)i + i->key, key) == 0)
            return i;
    return NULL;
}

const char *seen_as_text(const struct seen *item)
{
    return item && item->shape == SHAPE_TEXT ? (const char *)item + item->text : NULL;
}

const char *seen_text(const struct seen *object, const char *key)
{
    return seen_as_text(seen_in(object, key));
}

int64_t seen_number(const struct seen *object, const char *key)
{
    const struct seen *value = seen_in(object, key);
    return value && value->shape == SHAPE_NUMBER ? value->number : 0;
}

bool seen_flag(const struct seen *object, const char *key)
{
    const struct seen *value = seen_in(object, key);
    return value && value->shape == SHAPE_FLAG && value->number;
}

static int compare_init(const void *left, const void *right)
{
    const struct running *a = left, *b = right;
    return (a->init > b->init) - (a->init < b->init);
}

static void sort_by_init(struct loaded *of)
{
    const struct seen *containers = seen_in(of->values, "containers");
    size_t count = 0;
    for (const struct seen *i = seen_first(containers); i; i = seen_next(i))
        count++;
    of->by_init = calloc(count + 1, sizeof(*of->by_init));
    if (!of->by_init)
        abort();
    for (const struct seen *i = seen_first(containers); i; i = seen_next(i))
        if (seen_flag(i, "running"))
            of->by_init[of->running++] = (struct running){.init = seen_number(i, "init_pid"), .container = i};
    if (of->running)
        qsort(of->by_init, of->running, sizeof(*of->by_init), compare_init);
}

const struct seen *seen_by_init(int64_t init_pid)
{
    if (!loaded)
        return NULL;
    if (!loaded->by_init)
        sort_by_init(loaded);
    const struct running key = {.init = init_pid};
    const struct running *found = bsearch(&key, loaded->by_init, loaded->running, sizeof(key), compare_init);
    return found ? found->container : NULL;
}

/* ---- described structs ---- */

static void fill(const struct field *row, const struct seen *value, void *at, struct arena *arena)
{
    switch (row->type) {
    case FIELD_TEXT:
        *(const char **)at = seen_as_text(value);
        break;
    case FIELD_BOOL:
        *(bool *)at = value->shape == SHAPE_FLAG && value->number;
        break;
    case FIELD_NUMBER:
        *(int64_t *)at = value->shape == SHAPE_NUMBER ? value->number : 0;
        break;
    case FIELD_TEXTS: {
        struct texts *texts = at;
        for (const struct seen *i = seen_first(value); i; i = seen_next(i))
            *arena_append(arena, texts->items, texts->count) = seen_as_text(i);
        break;
    }
    case FIELD_PAIRS: {
        struct pairs *pairs = at;
        for (const struct seen *i = seen_first(value); i; i = seen_next(i))
            *(struct pair *)arena_append(arena, pairs->items, pairs->count) =
                (struct pair){.key = seen_key(i), .value = seen_as_text(i)};
        break;
    }
    case FIELD_LIST: {
        struct list *list = at;
        for (const struct seen *i = seen_first(value); i; i = seen_next(i))
            *arena_append(arena, list->items, list->count) = object_seen(row->nested, i, arena);
        break;
    }
    case FIELD_STRUCT:
        *(void **)at = object_seen(row->nested, value, arena);
        break;
    case FIELD_BYTES:
        break; /* no driver's request or result has any */
    }
}

void *object_seen(const struct table *table, const struct seen *seen, struct arena *arena)
{
    if (!seen || seen->shape != SHAPE_OBJECT)
        return NULL;
    void *object = described_new(arena, table);
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        const struct seen *value = seen_in(seen, row->key);
        if (value)
            fill(row, value, field_at(object, row), arena);
    }
    task_mark(table, object);
    return object;
}
