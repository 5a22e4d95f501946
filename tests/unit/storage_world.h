/* A root of its own for the tests of what lies in the store, with what calls of the drivers take. Included once by each. */
#pragma once

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/storage/storage.h"
#include "drivers/storage/tree.h"
#include "lib/error.h"

#define DIGEST "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define OTHER  "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define BASE   0x70000000

static struct arena *arena;
static struct paths paths;
static struct call call;
static struct error error;
static char root[64];

#define assert_done(call_)                                                                                   \
    do {                                                                                                     \
        error = (struct error){0};                                                                           \
        if ((call_) < 0)                                                                                     \
            fail_msg("%s: %s", #call_, error.text);                                                          \
    } while (0)

static inline const char *at(const char *below)
{
    return arena_printf(arena, "%s/%s", root, below);
}

/* False: errno says why. */
static inline bool make_path(const char *path)
{
    char part[512];
    for (const char *slash = strchr(path + 1, '/');; slash = strchr(slash + 1, '/')) {
        snprintf(part, sizeof(part), "%.*s", slash ? (int)(slash - path) : (int)strlen(path), path);
        if (mkdir(part, 0755) < 0 && errno != EEXIST)
            return false;
        if (!slash)
            return true;
    }
}

static inline void make_file(const char *path, const char *content)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    assert_true(fd >= 0 && write(fd, content, strlen(content)) == (ssize_t)strlen(content));
    close(fd);
}

/* 0 or -1, as cmocka wants it. */
static inline int world_begin(void)
{
    arena = arena_new();
    call = (struct call){.arena = arena, .cancel = -1};
    snprintf(root, sizeof(root), "/tmp/fpst-XXXXXX");
    return !mkdtemp(root) || chmod(root, 0711) < 0 || paths_make(root, arena, &paths, &error) < 0 ? -1 : 0;
}

static inline int world_end(void)
{
    umount2(at("run/fpsync/mounts/web/root"), MNT_DETACH);
    int result = tree_remove(AT_FDCWD, root, &error);
    arena_free(arena);
    return result;
}
