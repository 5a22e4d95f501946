/* Single values of an image's config, as recipes and our labels write them. */
#include <ctype.h>
#include <inttypes.h>
#include <signal.h>
#include <string.h>

#include "lib/units.h"
#include "specs/forms.h"
#include "specs/image_config.h"
#include "specs/ports.h"

#define LAST_PORT       65535
#define LAST_ID         4294967294 /* (uid_t)-1 is none */
#define USER_LENGTH     32         /* bytes of a name, as useradd(8) has it */
#define PATH_LENGTH     1024
#define VARIABLE_LENGTH 255
#define FIRST_REALTIME  34 /* what the C library calls SIGRTMIN; the two below are its own */

/* PORT or FIRST-LAST; how many that is, 0 when it is neither. Ends at *end. */
static int64_t read_span(const char *text, size_t length, int64_t *first)
{
    char copy[16];
    int64_t last;
    if (length >= sizeof(copy))
        return 0;
    memcpy(copy, text, length);
    copy[length] = '\0';
    char *second = strchr(copy, '-');
    if (second)
        *second++ = '\0';
    if (number_parse(copy, first) < 0 || *first < 1 || *first > LAST_PORT)
        return 0;
    if (!second)
        return 1;
    return number_parse(second, &last) == 0 && last >= *first && last <= LAST_PORT ? last - *first + 1 : 0;
}

static const char *protocol_of(const char *text, const char *const *known)
{
    const char *slash = strchr(text, '/');
    for (; slash && *known; known++)
        if (strcmp(slash + 1, *known) == 0)
            return *known;
    return slash ? NULL : "tcp";
}

/* Where the last part before the protocol begins. */
static const char *last_part(const char *text, const char *end)
{
    const char *colon = memrchr(text, ':', (size_t)(end - text));
    return colon ? colon + 1 : text;
}

static const char *address_before(struct arena *arena, const char *text, const char *end)
{
    const struct form_context context = {.arena = arena};
    const char *written = arena_strndup(arena, text, (size_t)(end - text));
    const char *address = form_canonical(&context, FORM_ADDRESS, written);
    return address && strchr(address, ':') && *written != '[' ? NULL : address;
}

static bool is_all(const char *address)
{
    return strcmp(address, "0.0.0.0") == 0 || strcmp(address, "::") == 0;
}

struct port *image_port_parse(struct arena *arena, const char *text)
{
    static const char *const protocols[] = {"tcp", "udp", "tcp+udp", NULL};
    struct port *port = described_new(arena, &port_table);
    const char *protocol = protocol_of(text, protocols), *end = text + strcspn(text, "/");
    const char *guest = last_part(text, end), *host = guest > text ? last_part(text, guest - 1) : guest;
    if (!protocol)
        return NULL;
    port->count = read_span(guest, (size_t)(end - guest), &port->guest);
    int64_t hosts = host == guest ? port->count : read_span(host, (size_t)(guest - 1 - host), &port->host);
    if (host == guest)
        port->host = port->guest;
    if (!port->count || hosts != port->count)
        return NULL;
    if (host > text) {
        const char *address = address_before(arena, text, host - 1);
        if (!address)
            return NULL;
        port->address = is_all(address) ? NULL : address;
    }
    port->protocol = protocol;
    port->listen = port_key(arena, port->address, port->host, port->count, port->protocol);
    static const size_t said[] = {offsetof(struct port, listen), offsetof(struct port, host),
                                  offsetof(struct port, guest), offsetof(struct port, protocol),
                                  offsetof(struct port, count)};
    for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
        field_mark(&port_table, port, said[i]);
    if (port->address)
        field_mark(&port_table, port, offsetof(struct port, address));
    return port;
}

char *image_port_text(struct arena *arena, const struct port *port)
{
    char *text = port_short(arena, port);
    return port->address || port->host != port->guest ? text : strchr(text, ':') + 1;
}

const char *image_exposed_parse(struct arena *arena, const char *text)
{
    static const char *const protocols[] = {"tcp", "udp", "sctp", NULL};
    const char *protocol = protocol_of(text, protocols);
    const size_t length = strcspn(text, "/");
    int64_t first, count = read_span(text, length, &first);
    if (!protocol || !count)
        return NULL;
    return count == 1 ? arena_printf(arena, "%" PRId64 "/%s", first, protocol)
                      : arena_printf(arena, "%" PRId64 "-%" PRId64 "/%s", first, first + count - 1, protocol);
}

static bool is_of_the_kernel(const char *path)
{
    static const char *const folders[] = {"/proc", "/sys", "/dev"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++) {
        const size_t length = strlen(folders[i]);
        if (strncmp(path, folders[i], length) == 0 && (path[length] == '/' || !path[length]))
            return true;
    }
    return strcmp(path, "/") == 0;
}

struct image_volume *image_volume_parse(struct arena *arena, const char *text)
{
    const char *name = NULL, *path = text;
    if (*text != '/' && strchr(text, ':')) {
        name = arena_strndup(arena, text, strcspn(text, ":"));
        path = text + strcspn(text, ":") + 1;
    }
    if (*path != '/' || (name && !name_is_valid(name)))
        return NULL;
    path = image_directory_parse(arena, path);
    if (!path || is_of_the_kernel(path))
        return NULL;
    struct image_volume *volume = described_new(arena, &image_volume_table);
    volume->path = path;
    volume->name = name;
    field_mark(&image_volume_table, volume, offsetof(struct image_volume, path));
    if (name)
        field_mark(&image_volume_table, volume, offsetof(struct image_volume, name));
    return volume;
}

struct image_database *image_database_parse(struct arena *arena, const char *text)
{
    static const struct {
        const char *written, *engine;
    } engines[] = {
        {"mariadb", "mariadb"}, {"mysql", "mariadb"}, {"postgres", "postgres"}, {"postgresql", "postgres"}};
    const size_t length = strcspn(text, ":");
    const char *name = text[length] ? text + length + 1 : NULL, *engine = NULL;
    for (size_t i = 0; i < sizeof(engines) / sizeof(*engines); i++)
        if (strlen(engines[i].written) == length && strncmp(text, engines[i].written, length) == 0)
            engine = engines[i].engine;
    if (!engine || (name && !name_is_valid(name)))
        return NULL;
    struct image_database *database = described_new(arena, &image_database_table);
    database->engine = engine;
    database->name = arena_strdup(arena, name);
    database->key = name ? arena_join(arena, engine, ':', name) : engine;
    field_mark(&image_database_table, database, offsetof(struct image_database, engine));
    if (name)
        field_mark(&image_database_table, database, offsetof(struct image_database, name));
    return database;
}

/* A number that is an id, or a name as shadow-utils and those of images have them. */
static bool is_account(const char *text, size_t length)
{
    char copy[USER_LENGTH + 1];
    int64_t id;
    if (!length || length > USER_LENGTH)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    if (strspn(copy, "0123456789") == length)
        return number_parse(copy, &id) == 0 && id <= LAST_ID;
    for (size_t i = 0; i < length; i++)
        if (!isalnum((unsigned char)copy[i]) && copy[i] != '_' && (i == 0 || !strchr("-.", copy[i])) &&
            !(copy[i] == '$' && i + 1 == length && i > 0))
            return false;
    return true;
}

bool image_user_is_valid(const char *text)
{
    const size_t user = strcspn(text, ":");
    return is_account(text, user) && (!text[user] || is_account(text + user + 1, strlen(text + user + 1)));
}

const char *image_directory_parse(struct arena *arena, const char *text)
{
    const size_t length = strlen(text);
    if (!length || length > PATH_LENGTH || text_printable(text, length) < length)
        return NULL;
    const char *path = path_clean(arena, "", text);
    return strlen(path) <= PATH_LENGTH ? path : NULL;
}

const char *image_signal_parse(struct arena *arena, const char *text)
{
    const struct form_context context = {.arena = arena};
    int64_t number;
    if (number_parse(text, &number) < 0)
        return form_canonical(&context, FORM_SIGNAL, text);
    if (number > 0 && number < 32)
        return arena_printf(arena, "SIG%s", sigabbrev_np((int)number));
    return number < FIRST_REALTIME || number > 64
               ? NULL
               : form_canonical(&context, FORM_SIGNAL,
                                arena_printf(arena, "SIGRTMIN+%" PRId64, number - FIRST_REALTIME));
}

bool image_variable_is_valid(const char *name)
{
    if (!*name || strlen(name) > VARIABLE_LENGTH)
        return false;
    for (; *name; name++)
        if (*name <= ' ' || *name > '~' || *name == '=')
            return false;
    return true;
}

bool image_text_is_valid(const char *text)
{
    for (;;) {
        const size_t length = strcspn(text, "\n\t\r");
        if (text_printable(text, length) < length)
            return false;
        if (!text[length])
            return true;
        text += length + 1;
    }
}
