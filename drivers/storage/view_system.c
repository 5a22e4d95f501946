#include "drivers/storage/view_system.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "drivers/storage/view_image.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define RELEASE_LIMIT ((size_t)64 * 1024)

static void take_release(const char *text, const char *key, char value[static 64])
{
    size_t length = strlen(key);
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        if (strncmp(line, key, length) != 0)
            continue;
        line += length;
        line += strspn(line, "\"'");
        snprintf(value, 64, "%.*s", (int)strcspn(line, "\"'\r\n"), line);
        return;
    }
}

static int machine_of(const struct image_trees *image)
{
    static const char *const programs[] = {"bin/sh", "sbin/init", "bin/busybox", "usr/bin/env"};
    for (size_t i = 0; i < sizeof(programs) / sizeof(programs[0]); i++) {
        Elf64_Ehdr head;
        _cleanup_close_ int fd = image_trees_file(image, programs[i]);
        if (fd >= 0 && read(fd, &head, sizeof(head)) == sizeof(head) &&
            memcmp(head.e_ident, ELFMAG, SELFMAG) == 0)
            return head.e_machine;
    }
    return -1;
}

void image_system_find(const struct image_trees *trees, struct arena *arena, struct image_system *system)
{
    *system = (struct image_system){.machine = machine_of(trees)};
    _cleanup_close_ int release = image_trees_file(trees, "etc/os-release");
    _cleanup_close_ int other = release < 0 ? image_trees_file(trees, "usr/lib/os-release") : -1;
    _cleanup_buffer_ struct buffer text = {0};
    if (release < 0 && other < 0)
        return;
    const char *own = arena_printf(arena, "/proc/self/fd/%d", release >= 0 ? release : other);
    if (buffer_read_file(&text, AT_FDCWD, own, RELEASE_LIMIT, NULL) == 0 && text.length) {
        take_release(text.bytes, "ID=", system->id);
        take_release(text.bytes, "VERSION_ID=", system->version);
    }
}

static void read_note(const char *text, struct image_system *system)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n'), line += line != NULL) {
        int machine;
        if (sscanf(line, "machine %d", &machine) == 1)
            system->machine = machine;
        else if (strncmp(line, "id ", 3) == 0)
            snprintf(system->id, sizeof(system->id), "%.*s", (int)strcspn(line + 3, "\n"), line + 3);
        else if (strncmp(line, "version ", 8) == 0)
            snprintf(system->version, sizeof(system->version), "%.*s", (int)strcspn(line + 8, "\n"),
                     line + 8);
    }
}

int image_system_look(const char *store, const char *digest, struct arena *arena, struct image_system *system,
                      struct error *error)
{
    char path[PATH_MAX];
    _cleanup_image_trees_ struct image_trees trees = NO_IMAGE_TREES;
    _cleanup_buffer_ struct buffer note = {0};
    *system = (struct image_system){.machine = -1};
    int result = image_trees_look(store, digest, &trees, error);
    if (result < 0)
        return result;
    snprintf(path, sizeof(path), "%s/images/%s/" IMAGE_SYSTEM, store, digest);
    if (buffer_read_file(&note, AT_FDCWD, path, IMAGE_NOTE_LIMIT, NULL) == 0)
        read_note(note.bytes, system);
    else
        image_system_find(&trees, arena, system);
    return 0;
}

void image_system_print(const struct image_system *system, struct buffer *text)
{
    buffer_printf(text, "id %s\nversion %s\nmachine %d\n", system->id, system->version, system->machine);
}
