/* A growing byte buffer for text and for encoded records. `bytes` is always NUL-terminated past `length`. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "lib/cleanup.h"

struct buffer {
    char *bytes; /* never NULL once something was added */
    size_t length, room;
};

void buffer_clear(struct buffer *buffer); /* releases; the struct may be used again */
static inline void cleanup_buffer(struct buffer *buffer)
{
    buffer_clear(buffer);
}
#define _cleanup_buffer_ _cleanup_(cleanup_buffer)

void buffer_add(struct buffer *buffer, const void *bytes, size_t size);
void buffer_text(struct buffer *buffer, const char *text);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* All of them, also where the kernel takes a part at a time or a signal comes between. 0 or -errno. */
int bytes_write(int fd, const void *bytes, size_t size);

/* Whole file up to `limit` bytes. -EFBIG when it is larger. `directory` as for openat(). */
struct error;
int buffer_read_file(struct buffer *buffer, int directory, const char *path, size_t limit,
                     struct error *error);
/* The same for what comes in one piece, so that a short read is the end: regular files, and those of /proc that show
 * one thing (/proc/PID/cgroup). Spares the read that only says so. */
int buffer_read_piece(struct buffer *buffer, int directory, const char *path, size_t limit,
                      struct error *error);
