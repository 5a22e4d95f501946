#include "lib/folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/arena.h"

int folder_names(int folder, struct arena *arena, const char ***names, size_t *count)
{
    int copy = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = copy < 0 ? NULL : fdopendir(copy);
    if (!directory) {
        int code = -errno;
        if (copy >= 0)
            close(copy);
        return code;
    }
    errno = 0;
    for (struct dirent *item; (item = readdir(directory));)
        if (strcmp(item->d_name, ".") != 0 && strcmp(item->d_name, "..") != 0)
            *arena_append(arena, *names, *count) = arena_strdup(arena, item->d_name);
    int code = -errno;
    closedir(directory);
    return code;
}

static int compare_names(const void *left, const void *right)
{
    return strcmp(*(const char *const *)left, *(const char *const *)right);
}

void names_sort(const char **names, size_t *count)
{
    size_t kept = 0;
    if (*count)
        qsort(names, *count, sizeof(*names), compare_names);
    for (size_t i = 0; i < *count; i++)
        if (i == 0 || strcmp(names[i], names[kept - 1]) != 0)
            names[kept++] = names[i];
    *count = kept;
}
