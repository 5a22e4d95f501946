/* Values that no record may hold: each in a file of its own in SECRETS (0700, beside the database), named by a keyed
 * digest; records and history hold that name alone, and without the key a guess at the value cannot be checked.
 *
 * A file is durable before the record that names it, and goes after the last one does: a death in between leaves a
 * file that the next trim takes away. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/asked.h"
#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "state/internal.h"

#define SECRETS     "../secrets" /* from the database's folder */
#define KEY_FILE    "key"
#define KEY_SIZE    32
#define VALUE_LIMIT (1024 * 1024) /* bytes: a spec file is no longer */
#define HEX_LENGTH  (DIGEST_TEXT_SIZE - 1)

static const char prefix[] = "sealed:";

static const char *hex_of(const char *reference)
{
    size_t length = strlen(prefix);
    if (strncmp(reference, prefix, length) != 0 || strlen(reference) != length + HEX_LENGTH ||
        strspn(reference + length, "0123456789abcdef") != HEX_LENGTH)
        return NULL;
    return reference + length;
}

bool state_is_sealed(const char *value)
{
    return hex_of(value) != NULL;
}

static int open_folder(const struct state *state, bool make, struct error *error)
{
    if (make && mkdirat(state->folder_fd, SECRETS, 0700) < 0 && errno != EEXIST)
        return error_errno(error, -errno, "cannot make %s/" SECRETS, state->folder);
    int fd = openat(state->folder_fd, SECRETS, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return error_errno(error, -errno, "cannot open %s/" SECRETS, state->folder);
    return fd;
}

static int write_file(const struct state *state, int folder, const char *name, const void *bytes, size_t size,
                      struct error *error)
{
    char new[HEX_LENGTH + sizeof(".new")];
    snprintf(new, sizeof(new), "%s.new", name);
    _cleanup_close_ int fd = openat(folder, new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int result = fd < 0 ? -errno : bytes_write(fd, bytes, size);
    if (result == 0 && (fsync(fd) < 0 || renameat(folder, new, folder, name) < 0 || fsync(folder) < 0))
        result = -errno;
    if (result == 0)
        return 0;
    unlinkat(folder, new, 0);
    return error_errno(error, result, "cannot write into %s/" SECRETS, state->folder);
}

/* One that is there is never replaced: no name that a record holds would be found again. */
static int read_key(const struct state *state, int folder, bool make, struct buffer *key, struct error *error)
{
    int result = buffer_read_file(key, folder, KEY_FILE, KEY_SIZE, NULL);
    if (result == 0 && key->length == KEY_SIZE)
        return 0;
    if (result == 0 || result == -EFBIG)
        return error_set(error, -EBADMSG, "%s/" SECRETS "/" KEY_FILE " is damaged: it has to be of %d bytes",
                         state->folder, KEY_SIZE);
    if (result != -ENOENT || !make)
        return error_errno(error, result, "cannot read %s/" SECRETS "/" KEY_FILE, state->folder);
    unsigned char fresh[KEY_SIZE];
    while (getrandom(fresh, sizeof(fresh), 0) != sizeof(fresh))
        ; /* EINTR before the pool is ready */
    result = write_file(state, folder, KEY_FILE, fresh, sizeof(fresh), error);
    buffer_clear(key);
    buffer_add(key, fresh, sizeof(fresh));
    return result;
}

int state_key(struct state *state, bool make, struct arena *arena, struct bytes *key, struct error *error)
{
    const char *path = arena_printf(arena, "%s/" SECRETS "/" KEY_FILE, state->folder);
    *key = (struct bytes){0};
    if (!make && faccessat(state->folder_fd, SECRETS "/" KEY_FILE, F_OK, 0) < 0) {
        asked_file(path, NULL, NULL, 0);
        return 0;
    }
    _cleanup_close_ int folder = open_folder(state, make, error);
    if (folder < 0)
        return folder;
    _cleanup_buffer_ struct buffer bytes = {0};
    int result = read_key(state, folder, make, &bytes, error);
    if (result == 0)
        *key = (struct bytes){.data = arena_copy(arena, bytes.bytes, bytes.length), .size = bytes.length};
    if (result == 0)
        asked_file(path, NULL, key->data, key->size);
    return result;
}

int state_seal(struct state *state, const char *value, struct arena *arena, const char **reference,
               struct error *error)
{
    if (state_is_sealed(value)) { /* a value that was lost: its name stays */
        *reference = value;
        return 0;
    }
    _cleanup_close_ int folder = open_folder(state, true, error);
    if (folder < 0)
        return folder;
    _cleanup_buffer_ struct buffer key = {0};
    int result = read_key(state, folder, true, &key, error);
    if (result < 0)
        return result;
    char hex[DIGEST_TEXT_SIZE];
    digest_keyed(key.bytes, key.length, value, strlen(value), hex);
    if (faccessat(folder, hex, F_OK, 0) < 0)
        result = write_file(state, folder, hex, value, strlen(value), error);
    if (result == 0)
        *reference = arena_printf(arena, "%s%s", prefix, hex);
    return result;
}

int state_unseal(struct state *state, const char *reference, struct arena *arena, const char **value,
                 struct error *error)
{
    const char *hex = hex_of(reference);
    *value = reference;
    if (!hex)
        return 0;
    _cleanup_close_ int folder = open_folder(state, false, NULL);
    _cleanup_buffer_ struct buffer text = {0};
    int result = folder < 0 ? folder : buffer_read_file(&text, folder, hex, VALUE_LIMIT, NULL);
    if (folder >= 0 && (result == 0 || result == -ENOENT))
        asked_file(arena_printf(arena, "%s/" SECRETS "/%s", state->folder, hex), NULL,
                   result < 0    ? NULL
                   : text.length ? text.bytes
                                 : "",
                   text.length);
    else
        asked_never_again();
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return error_errno(error, result, "cannot read %s/" SECRETS "/%s", state->folder, hex);
    *value = text.length ? arena_strndup(arena, text.bytes, text.length) : "";
    return 0;
}

static bool is_named(const struct snapshot *snapshot, const char *hex)
{
    for (size_t i = 0; i < snapshot->record_count; i++) {
        const struct bytes *const parts[] = {&snapshot->records[i]->body, &snapshot->records[i]->facts};
        for (size_t j = 0; j < sizeof(parts) / sizeof(*parts); j++)
            if (parts[j]->size && memmem(parts[j]->data, parts[j]->size, hex, strlen(hex)))
                return true;
    }
    return false;
}

int state_trim_secrets(struct state *state, struct error *error)
{
    if (faccessat(state->folder_fd, SECRETS, F_OK, 0) < 0)
        return 0;
    _cleanup_arena_ struct arena *arena = arena_new();
    struct snapshot snapshot;
    int result = state_read(state, arena, &snapshot, error);
    if (result < 0)
        return result;
    int fd = open_folder(state, false, error);
    DIR *folder = fd < 0 ? NULL : fdopendir(fd);
    if (!folder)
        return fd;
    for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
        if (*entry->d_name != '.' && strcmp(entry->d_name, KEY_FILE) != 0 &&
            !is_named(&snapshot, entry->d_name))
            unlinkat(fd, entry->d_name, 0);
    closedir(folder);
    return 0;
}
