/* The host's apt sources, narrowed to one suite: what the host trusts for its own packages serves its containers.
 *
 * Both of apt's formats are read (sources.list(5)): one-line entries, and stanzas of fields. Entries of SUITE and
 * of SUITE-anything are kept; the text of stanzas is kept as it is but for the field Suites. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <sys/mman.h>

#include "drivers/image/make.h"
#include "lib/arena.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define FILE_LIMIT ((size_t)1024 * 1024)

static bool serves(const char *word, size_t length, const char *suite)
{
    size_t wanted = strlen(suite);
    return length >= wanted && strncmp(word, suite, wanted) == 0 && (length == wanted || word[wanted] == '-');
}

/* "deb [options] URI SUITE COMPONENT..." */
static void add_line(const char *line, const char *suite, struct buffer *out)
{
    const char *at = line + strspn(line, " \t");
    if (strncmp(at, "deb", 3) != 0 || (at[3] != ' ' && at[3] != '\t'))
        return;
    at += 3;
    at += strspn(at, " \t");
    if (*at == '[') {
        at += strcspn(at, "]");
        at += *at == ']';
        at += strspn(at, " \t");
    }
    at += strcspn(at, " \t");
    at += strspn(at, " \t");
    if (serves(at, strcspn(at, " \t"), suite))
        buffer_printf(out, "%s\n", line + strspn(line, " \t"));
}

static void add_one_line_file(char *text, const char *suite, struct buffer *out)
{
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        add_line(line, suite, out);
}

/* The value of a field's line, or NULL when it is another field's. */
static const char *value_of(const char *line, const char *field)
{
    size_t length = strlen(field);
    return strncasecmp(line, field, length) == 0 && line[length] == ':' ? line + length + 1 : NULL;
}

static bool has_word(const char *text, const char *word)
{
    for (text += strspn(text, " \t"); *text; text += strspn(text, " \t")) {
        size_t length = strcspn(text, " \t");
        if (length == strlen(word) && strncmp(text, word, length) == 0)
            return true;
        text += length;
    }
    return false;
}

/* One stanza, lines joined by '\n'. */
static void add_stanza(struct arena *arena, const char *stanza, const char *suite, struct buffer *out)
{
    _cleanup_buffer_ struct buffer kept = {0}, suites = {0};
    char *copy = arena_strdup(arena, stanza), *save = NULL;
    bool in_suites = false, usable = true;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *value;
        if (*line == '#')
            continue;
        bool continued = *line == ' ' || *line == '\t';
        in_suites = continued ? in_suites : value_of(line, "Suites") != NULL;
        if ((value = value_of(line, "Types")) && !has_word(value, "deb"))
            usable = false;
        if ((value = value_of(line, "Enabled")) && (has_word(value, "no") || has_word(value, "false")))
            usable = false;
        if (!in_suites) {
            buffer_printf(&kept, "%s\n", value_of(line, "Types") ? "Types: deb" : line);
            continue;
        }
        for (value = continued ? line : value_of(line, "Suites"); value += strspn(value, " \t"), *value;
             value += strcspn(value, " \t"))
            if (serves(value, strcspn(value, " \t"), suite))
                buffer_printf(&suites, " %.*s", (int)strcspn(value, " \t"), value);
    }
    if (usable && suites.length)
        buffer_printf(out, "%sSuites:%s\n\n", kept.bytes, suites.bytes);
}

static void add_stanza_file(struct arena *arena, const char *text, const char *suite, struct buffer *out)
{
    _cleanup_buffer_ struct buffer stanza = {0};
    while (*text) {
        size_t length = strcspn(text, "\n");
        if (strspn(text, " \t\r") >= length && stanza.length) {
            add_stanza(arena, stanza.bytes, suite, out);
            buffer_clear(&stanza);
        } else if (strspn(text, " \t\r") < length) {
            buffer_printf(&stanza, "%.*s\n", (int)length, text);
        }
        text += length + (text[length] == '\n');
    }
    if (stanza.length)
        add_stanza(arena, stanza.bytes, suite, out);
}

struct found {
    struct buffer lines, stanzas; /* one file of apt's holds one format only */
};

static int add_file(struct arena *arena, int directory, const char *name, const char *suite,
                    struct found *found, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    size_t length = strlen(name);
    bool lines = length > 5 && strcmp(name + length - 5, ".list") == 0;
    if (!lines && !(length > 8 && strcmp(name + length - 8, ".sources") == 0))
        return 0;
    int result = buffer_read_file(&text, directory, name, FILE_LIMIT, error);
    if (result < 0)
        return result == -ENOENT ? 0 : result;
    if (lines)
        add_one_line_file(text.bytes, suite, &found->lines);
    else
        add_stanza_file(arena, text.bytes, suite, &found->stanzas);
    return 0;
}

static int add_folder(struct arena *arena, int apt, const char *suite, struct found *found,
                      struct error *error)
{
    int fd = openat(apt, "sources.list.d", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *directory = fd < 0 ? NULL : fdopendir(fd);
    int result = 0;
    if (!directory)
        return errno == ENOENT ? 0 : error_errno(error, -errno, "apt's sources.list.d");
    for (struct dirent *item; result == 0 && (item = readdir(directory));)
        result = add_file(arena, dirfd(directory), item->d_name, suite, found, error);
    closedir(directory);
    return result;
}

/* A one-line entry as a stanza, so that everything goes to mmdebstrap in one format. */
static void convert_lines(struct arena *arena, const char *text, struct buffer *out)
{
    char *copy = arena_strdup(arena, text), *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        const char *at = line + 3, *options = "";
        size_t options_length = 0;
        at += strspn(at, " \t");
        if (*at == '[') {
            options = at + 1;
            options_length = strcspn(options, "]");
            at = options + options_length;
            at += *at == ']';
        }
        at += strspn(at, " \t");
        size_t uri = strcspn(at, " \t");
        const char *suite = at + uri + strspn(at + uri, " \t");
        size_t name = strcspn(suite, " \t");
        const char *rest = suite + name + strspn(suite + name, " \t");
        size_t components = strcspn(rest, "#");
        buffer_printf(out, "Types: deb\nURIs: %.*s\nSuites: %.*s\n", (int)uri, at, (int)name, suite);
        if (components)
            buffer_printf(out, "Components: %.*s\n", (int)components, rest);
        /* Of the options the one that decides about trust; others belong to the host's own needs. */
        for (const char *word = options; word < options + options_length;) {
            word += strspn(word, " \t");
            size_t length = strcspn(word, " \t]");
            if (strncmp(word, "signed-by=", 10) == 0)
                buffer_printf(out, "Signed-By: %.*s\n", (int)length - 10, word + 10);
            if (!length)
                break;
            word += length;
        }
        buffer_text(out, "\n");
    }
}

int apt_sources_of(const char *etc_apt, const char *suite, struct error *error)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    _cleanup_close_ int apt = open(etc_apt, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct found found = {0};
    int result = apt < 0 ? error_errno(error, -errno, "%s", etc_apt) : 0;
    if (result == 0)
        result = add_file(arena, apt, "sources.list", suite, &found, error);
    if (result == 0)
        result = add_folder(arena, apt, suite, &found, error);
    if (result == 0 && found.lines.length)
        convert_lines(arena, found.lines.bytes, &found.stanzas);
    if (result == 0 && !found.stanzas.length)
        result = error_set(error, -ENOENT, "no apt source of this host serves the suite \"%s\"", suite);
    _cleanup_close_ int fd = result < 0 ? -1 : memfd_create("sources", MFD_CLOEXEC);
    if (result == 0 &&
        (fd < 0 || write(fd, found.stanzas.bytes, found.stanzas.length) < 0 || lseek(fd, 0, SEEK_SET) < 0))
        result = error_errno(error, -errno, "apt sources");
    buffer_clear(&found.lines);
    buffer_clear(&found.stanzas);
    return result < 0 ? result : TAKE_FD(fd);
}
