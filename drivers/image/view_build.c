/* What builds have left in the store: steps, failed roots, caches. Reads only; linked into the main program. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/build.h"
#include "drivers/image/view_build.h"
#include "lib/error.h"

#define RUN_LIMIT ((size_t)8 * 1024 * 1024)

/* Empty where it cannot be read: then every note counts. */
static const char *boot(void)
{
    static char id[40];
    _cleanup_buffer_ struct buffer text = {0};
    if (!*id && buffer_read_file(&text, AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, NULL) == 0 &&
        text.length)
        snprintf(id, sizeof(id), "%.*s", (int)strcspn(text.bytes, "\n"), text.bytes);
    return id;
}

char *build_note_text(struct arena *arena, int64_t bytes, const char *on)
{
    return arena_printf(arena, "bytes %lld\non %s\nboot %s\n", (long long)bytes, on ? on : "-", boot());
}

static bool note_counts(const char *note)
{
    const char *line = strstr(note, "\nboot ");
    return strncmp(note, "bytes ", 6) == 0 &&
           (!line || !*boot() || strncmp(line + 6, boot(), strlen(boot())) == 0);
}

struct listing {
    struct arena *arena;
    struct observed_build *out;
};

/* Of those that begin so; NULL: of all that are whole. */
static int each_name(const struct paths *paths, const char *inside, const char *begin,
                     struct listing *listing,
                     void (*each)(struct listing *listing, int folder, const char *name), struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", paths->build, inside);
    DIR *directory = opendir(path);
    if (!directory)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "%s", path);
    for (struct dirent *item; (item = readdir(directory));)
        if (begin ? strncmp(item->d_name, begin, strlen(begin)) == 0 : item->d_name[0] != '.')
            each(listing, dirfd(directory), item->d_name);
    closedir(directory);
    return 0;
}

/* False: it is no step, but a leftover or somebody's. */
static bool read_note(int folder, const char *name, struct buffer *note, struct stat *status)
{
    char path[NAME_MAX + 8];
    if (build_check_key(name, NULL) < 0)
        return false;
    snprintf(path, sizeof(path), "%s/note", name);
    return buffer_read_file(note, folder, path, BUILD_NOTE_LIMIT, NULL) == 0 && note->length &&
           fstatat(folder, path, status, AT_SYMLINK_NOFOLLOW) == 0;
}

/* Whoever makes it has it locked. */
static void see_left(struct listing *listing, int folder, const char *name)
{
    _cleanup_close_ int step = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    listing->out->left_count += step >= 0 && flock(step, LOCK_SH | LOCK_NB) == 0;
}

static void see_step(struct listing *listing, int folder, const char *name)
{
    _cleanup_buffer_ struct buffer note = {0};
    struct stat status;
    long long bytes = 0;
    if (!read_note(folder, name, &note, &status) || !note_counts(note.bytes))
        return;
    sscanf(note.bytes, "bytes %lld", &bytes);
    struct observed_step *seen = arena_append(listing->arena, listing->out->steps, listing->out->step_count);
    *seen = (struct observed_step){
        .key = arena_strdup(listing->arena, name), .bytes = bytes, .used = status.st_mtime};
    const char *on = strstr(note.bytes, "\non ");
    if (on)
        seen->on = arena_strndup(listing->arena, on + 4, strcspn(on + 4, "\n"));
}

void build_failed_describe(const struct observed_failed *root, const struct build_place *place,
                           struct buffer *note)
{
    buffer_printf(note, "bytes %" PRId64 "\nexpires %" PRId64 "\nfailed %" PRId64 "\n", root->bytes,
                  root->expires, root->failed);
    if (root->of)
        buffer_printf(note, "of %s\n", root->of);
    if (place->image)
        buffer_printf(note, "image %s\n", place->image);
    for (size_t i = 0; i < place->below.count; i++)
        buffer_printf(note, "below %s\n", place->below.items[i]);
}

static const char *value_of(const char *line, const char *word)
{
    const size_t length = strlen(word);
    return strncmp(line, word, length) == 0 && line[length] == ' ' ? line + length + 1 : NULL;
}

static void read_failed_line(const char *line, struct arena *arena, struct observed_failed *root)
{
    struct texts *below = &root->place->below;
    const char *value;
    if ((value = value_of(line, "expires")))
        root->expires = strtoll(value, NULL, 10);
    else if ((value = value_of(line, "failed")))
        root->failed = strtoll(value, NULL, 10);
    else if ((value = value_of(line, "bytes")))
        root->bytes = strtoll(value, NULL, 10);
    else if ((value = value_of(line, "of")))
        root->of = arena_strdup(arena, value);
    else if ((value = value_of(line, "image")) && build_check_key(value, NULL) == 0)
        root->place->image = arena_strdup(arena, value);
    else if ((value = value_of(line, "below")) && build_check_key(value, NULL) == 0)
        *arena_append(arena, below->items, below->count) = arena_strdup(arena, value);
}

bool build_failed_note(int folder, const char *key, struct arena *arena, struct observed_failed *root)
{
    _cleanup_buffer_ struct buffer note = {0};
    struct build_place *place = described_new(arena, &build_place_table);
    if (buffer_read_file(&note, folder, "note", BUILD_NOTE_LIMIT, NULL) < 0 || !note.length)
        return false;
    *root = (struct observed_failed){.key = arena_strdup(arena, key), .place = place};
    place->key = root->key;
    char *save = NULL;
    for (char *line = strtok_r(note.bytes, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        read_failed_line(line, arena, root);
    described_whole(&build_place_table, place);
    return true;
}

static void see_failed(struct listing *listing, int folder, const char *name)
{
    struct observed_failed root;
    if (build_check_key(name, NULL) < 0)
        return;
    _cleanup_close_ int kept = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (kept >= 0 && build_failed_note(kept, name, listing->arena, &root))
        *arena_append(listing->arena, listing->out->failed, listing->out->failed_count) = root;
}

static void see_cache(struct listing *listing, int folder, const char *name)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR(status.st_mode))
        return;
    struct observed_cache *seen =
        arena_append(listing->arena, listing->out->caches, listing->out->cache_count);
    *seen = (struct observed_cache){.file = arena_strdup(listing->arena, name), .used = status.st_mtime};
}

static void see_context(struct listing *listing, int folder, const char *name)
{
    _cleanup_buffer_ struct buffer note = {0};
    struct stat status;
    if (!read_note(folder, name, &note, &status))
        return;
    struct observed_context *seen =
        arena_append(listing->arena, listing->out->contexts, listing->out->context_count);
    *seen = (struct observed_context){.digest = arena_strdup(listing->arena, name), .made = status.st_mtime};
}

static int compare_contexts(const void *left, const void *right)
{
    return strcmp(((const struct observed_context *)left)->digest,
                  ((const struct observed_context *)right)->digest);
}

static void see_log(struct listing *listing, int folder, const char *name)
{
    struct stat status;
    if (fstatat(folder, name, &status, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISREG(status.st_mode))
        return;
    struct observed_log *seen = arena_append(listing->arena, listing->out->logs, listing->out->log_count);
    *seen = (struct observed_log){
        .file = arena_strdup(listing->arena, name), .used = status.st_mtime, .bytes = status.st_size};
}

static int compare_logs(const void *left, const void *right)
{
    return strcmp(((const struct observed_log *)left)->file, ((const struct observed_log *)right)->file);
}

static void see_fetched(struct listing *listing, int folder, const char *name)
{
    (void)folder;
    (void)name;
    listing->out->fetched_count++;
}

static int compare_steps(const void *left, const void *right)
{
    return strcmp(((const struct observed_step *)left)->key, ((const struct observed_step *)right)->key);
}

static int compare_failed(const void *left, const void *right)
{
    return strcmp(((const struct observed_failed *)left)->key, ((const struct observed_failed *)right)->key);
}

static int compare_caches(const void *left, const void *right)
{
    return strcmp(((const struct observed_cache *)left)->file, ((const struct observed_cache *)right)->file);
}

static void sort(void *items, size_t count, size_t size, int (*compare)(const void *, const void *))
{
    if (count)
        qsort(items, count, size, compare);
}

static int dump(const struct paths *paths, struct arena *arena, struct observed_build *out,
                struct error *error)
{
    struct observed_build found = {0};
    struct listing listing = {.arena = arena, .out = &found};
    int result = each_name(paths, BUILD_FOLDER_STEPS, NULL, &listing, see_step, error);
    if (result == 0)
        result = each_name(paths, BUILD_FOLDER_STEPS, STEP_TEMPORARY, &listing, see_left, error);
    if (result == 0)
        result = each_name(paths, BUILD_FOLDER_FAILED, NULL, &listing, see_failed, error);
    if (result == 0)
        result = each_name(paths, BUILD_FOLDER_CACHES, NULL, &listing, see_cache, error);
    if (result == 0)
        result = each_name(paths, BUILD_FOLDER_CONTEXTS, NULL, &listing, see_context, error);
    if (result == 0)
        result = each_name(paths, BUILD_FOLDER_LOGS, NULL, &listing, see_log, error);
    if (result == 0)
        result = each_name(paths, BUILD_FOLDER_FETCHED, NULL, &listing, see_fetched, error);
    if (result < 0)
        return result;
    sort(found.steps, found.step_count, sizeof(*found.steps), compare_steps);
    sort(found.failed, found.failed_count, sizeof(*found.failed), compare_failed);
    sort(found.caches, found.cache_count, sizeof(*found.caches), compare_caches);
    sort(found.contexts, found.context_count, sizeof(*found.contexts), compare_contexts);
    sort(found.logs, found.log_count, sizeof(*found.logs), compare_logs);
    *out = found;
    return 0;
}

static bool has_step(const struct paths *paths, const char *key)
{
    char path[PATH_MAX];
    _cleanup_buffer_ struct buffer note = {0};
    snprintf(path, sizeof(path), "%s/" BUILD_FOLDER_STEPS "/%s/note", paths->build, key);
    return build_check_key(key, NULL) == 0 &&
           buffer_read_file(&note, AT_FDCWD, path, BUILD_NOTE_LIMIT, NULL) == 0 && note.length &&
           note_counts(note.bytes);
}

static const char *context(const struct paths *paths, struct arena *arena, const char *digest)
{
    if (build_check_key(digest, NULL) < 0)
        return NULL;
    const char *folder = arena_printf(arena, "%s/" BUILD_FOLDER_CONTEXTS "/%s", paths->build, digest);
    return access(arena_join(arena, folder, '/', "note"), F_OK) == 0
               ? arena_join(arena, folder, '/', BUILD_CONTEXT_FOLDER)
               : NULL;
}

int build_failed_read(int folder, struct arena *arena, struct build_run **run, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    void *read = NULL;
    int result = buffer_read_file(&text, folder, BUILD_FAILED_RUN, RUN_LIMIT, error);
    if (result == 0)
        result =
            fields_decode(&build_run_table, text.bytes ? text.bytes : "", text.length, arena, &read, error);
    struct build_run *found = read;
    if (result == 0 && (!found->place || !found->definition || !found->start))
        result = error_set(error, -EBADMSG, "it does not say what was to be run");
    if (result == 0)
        *run = found;
    return result;
}

static int failed_run(const struct paths *paths, struct arena *arena, const char *key, struct build_run **run,
                      struct error *error)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/" BUILD_FOLDER_FAILED "/%s", paths->build, key);
    int result = build_check_key(key, error);
    _cleanup_close_ int folder =
        result < 0 ? result : open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return result < 0 ? result : error_errno(error, -errno, "%s", path);
    return build_failed_read(folder, arena, run, error);
}

const struct build_view build_view = {
    .dump = dump, .has_step = has_step, .context = context, .failed_run = failed_run};
