/* Sources: what every -f argument names, what it is called, which files it brings in. */
#include "specs/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/asked.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "specs/forms.h"
#include "specs/template.h"
#include "specs/tree.h"

#define READ_PAUSE_MAX                                                                                       \
    160 /* milliseconds: the last pause, each twice the one before, for a file being written */

#define SOURCE_LENGTH 512 /* bytes of a source's name */

struct collector {
    const struct spec_request *request;
    const struct object_set *recorded;
    struct arena *arena;
    struct problems *problems;
    struct spec_set *set;
    struct file_list *files;
    const char *folder; /* of the process */
};

static int collect_argument(struct collector *collector, const char *argument, struct error *error);
static void leave_out(struct collector *collector);
static bool source_name_is_valid(const char *name);
static bool owner_is_fine(const struct stat *info, bool by_hand);

int sources_collect(const struct spec_request *request, const struct object_set *recorded,
                    struct arena *arena, struct spec_set *set, struct file_list *files,
                    struct problems *problems, struct error *error)
{
    const char *folder = ask_getcwd(arena);
    if (!folder)
        return error_errno(error, -errno, "cannot tell the current folder");
    struct collector collector = {.request = request,
                                  .recorded = recorded,
                                  .arena = arena,
                                  .problems = problems,
                                  .set = set,
                                  .files = files,
                                  .folder = folder};
    if (request->source_name && !source_name_is_valid(request->source_name))
        problem_add(problems, (struct place){.file = "--source"}, NULL,
                    "expected a name of printable characters, at most %d, found '%s'", SOURCE_LENGTH,
                    request->source_name);
    int result = request->count ? 0 : collect_argument(&collector, request->default_directory, error);
    for (size_t i = 0; i < request->count && result == 0; i++)
        result = collect_argument(&collector, request->arguments[i], error);
    leave_out(&collector);
    return result;
}

static bool is_left_out(const struct spec_request *request, const char *source)
{
    for (size_t i = 0; i < request->left_out.count; i++)
        if (strcmp(request->left_out.items[i], source) == 0)
            return true;
    return false;
}

static void leave_out(struct collector *collector)
{
    struct spec_set *set = collector->set;
    struct file_list *files = collector->files;
    size_t sources = 0, kept = 0;
    for (size_t i = 0; i < set->source_count; i++)
        if (!is_left_out(collector->request, set->sources[i].name))
            set->sources[sources++] = set->sources[i];
    for (size_t i = 0; i < files->count; i++)
        if (!is_left_out(collector->request, files->items[i].source))
            files->items[kept++] = files->items[i];
    set->source_count = sources;
    files->count = kept;
}

static bool source_name_is_valid(const char *name)
{
    size_t length = strlen(name);
    for (const char *at = name; *at; at++)
        if ((unsigned char)*at < 0x20 || *at == 0x7f)
            return false;
    return length && length <= SOURCE_LENGTH && strcmp(name, "-") != 0;
}

/* ---- names ---- */

/* Symbolic links are not resolved, so that a source keeps its name. */
static const char *clean_path(const struct collector *collector, const char *path)
{
    return path_clean(collector->arena, collector->folder, path);
}

static const char *parent_of(struct arena *arena, const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash == path ? "/" : arena_strndup(arena, path, (size_t)(slash - path));
}

static const char *directory_source(const struct collector *collector, const char *path)
{
    const char *standard = collector->request->default_directory;
    return standard && strcmp(path, clean_path(collector, standard)) == 0 ? "host" : path;
}

/* Whether a directory of this name is a source: of the host, of this run, or of an earlier one. */
static bool is_known_source(const struct collector *collector, const char *name)
{
    if (strcmp(name, "host") == 0)
        return true;
    for (size_t i = 0; i < collector->request->count; i++)
        if (strcmp(clean_path(collector, collector->request->arguments[i]), name) == 0)
            return true;
    for (size_t i = 0; collector->recorded && i < collector->recorded->count; i++) {
        const char *source = collector->recorded->items[i]->source;
        if (source && strcmp(source, name) == 0)
            return true;
    }
    return false;
}

/* ---- arguments ---- */

static struct spec_source *add_source(struct collector *collector, const char *argument, const char *name,
                                      bool prunes)
{
    struct spec_source *source =
        arena_append(collector->arena, collector->set->sources, collector->set->source_count);
    *source = (struct spec_source){.argument = argument, .name = name, .prunes = prunes};
    if (collector->request->source_name) {
        source->name = collector->request->source_name;
        source->prunes = true;
    }
    return source;
}

static void add_file(struct collector *collector, const char *path, const char *shown, const char *source)
{
    const char *clean = clean_path(collector, path);
    for (size_t i = 0; i < collector->files->count; i++)
        if (strcmp(clean_path(collector, collector->files->items[i].path), clean) == 0)
            return; /* named twice, or named beside its directory */
    *arena_append(collector->arena, collector->files->items, collector->files->count) =
        (struct spec_file){.path = shown, .folder = parent_of(collector->arena, clean), .source = source};
}

/* Nobody but the owner may be able to put files into a folder of specs (sticky: can put, cannot replace; a folder
 * of specs needs more). */
static bool folder_is_safe(const char *path, struct place place, const struct stat *info, bool by_hand,
                           struct problems *problems)
{
    if (!owner_is_fine(info, by_hand)) {
        problem_add(problems, place, arena_printf(problems->arena, "chown root %s", path),
                    "the folder does not belong to root");
        return false;
    }
    if (geteuid() == 0 && (info->st_mode & 022)) {
        problem_add(problems, place, arena_printf(problems->arena, "chmod go-w %s", path),
                    "others than its owner may add specs here");
        return false;
    }
    return true;
}

static bool has_ending(const char *name, const char *ending)
{
    size_t length = strlen(name), end = strlen(ending);
    return length > end && strcmp(name + length - end, ending) == 0;
}

static bool is_spec_name(const char *name)
{
    return name[0] != '.' && (has_ending(name, ".yaml") || has_ending(name, ".yml"));
}

static bool is_drop_in_name(const char *name)
{
    return name[0] != '.' && (has_ending(name, ".yaml.d") || has_ending(name, ".yml.d"));
}

/* A folder of drop-ins whose file is gone, or was never there, would say something to nobody. */
static void check_drop_ins(const char *folder, struct arena *arena, struct problems *problems)
{
    const char *file = arena_strndup(arena, folder, strlen(folder) - strlen(".d"));
    struct stat info;
    if (ask_lstat(file, &info) < 0 && errno == ENOENT)
        problem_add(problems, (struct place){.file = folder},
                    arena_printf(arena, "it says something else than %s; remove or rename it", file),
                    "a folder of drop-ins without its file");
}

bool spec_folder_read(const char *path, bool by_hand, struct place place, struct arena *arena,
                      struct problems *problems, struct texts *names)
{
    struct stat info;
    struct texts entries = {0};
    if (ask_stat(path, &info) < 0 && (errno == ENOENT || errno == ENOTDIR))
        return true;
    const int result = ask_folder(path, arena, &entries);
    if (result < 0) {
        problem_add(problems, place, NULL, "cannot read folder %s: %s", path, strerror(-result));
        return false;
    }
    const char *slash = has_ending(path, "/") ? "" : "/";
    for (size_t i = 0; i < entries.count; i++) {
        const char *name = entries.items[i];
        if (!is_spec_name(name) && !is_drop_in_name(name))
            continue;
        const char *file = arena_printf(arena, "%s%s%s", path, slash, name);
        const bool is_folder = ask_lstat(file, &info) == 0 && S_ISDIR(info.st_mode);
        if (is_folder && is_drop_in_name(name))
            check_drop_ins(file, arena, problems);
        else if (!is_folder && is_spec_name(name) && !template_is_one(file))
            *arena_append(arena, names->items, names->count) = name;
    }
    return ask_stat(path, &info) == 0 && folder_is_safe(path, place, &info, by_hand, problems);
}

static void collect_directory(struct collector *collector, const char *path, struct spec_source *source)
{
    struct texts names = {0};
    if (!spec_folder_read(path, collector->request->use_environment, (struct place){.file = path},
                          collector->arena, collector->problems, &names))
        return;
    for (size_t i = 0; i < names.count; i++) {
        const char *file =
            arena_printf(collector->arena, "%s%s%s", path, has_ending(path, "/") ? "" : "/", names.items[i]);
        add_file(collector, file, file, source->name);
    }
    source->is_missing = names.count == 0;
}

static int collect_argument(struct collector *collector, const char *argument, struct error *error)
{
    if (strcmp(argument, "-") == 0) {
        const struct spec_source *source = add_source(collector, argument, "-", false);
        *arena_append(collector->arena, collector->files->items, collector->files->count) =
            (struct spec_file){.path = "-", .folder = collector->folder, .source = source->name};
        return 0;
    }
    const char *clean = clean_path(collector, argument);
    struct stat info;
    const int found = ask_stat(argument, &info) < 0 ? -errno : 0;
    if (found == 0 && S_ISDIR(info.st_mode)) {
        struct spec_source *source =
            add_source(collector, argument, directory_source(collector, clean), true);
        source->is_directory = true;
        collect_directory(collector, argument, source);
        return 0;
    }
    const char *parent = directory_source(collector, parent_of(collector->arena, clean));
    const bool narrowed = is_known_source(collector, parent);
    struct spec_source *source = add_source(collector, argument,
                                            narrowed    ? parent
                                            : found < 0 ? directory_source(collector, clean)
                                                        : clean,
                                            !narrowed);
    if (found == -ENOENT || found == -ENOTDIR)
        source->is_missing = true;
    else if (found < 0)
        return error_errno(error, found, "cannot look at %s", argument);
    else
        add_file(collector, argument, argument, source->name);
    return 0;
}

/* ---- files ---- */

/* Root believes what it reads: only root, or whoever asked root by sudo to run this by hand, may have written it. */
static bool owner_is_fine(const struct stat *info, bool by_hand)
{
    if (geteuid() != 0 || info->st_uid == 0)
        return true;
    const char *user = by_hand ? ask_getenv("SUDO_UID") : NULL;
    return user && *user && strtoul(user, NULL, 10) == info->st_uid;
}

static bool file_is_fine(const char *path, const struct stat *info, bool by_hand, struct problems *problems)
{
    const struct place place = {.file = path};
    if (!S_ISREG(info->st_mode))
        problem_add(problems, place, "pipe a spec into -f -", "not a regular file");
    else if (info->st_size > (off_t)YAML_SIZE)
        problem_add(problems, place, "split it into several files", "the file is larger than 1 MiB");
    else if (geteuid() == 0 && (info->st_mode & 022))
        problem_add(problems, place, arena_printf(problems->arena, "chmod go-w %s", path),
                    "others than its owner may write to it");
    else if (!owner_is_fine(info, by_hand))
        problem_add(problems, place, arena_printf(problems->arena, "chown root %s", path),
                    "it does not belong to root");
    else
        return true;
    return false;
}

static bool read_all(int fd, const char *path, struct problems *problems, struct buffer *text)
{
    char piece[16384];
    for (;;) {
        ssize_t got = read(fd, piece, sizeof(piece));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            problem_add(problems, (struct place){.file = path}, NULL, "cannot read it: %s", strerror(errno));
        if (got <= 0)
            return got == 0;
        buffer_add(text, piece, (size_t)got);
        if (text->length > YAML_SIZE) {
            problem_add(problems, (struct place){.file = path}, "split it into several files",
                        "the file is larger than 1 MiB");
            return false;
        }
    }
}

/* Whether it still is what was looked at: nobody wrote to it, or put another file in its place. */
static bool is_unchanged(int fd, const char *path, const struct stat *before, size_t length)
{
    struct stat now, named;
    return fstat(fd, &now) == 0 && stat(path, &named) == 0 && named.st_ino == before->st_ino &&
           named.st_dev == before->st_dev && now.st_size == before->st_size &&
           (size_t)now.st_size == length && now.st_mtim.tv_sec == before->st_mtim.tv_sec &&
           now.st_mtim.tv_nsec == before->st_mtim.tv_nsec && now.st_ctim.tv_sec == before->st_ctim.tv_sec &&
           now.st_ctim.tv_nsec == before->st_ctim.tv_nsec;
}

static void open_failed(const char *path, struct problems *problems)
{
    if (errno == ELOOP)
        problem_add(problems, (struct place){.file = path}, "name the file itself", "it is a symbolic link");
    else
        problem_add(problems, (struct place){.file = path}, NULL, "cannot open it: %s", strerror(errno));
}

enum reading { READING_DONE, READING_FAILED, READING_CHANGED };

static enum reading read_once(const char *path, bool by_hand, bool missing_is_fine, struct problems *problems,
                              struct buffer *text)
{
    _cleanup_close_ int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0 && errno == ENOENT && missing_is_fine) {
        asked_file(path, &(struct stat){0}, NULL, 0);
        return READING_DONE;
    }
    if (fd < 0) {
        open_failed(path, problems);
        return READING_FAILED;
    }
    struct stat info;
    if (fstat(fd, &info) < 0) {
        problem_add(problems, (struct place){.file = path}, NULL, "cannot read it: %s", strerror(errno));
        return READING_FAILED;
    }
    const size_t start = text->length;
    if (!file_is_fine(path, &info, by_hand, problems) || !read_all(fd, path, problems, text))
        return READING_FAILED;
    const size_t length = text->length - start;
    if (!is_unchanged(fd, path, &info, length))
        return READING_CHANGED;
    asked_file(path, &info, length ? text->bytes + start : "", length);
    return READING_DONE;
}

bool spec_file_read(const char *path, bool by_hand, bool missing_is_fine, struct problems *problems,
                    struct buffer *text)
{
    if (strcmp(path, "-") == 0) {
        asked_never_again();
        return read_all(STDIN_FILENO, path, problems, text);
    }
    for (int pause = 10; pause <= READ_PAUSE_MAX; pause *= 2) {
        const size_t start = text->length;
        enum reading reading = read_once(path, by_hand, missing_is_fine, problems, text);
        if (reading != READING_CHANGED)
            return reading == READING_DONE;
        text->length = start; /* half of it may be old */
        poll(NULL, 0, pause);
    }
    problem_add(problems, (struct place){.file = path}, "run again when it is written", "cannot read it: %s",
                "it changes again and again");
    return false;
}

/* Lengths are part of the digest, so that bytes cannot move from one file to the next unnoticed. */
void spec_digest(struct digest *digest, const char *name, const struct buffer *text)
{
    uint64_t length = text->length;
    digest_add(digest, name, strlen(name) + 1);
    digest_add(digest, &length, sizeof(length));
    digest_add(digest, text->bytes, text->length);
}
