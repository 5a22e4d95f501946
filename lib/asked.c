#include "lib/asked.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/buffer.h"

#define FILE_LIMIT ((size_t)4 << 20) /* bytes; more than anybody reads */
#define LINK_SIZE  1024

/* The letters are what a list of questions is made of: LETTER TEXT NUL, ... */
enum question {
    ASKED_STAT = 's',
    ASKED_LSTAT = 'l',
    ASKED_THERE = 't',
    ASKED_LINK = 'k',
    ASKED_VARIABLE = 'v',
    ASKED_HERE = 'h',
    ASKED_FOLDER = 'd',
    ASKED_FILE = 'f',  /* with owner and mode */
    ASKED_BYTES = 'b', /* of whoever and however */
};

struct asking {
    struct buffer questions;
    struct digest *digest;
    bool incomplete;
};

static struct asking *current; /* NULL: nothing is put down */

/* ---- answers ---- */

static void put_number(struct asking *asking, int64_t number)
{
    digest_add(asking->digest, &number, sizeof(number));
}

/* With its length, so that no byte can pass for one of another answer. */
static void put_bytes(struct asking *asking, const void *bytes, size_t size)
{
    put_number(asking, (int64_t)size);
    digest_add(asking->digest, bytes, size);
}

static void put_question(struct asking *asking, enum question question, const char *text)
{
    const char letter = (char)question;
    buffer_add(&asking->questions, &letter, 1);
    buffer_add(&asking->questions, text, strlen(text) + 1);
    digest_add(asking->digest, &letter, 1);
    digest_add(asking->digest, text, strlen(text) + 1);
}

static void put_info(struct asking *asking, int result, const struct stat *info)
{
    put_number(asking, result);
    if (result == 0) {
        put_number(asking, info->st_mode);
        put_number(asking, info->st_uid);
    }
}

static int ask_info(struct asking *asking, enum question question, const char *path, struct stat *info)
{
    const int result = (question == ASKED_STAT ? stat : lstat)(path, info) < 0 ? -errno : 0;
    if (asking) {
        put_question(asking, question, path);
        put_info(asking, result, info);
    }
    errno = -result;
    return result < 0 ? -1 : 0;
}

static int ask_there(struct asking *asking, const char *path)
{
    const int result = access(path, F_OK) < 0 ? -errno : 0;
    if (asking) {
        put_question(asking, ASKED_THERE, path);
        put_number(asking, result);
    }
    errno = -result;
    return result < 0 ? -1 : 0;
}

static ssize_t ask_link(struct asking *asking, const char *path, char *target, size_t size)
{
    const ssize_t length = readlink(path, target, size);
    const int result = length < 0 ? -errno : 0;
    if (asking) {
        put_question(asking, ASKED_LINK, path);
        put_number(asking, result);
        put_bytes(asking, target, length > 0 ? (size_t)length : 0);
    }
    errno = -result;
    return length;
}

static const char *ask_variable(struct asking *asking, const char *name)
{
    const char *value = getenv(name);
    if (asking) {
        put_question(asking, ASKED_VARIABLE, name);
        put_number(asking, value != NULL);
        put_bytes(asking, value, value ? strlen(value) : 0);
    }
    return value;
}

static const char *ask_here(struct asking *asking, struct arena *arena)
{
    _cleanup_free_ char *folder = getcwd(NULL, 0);
    if (!folder)
        return NULL;
    if (asking) {
        put_question(asking, ASKED_HERE, "");
        put_bytes(asking, folder, strlen(folder));
    }
    return arena_strdup(arena, folder);
}

static int is_shown(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static int compare_names(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name); /* bytes: the locale has no say */
}

static int ask_names(struct asking *asking, const char *path, struct arena *arena, struct texts *names)
{
    struct dirent **entries = NULL;
    const int count = scandir(path, &entries, is_shown, compare_names), result = count < 0 ? -errno : 0;
    if (asking) {
        put_question(asking, ASKED_FOLDER, path);
        put_number(asking, count < 0 ? result : count);
    }
    for (int i = 0; i < count; i++) {
        *arena_append(arena, names->items, names->count) = arena_strdup(arena, entries[i]->d_name);
        if (asking)
            put_bytes(asking, entries[i]->d_name, strlen(entries[i]->d_name));
        free(entries[i]);
    }
    free(entries);
    return result;
}

static void put_file(struct asking *asking, enum question question, const char *path, int result,
                     const struct stat *info, const void *bytes, size_t size)
{
    put_question(asking, question, path);
    put_number(asking, result);
    if (result == 0 && question == ASKED_FILE)
        put_info(asking, 0, info);
    if (result == 0)
        put_bytes(asking, bytes, size);
}

static int read_whole(int fd, struct buffer *text)
{
    char piece[16384];
    for (;;) {
        const ssize_t got = read(fd, piece, sizeof(piece));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            return 0;
        buffer_add(text, piece, (size_t)got);
        if (text->length > FILE_LIMIT)
            return -EFBIG;
    }
}

/* What is no regular file any more is not waited for. */
static void ask_file(struct asking *asking, enum question question, const char *path)
{
    const int nofollow = question == ASKED_FILE ? O_NOFOLLOW : 0;
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | nofollow);
    _cleanup_buffer_ struct buffer text = {0};
    struct stat info = {0};
    int result = fd < 0 || fstat(fd, &info) < 0 ? -errno : S_ISREG(info.st_mode) ? 0 : -EINVAL;
    if (result == 0)
        result = read_whole(fd, &text);
    put_file(asking, question, path, result, &info, text.bytes, text.length);
}

/* ---- putting down ---- */

void asked_begin(void)
{
    static struct asking run;
    buffer_clear(&run.questions);
    digest_free(run.digest);
    run = (struct asking){.digest = digest_new()};
    current = &run;
}

void asked_never_again(void)
{
    if (current)
        current->incomplete = true;
}

bool asked_end(struct arena *arena, struct bytes *questions, char digest[static DIGEST_TEXT_SIZE])
{
    struct asking *asking = TAKE_PTR(current);
    *questions = (struct bytes){.data = arena_copy(arena, asking->questions.bytes, asking->questions.length),
                                .size = asking->questions.length};
    digest_finish(asking->digest, digest);
    digest_free(TAKE_PTR(asking->digest));
    buffer_clear(&asking->questions);
    return !asking->incomplete;
}

static bool ask_once_more(struct asking *asking, enum question question, const char *text,
                          struct arena *arena)
{
    struct stat info = {0};
    struct texts names = {0};
    char target[LINK_SIZE];
    switch (question) {
    case ASKED_STAT:
    case ASKED_LSTAT:
        ask_info(asking, question, text, &info);
        return true;
    case ASKED_THERE:
        ask_there(asking, text);
        return true;
    case ASKED_LINK:
        ask_link(asking, text, target, sizeof(target));
        return true;
    case ASKED_VARIABLE:
        ask_variable(asking, text);
        return true;
    case ASKED_HERE:
        ask_here(asking, arena);
        return true;
    case ASKED_FOLDER:
        ask_names(asking, text, arena, &names);
        return true;
    case ASKED_FILE:
    case ASKED_BYTES:
        ask_file(asking, question, text);
        return true;
    }
    return false;
}

bool asked_again(struct bytes questions, char digest[static DIGEST_TEXT_SIZE])
{
    _cleanup_arena_ struct arena *arena = arena_new();
    _cleanup_digest_ struct digest *answers = digest_new();
    struct asking asking = {.digest = answers};
    const char *at = questions.data, *end = at + questions.size;
    bool good = questions.size && end[-1] == '\0';
    while (good && at < end) {
        const enum question question = (unsigned char)*at;
        good = ++at < end && ask_once_more(&asking, question, at, arena);
        at += good ? strlen(at) + 1 : 0;
    }
    buffer_clear(&asking.questions);
    digest_finish(answers, digest);
    return good;
}

int ask_stat(const char *path, struct stat *info)
{
    return ask_info(current, ASKED_STAT, path, info);
}

int ask_lstat(const char *path, struct stat *info)
{
    return ask_info(current, ASKED_LSTAT, path, info);
}

int ask_access(const char *path)
{
    return ask_there(current, path);
}

ssize_t ask_readlink(const char *path, char *target, size_t size)
{
    return ask_link(current, path, target, size < LINK_SIZE ? size : LINK_SIZE);
}

const char *ask_getenv(const char *name)
{
    return ask_variable(current, name);
}

const char *ask_getcwd(struct arena *arena)
{
    return ask_here(current, arena);
}

int ask_folder(const char *path, struct arena *arena, struct texts *names)
{
    return ask_names(current, path, arena, names);
}

void asked_file(const char *path, const struct stat *info, const void *bytes, size_t size)
{
    if (current)
        put_file(current, info ? ASKED_FILE : ASKED_BYTES, path, bytes ? 0 : -ENOENT, info, bytes, size);
}
