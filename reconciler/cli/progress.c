/* What a run tells of itself on stderr while it is under way, as --progress asks. */
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/cli.h"

#define WIDTH      80  /* columns of a terminal that does not say */
#define LINE_SIZE  256 /* bytes that are kept of what an action said last */
#define CLEAR_LINE "\r\033[K"

enum way { WAY_SILENT, WAY_PLAIN, WAY_TTY, WAY_JSON };

struct running {
    const struct action *action; /* NULL: free */
    char line[LINE_SIZE];        /* what it said last */
};

struct progress {
    enum way way;
    bool lines;             /* what actions say in the middle is told, too */
    struct running *places; /* one for each action that can run beside others */
    size_t place_count;
    size_t ended, count; /* actions */
};

static enum way way_of(const struct options *options)
{
    static const struct {
        const char *name;
        enum way way;
    } ways[] = {{"plain", WAY_PLAIN}, {"tty", WAY_TTY}, {"json", WAY_JSON}};
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        if (strcmp(options->progress, ways[i].name) == 0)
            return ways[i].way;
    if (options->output == OUTPUT_DATA)
        return WAY_SILENT;
    const char *terminal = getenv("TERM");
    bool dumb = !terminal || strcmp(terminal, "dumb") == 0;
    return isatty(STDERR_FILENO) && !dumb && !options->quiet ? WAY_TTY : WAY_PLAIN;
}

struct progress *progress_new(const struct options *options, size_t count, struct arena *arena)
{
    struct progress *progress = arena_new_of(arena, struct progress);
    *progress = (struct progress){.way = way_of(options),
                                  .lines = !options->quiet,
                                  .places = arena_array_of(arena, struct running, options->parallel),
                                  .place_count = options->parallel,
                                  .count = count};
    return progress;
}

/* ---- a terminal ---- */

static size_t columns(void)
{
    struct winsize size;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col ? size.ws_col : WIDTH;
}

/* The last line, which never wraps: what runs, each with what it said last. */
static void draw(const struct progress *progress)
{
    _cleanup_buffer_ struct buffer text = {0};
    buffer_printf(&text, "[%zu/%zu]", progress->ended, progress->count);
    for (size_t i = 0; i < progress->place_count; i++) {
        const struct running *place = &progress->places[i];
        if (place->action)
            buffer_printf(&text, " %s %s%s%s;", verb_name(place->action->verb), place->action->name,
                          *place->line ? ": " : "", place->line);
    }
    size_t length = text.length, room = columns() - 1;
    if (length > room)
        for (length = room; length && (text.bytes[length] & 0xC0) == 0x80; length--)
            ; /* not in the middle of a letter */
    fprintf(stderr, CLEAR_LINE "%.*s", (int)length, text.bytes);
    fflush(stderr);
}

static void clear(const struct progress *progress)
{
    if (progress->way == WAY_TTY)
        fputs(CLEAR_LINE, stderr);
}

/* The place of an action; of none: a free one. NULL when there is no such. */
static struct running *place_of(struct progress *progress, const struct action *action)
{
    for (size_t i = 0; i < progress->place_count; i++)
        if (progress->places[i].action == action)
            return &progress->places[i];
    return NULL;
}

/* ---- a program ---- */

static struct json *event_new(const struct progress *progress, const char *event, const struct action *action)
{
    struct json *object = json_new_object();
    json_set(object, "schema", json_new_number(1));
    json_set(object, "event", json_new_text(event));
    json_set(object, "verb", json_new_text(verb_name(action->verb)));
    json_set(object, "kind", json_new_text(kind_name(action->kind)));
    json_set(object, "name", json_new_text(action->name));
    json_set(object, "ended", json_new_number((int64_t)progress->ended));
    json_set(object, "count", json_new_number((int64_t)progress->count));
    return object;
}

static void event_print(struct json *object)
{
    _cleanup_buffer_ struct buffer text = {0};
    json_print(object, false, &text);
    fprintf(stderr, "%s\n", text.bytes);
    json_free(object);
}

/* ---- what happens ---- */

static void begun(void *context, const struct action *action)
{
    struct progress *progress = context;
    struct running *place = place_of(progress, NULL);
    if (place)
        *place = (struct running){.action = action};
    if (progress->way == WAY_TTY)
        draw(progress);
    else if (progress->way == WAY_JSON)
        event_print(event_new(progress, "begun", action));
}

static void said(void *context, const struct action *action, const char *line)
{
    struct progress *progress = context;
    struct running *place = place_of(progress, action);
    if (place)
        snprintf(place->line, sizeof(place->line), "%s", line);
    if (progress->way == WAY_TTY) {
        draw(progress);
    } else if (progress->way == WAY_JSON) {
        struct json *object = event_new(progress, "progress", action);
        json_set(object, "message", json_new_text(line));
        event_print(object);
    } else if (progress->way == WAY_PLAIN && progress->lines) {
        fprintf(stderr, "        %s %s: %s\n", kind_name(action->kind), action->name, line);
    }
}

static void ended(void *context, const struct action *action, enum outcome outcome, const char *message)
{
    struct progress *progress = context;
    struct running *place = place_of(progress, action);
    if (place)
        place->action = NULL;
    progress->ended++;
    if (progress->way == WAY_JSON) {
        struct json *object = event_new(progress, "ended", action);
        json_set(object, "outcome", json_new_text(outcome_name(outcome)));
        if (message)
            json_set(object, "message", json_new_text(message));
        event_print(object);
        return;
    }
    if (progress->way == WAY_SILENT)
        return;
    clear(progress);
    fprintf(stderr, "[%zu/%zu] %s %s %s: %s%s%s\n", progress->ended, progress->count, verb_name(action->verb),
            kind_name(action->kind), action->name, outcome_name(outcome), message ? ": " : "",
            message ? message : "");
    if (progress->way == WAY_TTY && progress->ended < progress->count)
        draw(progress);
}

void progress_watch(struct progress *progress, struct execution *execution)
{
    execution->begun = begun;
    execution->progress = said;
    execution->ended = ended;
    execution->context = progress;
}

void progress_end(const struct progress *progress)
{
    clear(progress);
}
