#include "drivers/image/metadata.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/cleanup.h"
#include "lib/error.h"
#include "specs/image_config.h"

#define METADATA_FILE  "metadata.yaml"
#define METADATA_LIMIT ((size_t)1 << 20)

/* -ENOENT where there is none; -EBADMSG where it is no file, or too large. */
static int read_file(int folder, const char *name, size_t limit, struct buffer *text)
{
    struct open_how how = {.flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS};
    char piece[16384];
    struct stat status;
    ssize_t got;
    _cleanup_close_ int file = (int)syscall(SYS_openat2, folder, name, &how, sizeof(how));
    if (file < 0)
        return errno == ENOENT ? -ENOENT : -EBADMSG;
    if (fstat(file, &status) < 0 || !S_ISREG(status.st_mode) || status.st_nlink != 1)
        return -EBADMSG;
    buffer_text(text, "");
    while ((got = read(file, piece, sizeof(piece))) > 0 && text->length <= limit)
        buffer_add(text, piece, (size_t)got);
    return got < 0 || text->length > limit ? -EBADMSG : 0;
}

/* Of metadata.yaml one line counts: whose machine code it is. "" where it does not say, or in a way that no server writes:
 * to understand a stranger's YAML is not for a process with our rights. */
static void find_architecture(const char *text, char value[static 32])
{
    static const char key[] = "architecture:";
    *value = '\0';
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        if (strncmp(line, key, strlen(key)) != 0)
            continue;
        const char *at = line + strlen(key) + strspn(line + strlen(key), " \t\"'");
        size_t length = strspn(at, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-");
        snprintf(value, 32, "%.*s", (int)length, at);
        return;
    }
}

/* Debian's names and the kernel's for one machine. */
static bool is_architecture(const char *said, const char *asked)
{
    static const char *const names[][2] = {{"amd64", "x86_64"}, {"arm64", "aarch64"}, {"i386", "i686"}};
    if (strcmp(said, asked) == 0)
        return true;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (strcmp(asked, names[i][0]) == 0 || strcmp(asked, names[i][1]) == 0)
            return strcmp(said, names[i][0]) == 0 || strcmp(said, names[i][1]) == 0;
    return false;
}

static int check_metadata(int folder, const char *what, const char *arch, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    char said[32];
    if (read_file(folder, METADATA_FILE, METADATA_LIMIT, &text) < 0)
        return error_set(error, -EBADMSG, "%s: its metadata.yaml is missing, or no file of at most 1 MiB",
                         what);
    find_architecture(text.bytes, said);
    return !*said || is_architecture(said, arch)
               ? 0
               : error_set(error, -EBADMSG,
                           "%s: its metadata.yaml says that it is for %s, and %s was asked for", what, said,
                           arch);
}

int metadata_take(int folder, const char *what, const char *arch, struct arena *arena, const char **config,
                  struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct image_config *parsed;
    *config = NULL;
    int result = check_metadata(folder, what, arch, error);
    if (result < 0)
        return result;
    result = read_file(folder, METADATA_CONFIG, IMAGE_CONFIG_SIZE, &text);
    if (result == -ENOENT)
        return 0;
    if (result < 0)
        return error_set(error, -EBADMSG, "%s: its " METADATA_CONFIG " is no file of at most 1 MiB", what);
    if (strlen(text.bytes) != text.length)
        return error_set(error, -EBADMSG, "%s: its " METADATA_CONFIG " is no text", what);
    result = image_config_parse(arena, text.bytes, &parsed, error);
    if (result < 0)
        return error_wrap(error, -EBADMSG, "%s: its " METADATA_CONFIG, what);
    *config = image_config_to_text(arena, parsed);
    return 0;
}
