#include "reconciler/contest.h"

#include <string.h>
#include <time.h>

#define WINDOW 600 /* seconds */

#define NUMBER(number, member)                                                                               \
    {                                                                                                        \
        .id = (number), .key = #member, .type = FIELD_NUMBER, .offset = offsetof(struct repaired, member)    \
    }
static const struct field repaired_rows[] = {
    {.id = 1, .key = "drift", .type = FIELD_TEXT, .offset = offsetof(struct repaired, drift)},
    NUMBER(2, last),
    NUMBER(3, second),
    NUMBER(4, third),
};
const struct table repaired_table = {
    .name = "facts.repairs", .size = sizeof(struct repaired), TABLE_ROWS(repaired_rows)};

int64_t contest_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_BOOTTIME, &now);
    return now.tv_sec + 1; /* 0 says "never" */
}

static bool is_drift(const struct change *cause)
{
    return strncmp(cause->field, "drift: ", strlen("drift: ")) == 0;
}

static bool is_recent(int64_t at, int64_t now)
{
    return at > 0 && at <= now && now - at < WINDOW;
}

bool contest_is_drift(const struct changes *causes)
{
    for (size_t i = 0; i < causes->count; i++)
        if (!is_drift(&causes->items[i]))
            return false;
    return causes->count > 0;
}

const char *contest_find(const struct list *repairs, const struct changes *causes, int64_t now)
{
    for (size_t i = 0; i < causes->count; i++) {
        const struct repaired *repaired = list_find(repairs, &repaired_table, causes->items[i].field);
        if (repaired && is_recent(repaired->third, now))
            return repaired->drift;
    }
    return NULL;
}

static void note(struct arena *arena, struct list *repairs, const char *drift, int64_t now)
{
    struct repaired *repaired = list_find(repairs, &repaired_table, drift);
    if (!repaired) {
        repaired = described_new(arena, &repaired_table);
        repaired->drift = drift;
        *arena_append(arena, repairs->items, repairs->count) = repaired;
    }
    repaired->third = repaired->second;
    repaired->second = repaired->last;
    repaired->last = now;
    described_whole(&repaired_table, repaired);
}

void contest_note(struct arena *arena, struct list *repairs, const struct changes *causes, int64_t now)
{
    size_t kept = 0;
    for (size_t i = 0; i < repairs->count; i++)
        if (is_recent(((struct repaired *)repairs->items[i])->last, now))
            repairs->items[kept++] = repairs->items[i];
    repairs->count = kept;
    for (size_t i = 0; i < causes->count; i++)
        if (is_drift(&causes->items[i]))
            note(arena, repairs, causes->items[i].field, now);
}
