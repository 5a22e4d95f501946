#include "lib/buffer.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include "lib/error.h"

#define READ_SIZE     (16 * 1024)
#define LIKELY_LENGTH 80 /* of what is printed at a time: then it is printed once, and not measured first */

static void reserve(struct buffer *buffer, size_t more)
{
    if (buffer->room - buffer->length > more)
        return;
    size_t room = buffer->room ? buffer->room : 256;
    while (room - buffer->length <= more)
        room *= 2;
    char *grown = realloc(buffer->bytes, room);
    if (!grown) {
        fputs("fpsync: out of memory\n", stderr);
        abort();
    }
    buffer->bytes = grown;
    buffer->room = room;
}

void buffer_clear(struct buffer *buffer)
{
    free(buffer->bytes);
    *buffer = (struct buffer){0};
}

void buffer_add(struct buffer *buffer, const void *bytes, size_t size)
{
    reserve(buffer, size);
    if (size)
        memcpy(buffer->bytes + buffer->length, bytes, size);
    buffer->length += size;
    buffer->bytes[buffer->length] = '\0';
}

void buffer_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
    va_list arguments, again;
    va_start(arguments, format);
    va_copy(again, arguments);
    reserve(buffer, LIKELY_LENGTH);
    const size_t room = buffer->room - buffer->length;
    int length = vsnprintf(buffer->bytes + buffer->length, room, format, arguments);
    va_end(arguments);
    if ((size_t)length >= room) {
        reserve(buffer, (size_t)length + 1);
        vsnprintf(buffer->bytes + buffer->length, (size_t)length + 1, format, again);
    }
    va_end(again);
    buffer->length += (size_t)length;
}

int bytes_write(int fd, const void *bytes, size_t size)
{
    for (size_t done = 0; done < size;) {
        ssize_t written = write(fd, (const char *)bytes + done, size - done);
        if (written < 0 && errno != EINTR)
            return -errno;
        done += written > 0 ? (size_t)written : 0;
    }
    return 0;
}

static int read_file(struct buffer *buffer, int directory, const char *path, size_t limit, bool in_one_piece,
                     struct error *error)
{
    _cleanup_close_ int fd = openat(directory, path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0)
        return error_errno(error, -errno, "cannot open %s", path);
    size_t start = buffer->length;
    for (;;) {
        reserve(buffer, READ_SIZE);
        ssize_t got = read(fd, buffer->bytes + buffer->length, READ_SIZE);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_errno(error, -errno, "cannot read %s", path);
        buffer->length += (size_t)got;
        if (buffer->length - start > limit)
            return error_set(error, -EFBIG, "%s is larger than %zu bytes", path, limit);
        if (got == 0 || (in_one_piece && got < READ_SIZE))
            break;
    }
    buffer->bytes[buffer->length] = '\0';
    return 0;
}

int buffer_read_file(struct buffer *buffer, int directory, const char *path, size_t limit,
                     struct error *error)
{
    return read_file(buffer, directory, path, limit, false, error);
}

int buffer_read_piece(struct buffer *buffer, int directory, const char *path, size_t limit,
                      struct error *error)
{
    return read_file(buffer, directory, path, limit, true, error);
}
