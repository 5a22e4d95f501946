/* What writing and reading a backup have in common: tar as another process, and bytes. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "lib/digest.h"

struct call;
struct error;

#define ARCHIVE_NOTE ".backup"
/* The number of the layout: one archive, or (2) several behind each other. */
#define ARCHIVE_NOTE_TEXT   "fpsync backup 2\n"
#define ARCHIVE_NOTE_TEXT_1 "fpsync backup 1\n"
#define ARCHIVE_LABEL       "fpsync-backup-sha256 "
#define ARCHIVE_TRAILER     (sizeof(ARCHIVE_LABEL) - 1 + DIGEST_TEXT_SIZE) /* with a newline for the NUL */
#define ARCHIVE_CHUNK       ((size_t)256 * 1024)

struct archive_tar {
    pid_t pid;
    int stream; /* what it writes, or (`reads`) reads */
};
/* `arguments` without the program. Its own words go where ours go. */
int archive_tar_start(const char *const *arguments, bool reads, struct archive_tar *tar, struct error *error);
int archive_tar_end(struct archive_tar *tar, bool early, struct error *error);

ssize_t archive_get(int fd, char *bytes, size_t size); /* some; 0 at the end, -errno */
void archive_tell(const struct call *call, const char *what, int64_t before, int64_t now);
/* The line behind all archives. */
void archive_trailer(const char *digest, char trailer[static ARCHIVE_TRAILER + 1]);
