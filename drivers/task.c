/* Frames between the main program and its workers; linked into both. */
#include "drivers/task.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/error.h"

static const struct field task_step_rows[] = {
    {.id = 1, .key = "key", .type = FIELD_TEXT, .offset = offsetof(struct task_step, key)},
    {.id = 2, .key = "kind", .type = FIELD_NUMBER, .offset = offsetof(struct task_step, kind)},
    {.id = 3, .key = "request", .type = FIELD_BYTES, .offset = offsetof(struct task_step, request)},
};
const struct table task_step_table = {
    .name = "task.step", .size = sizeof(struct task_step), TABLE_ROWS(task_step_rows)};

static const struct field task_rows[] = {
    {.id = 1, .key = "id", .type = FIELD_NUMBER, .offset = offsetof(struct task, id)},
    {.id = 2, .key = "deadline", .type = FIELD_NUMBER, .offset = offsetof(struct task, deadline)},
    {.id = 3,
     .key = "steps",
     .type = FIELD_LIST,
     .offset = offsetof(struct task, steps),
     .nested = &task_step_table},
};
const struct table task_table = {.name = "task", .size = sizeof(struct task), TABLE_ROWS(task_rows)};

static const struct field task_result_rows[] = {
    {.id = 1, .key = "key", .type = FIELD_TEXT, .offset = offsetof(struct task_result, key)},
    {.id = 2, .key = "result", .type = FIELD_BYTES, .offset = offsetof(struct task_result, result)},
};
const struct table task_result_table = {
    .name = "task.result", .size = sizeof(struct task_result), TABLE_ROWS(task_result_rows)};

static const struct field task_reply_rows[] = {
    {.id = 1, .key = "id", .type = FIELD_NUMBER, .offset = offsetof(struct task_reply, id)},
    {.id = 2, .key = "done", .type = FIELD_BOOL, .offset = offsetof(struct task_reply, done)},
    {.id = 3,
     .key = "failed_step",
     .type = FIELD_NUMBER,
     .offset = offsetof(struct task_reply, failed_step),
     .standard = "-1"},
    {.id = 4,
     .key = "code",
     .type = FIELD_NUMBER,
     .offset = offsetof(struct task_reply, code),
     .standard = "0"},
    {.id = 5, .key = "message", .type = FIELD_TEXT, .offset = offsetof(struct task_reply, message)},
    {.id = 6,
     .key = "results",
     .type = FIELD_LIST,
     .offset = offsetof(struct task_reply, results),
     .nested = &task_result_table},
    {.id = 7, .key = "progress", .type = FIELD_TEXT, .offset = offsetof(struct task_reply, progress)},
};
const struct table task_reply_table = {
    .name = "task.reply", .size = sizeof(struct task_reply), TABLE_ROWS(task_reply_rows)};

void task_add_step(struct arena *arena, struct task *task, int kind, const struct table *table,
                   const void *request)
{
    struct task_step *step = described_new(arena, &task_step_table);
    step->key = arena_printf(arena, "%zu", task->steps.count);
    step->kind = kind;
    if (table) {
        _cleanup_buffer_ struct buffer encoded = {0};
        fields_encode(table, request, &encoded);
        step->request =
            (struct bytes){.data = arena_copy(arena, encoded.bytes, encoded.length), .size = encoded.length};
    }
    task_mark(&task_step_table, step);
    *arena_append(arena, task->steps.items, task->steps.count) = step;
    field_mark(&task_table, task, offsetof(struct task, steps));
}

void task_mark(const struct table *table, void *object)
{
    for (const struct field *row = table->rows; row < table->rows + table->count; row++) {
        if (row->type == FIELD_STRUCT && !*(void **)field_at(object, row))
            continue;
        field_mark_present(table, object, row);
        if (row->type == FIELD_STRUCT)
            task_mark(row->nested, *(void **)field_at(object, row));
        if (row->type != FIELD_LIST)
            continue;
        const struct list *list = field_at(object, row);
        for (size_t i = 0; i < list->count; i++)
            task_mark(row->nested, list->items[i]);
    }
}

/* 0 when ready, -EINTR when a signal came first. */
static int wait_ready(int fd, short events)
{
    struct pollfd ready = {.fd = fd, .events = events};
    return poll(&ready, 1, -1) < 0 ? -errno : 0;
}

static ssize_t write_some(int fd, const char *bytes, size_t size)
{
    ssize_t sent = send(fd, bytes, size, MSG_NOSIGNAL);
    return sent < 0 && errno == ENOTSOCK ? write(fd, bytes, size) : sent;
}

static int write_all(int fd, const char *bytes, size_t size)
{
    while (size) {
        ssize_t sent = write_some(fd, bytes, size);
        if (sent < 0 && errno == EAGAIN) {
            int result = wait_ready(fd, POLLOUT);
            if (result < 0 && result != -EINTR)
                return result;
        } else if (sent < 0 && errno != EINTR) {
            return -errno;
        } else if (sent > 0) {
            bytes += sent;
            size -= (size_t)sent;
        }
    }
    return 0;
}

int task_send(int fd, const struct table *table, const void *object, struct error *error)
{
    _cleanup_buffer_ struct buffer frame = {0};
    buffer_add(&frame, "\0\0\0\0", 4);
    fields_encode(table, object, &frame);
    size_t length = frame.length - 4;
    if (length > TASK_FRAME_LIMIT)
        return error_set(error, -EMSGSIZE, "%s of %zu bytes is larger than a worker takes (%d)", table->name,
                         length, TASK_FRAME_LIMIT);
    for (size_t i = 0; i < 4; i++)
        frame.bytes[i] = (char)(length >> (8 * i));
    int result = write_all(fd, frame.bytes, frame.length);
    return result < 0 ? error_errno(error, result, "cannot send a %s", table->name) : 0;
}

/* Reads exactly `size` bytes: 1; 0 when the end came before the first. A signal interrupts before the first byte of
 * a frame only, so that a waiting worker can notice it and a begun frame is never lost. */
static int read_all(int fd, unsigned char *bytes, size_t size, bool begun)
{
    size_t got = 0;
    while (got < size) {
        ssize_t more = read(fd, bytes + got, size - got);
        int failed = more < 0 ? -errno : 0;
        if (failed == -EAGAIN)
            failed = wait_ready(fd, POLLIN);
        if (failed == -EINTR && !begun && !got)
            return -EINTR;
        if (failed && failed != -EINTR)
            return failed;
        if (more == 0)
            return got || begun ? -EBADMSG : 0;
        if (more > 0)
            got += (size_t)more;
    }
    return 1;
}

int task_receive(int fd, const struct table *table, struct arena *arena, void **object, struct error *error)
{
    unsigned char head[4];
    int result = read_all(fd, head, sizeof(head), false);
    if (result <= 0)
        return result < 0 ? error_errno(error, result, "cannot receive a %s", table->name) : 0;
    size_t length = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16 | (size_t)head[3] << 24;
    if (length > TASK_FRAME_LIMIT)
        return error_set(error, -EBADMSG, "%s of %zu bytes: not a frame of ours", table->name, length);
    _cleanup_free_ unsigned char *bytes = malloc(length ? length : 1);
    if (!bytes)
        return error_set(error, -ENOMEM, "no memory for a %s of %zu bytes", table->name, length);
    result = length ? read_all(fd, bytes, length, true) : 1;
    if (result < 0)
        return error_errno(error, result, "cannot receive a %s", table->name);
    result = fields_decode(table, bytes, length, arena, object, error);
    return result < 0 ? result : 1;
}
