/* The config of an image as JSON: OCI image-spec, config.md, "config", and what docker adds to it.
 *
 * Reading is a list of keys, each with its function; the functions take what others wrote and put into the struct only
 * what passed its validator. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "lib/error.h"
#include "lib/json.h"
#include "specs/forms.h"
#include "specs/image_config.h"

#define LABEL_PORTS     "org.fpsync.ports"
#define LABEL_VOLUMES   "org.fpsync.volumes"
#define LABEL_DATABASES "org.fpsync.databases"
#define LABELS          "org.fpsync." /* all of ours */

#define ITEMS_MOST   1024         /* of any list or object */
#define VOLUMES_MOST 64           /* each becomes a mount */
#define TEXT_MOST    (128 * 1024) /* bytes; the kernel's MAX_ARG_STRLEN */
#define PERIOD_MOST  ((int64_t)366 * 24 * 3600 * 1000)
#define MILLISECOND  ((int64_t)1000000) /* nanoseconds, in which docker writes */

struct reading {
    struct arena *arena;
    struct image_config *config;
    const char *key;
    struct error *error;
};

static int refuse(const struct reading *reading, const char *expected)
{
    return error_set(reading->error, -EINVAL, "%s: expected %s", reading->key, expected);
}

static int refuse_value(const struct reading *reading, const char *value, const char *expected)
{
    /* Whatever the value holds, the message is one line of a terminal. */
    const size_t length = text_printable(value, strlen(value));
    return error_set(reading->error, -EINVAL, "%s: expected %s, found \"%.*s%s\"", reading->key, expected,
                     (int)(length > 100 ? 100 : length), value, length > 100 || value[length] ? "..." : "");
}

/* ---- values ---- */

/* NULL after an error. */
static const char *take_text(const struct reading *reading, const struct json *value)
{
    const char *text = json_as_text(value);
    if (!text)
        refuse(reading, "a text");
    else if (strlen(text) > TEXT_MOST)
        refuse(reading, "a text of at most 128 KiB");
    else if (!image_text_is_valid(text))
        refuse_value(reading, text, "a text without control characters");
    else
        return arena_strdup(reading->arena, text);
    return NULL;
}

static int take_texts(const struct reading *reading, const struct json *value, struct texts *texts)
{
    if (!json_holds_array(value) || json_length(value) > ITEMS_MOST)
        return refuse(reading, "a list of at most 1024 texts");
    struct texts taken = {.items = arena_list_of(reading->arena, const char *, json_length(value))};
    for (; taken.count < json_length(value); taken.count++) {
        taken.items[taken.count] = take_text(reading, json_at(value, taken.count));
        if (!taken.items[taken.count])
            return -EINVAL;
    }
    *texts = taken;
    return 0;
}

/* "" is not said, as Go writes it. */
static int take_word(const struct reading *reading, const struct json *value, const char **word)
{
    const char *text = take_text(reading, value);
    if (text && *text)
        *word = text;
    return text ? 0 : -EINVAL;
}

/* The keys of an object whose values mean nothing: {"80/tcp": {}}. */
static int check_set(const struct reading *reading, const struct json *value, size_t most)
{
    if (!json_holds_object(value) || json_length(value) > most)
        return error_set(reading->error, -EINVAL, "%s: expected an object of at most %zu keys", reading->key,
                         most);
    return 0;
}

/* ---- keys ---- */

static int read_env(const struct reading *reading, const struct json *value)
{
    struct pairs *env = &reading->config->env;
    struct texts entries;
    int result = take_texts(reading, value, &entries);
    for (size_t i = 0; result == 0 && i < entries.count; i++) {
        const char *entry = entries.items[i], *sign = strchr(entry, '=');
        const char *name = arena_strndup(reading->arena, entry, sign ? (size_t)(sign - entry) : 0);
        if (!sign || !image_variable_is_valid(name))
            return refuse_value(reading, sign ? name : entry, "NAME=VALUE"); /* the value may be a secret */
        if (text_printable(sign, strlen(sign)) < strlen(sign))
            return refuse_value(reading, name, "a value of one line");
        *arena_append(reading->arena, env->items, env->count) = (struct pair){.key = name, .value = sign + 1};
    }
    return result;
}

static int read_entrypoint(const struct reading *reading, const struct json *value)
{
    return take_texts(reading, value, &reading->config->entrypoint);
}

static int read_command(const struct reading *reading, const struct json *value)
{
    return take_texts(reading, value, &reading->config->command);
}

static int read_shell(const struct reading *reading, const struct json *value)
{
    return take_texts(reading, value, &reading->config->shell);
}

static int read_triggers(const struct reading *reading, const struct json *value)
{
    return take_texts(reading, value, &reading->config->triggers);
}

static int read_user(const struct reading *reading, const struct json *value)
{
    const char *user = NULL;
    int result = take_word(reading, value, &user);
    if (user && !image_user_is_valid(user))
        return refuse_value(reading, user, "USER[:GROUP], names or numbers");
    reading->config->user = user;
    return result;
}

static int read_directory(const struct reading *reading, const struct json *value)
{
    const char *text = NULL;
    int result = take_word(reading, value, &text);
    if (!text)
        return result;
    reading->config->directory = image_directory_parse(reading->arena, text);
    return reading->config->directory ? 0 : refuse_value(reading, text, "a path");
}

static int read_stop_signal(const struct reading *reading, const struct json *value)
{
    const char *text = NULL;
    int result = take_word(reading, value, &text);
    if (!text)
        return result;
    reading->config->stop_signal = image_signal_parse(reading->arena, text);
    return reading->config->stop_signal ? 0 : refuse_value(reading, text, "a signal");
}

static int read_exposed(const struct reading *reading, const struct json *value)
{
    struct texts *exposed = &reading->config->exposed;
    int result = check_set(reading, value, ITEMS_MOST);
    for (void *i = result < 0 ? NULL : json_first(value); i; i = json_next(value, i)) {
        const char *canonical = image_exposed_parse(reading->arena, json_key(i));
        if (!canonical)
            return refuse_value(reading, json_key(i), "PORT/PROTOCOL");
        *arena_append(reading->arena, exposed->items, exposed->count) = canonical;
    }
    return result;
}

static int add_volume(const struct reading *reading, const char *text)
{
    struct list *volumes = &reading->config->volumes;
    struct image_volume *volume = image_volume_parse(reading->arena, text);
    if (!volume)
        return refuse_value(reading, text, "an absolute path that is not the kernel's");
    *arena_append(reading->arena, volumes->items, volumes->count) = volume;
    return 0;
}

static int read_volumes(const struct reading *reading, const struct json *value)
{
    int result = check_set(reading, value, VOLUMES_MOST);
    for (void *i = result < 0 ? NULL : json_first(value); i && result == 0; i = json_next(value, i)) {
        if (json_key(i)[0] != '/')
            return refuse_value(reading, json_key(i), "an absolute path");
        result = add_volume(reading, json_key(i));
    }
    return result;
}

/* Negative and endless ones are refused; what is less than a millisecond is one. */
static int take_period(const struct reading *reading, const struct json *health, const char *key,
                       int64_t *period)
{
    const struct json *value = json_get(health, key);
    const int64_t nanoseconds = json_as_number(value, json_is_nothing(value) ? 0 : -1);
    if (nanoseconds < 0 || nanoseconds / MILLISECOND > PERIOD_MOST)
        return error_set(reading->error, -EINVAL, "%s.%s: expected nanoseconds", reading->key, key);
    *period = nanoseconds && nanoseconds < MILLISECOND ? 1 : nanoseconds / MILLISECOND;
    return 0;
}

static int take_test(const struct reading *reading, const struct json *value, struct image_health *health)
{
    struct texts test = {0};
    int result = json_is_nothing(value) ? 0 : take_texts(reading, value, &test);
    if (result < 0 || !test.count)
        return result;
    const char *how = test.items[0];
    if (strcmp(how, "NONE") == 0 && test.count == 1)
        health->none = true;
    else if ((strcmp(how, "CMD") == 0 && test.count > 1) ||
             (strcmp(how, "CMD-SHELL") == 0 && test.count == 2))
        health->test = test;
    else
        return refuse_value(reading, how, "NONE, CMD with words, or CMD-SHELL with one text");
    return 0;
}

static int read_health(const struct reading *reading, const struct json *value)
{
    struct image_health *health = reading->config->health;
    if (!json_holds_object(value))
        return refuse(reading, "an object");
    const struct {
        const char *key;
        int64_t *period;
    } periods[] = {{"Interval", &health->interval},
                   {"Timeout", &health->timeout},
                   {"StartPeriod", &health->start_period},
                   {"StartInterval", &health->start_interval}};
    int result = take_test(reading, json_get(value, "Test"), health);
    for (size_t i = 0; result == 0 && i < sizeof(periods) / sizeof(*periods); i++)
        result = take_period(reading, value, periods[i].key, periods[i].period);
    const struct json *retries = json_get(value, "Retries");
    health->retries = json_as_number(retries, json_is_nothing(retries) ? 0 : -1);
    if (result == 0 && (health->retries < 0 || health->retries > 1000))
        return refuse(reading, "Retries from 0 to 1000");
    return result;
}

/* ---- labels, and what is in ours ---- */

static int add_port(const struct reading *reading, const char *text)
{
    struct list *ports = &reading->config->ports;
    struct port *port = image_port_parse(reading->arena, text);
    if (!port)
        return refuse_value(reading, text, "[[ADDRESS:]HOST:]PORT[/PROTOCOL]");
    *arena_append(reading->arena, ports->items, ports->count) = port;
    return 0;
}

static int add_named_volume(const struct reading *reading, const char *text)
{
    return *text == '/' ? refuse_value(reading, text, "NAME:/PATH") : add_volume(reading, text);
}

static int add_database(const struct reading *reading, const char *text)
{
    struct list *databases = &reading->config->databases;
    struct image_database *database = image_database_parse(reading->arena, text);
    if (!database)
        return refuse_value(reading, text, "ENGINE[:NAME]");
    *arena_append(reading->arena, databases->items, databases->count) = database;
    return 0;
}

/* A label of ours is a JSON list of texts. Labels that a newer version writes are kept for none: they would be wrong
 * beside what this one changes. */
static int read_own_label(const struct reading *outer, const char *label, const char *text)
{
    static const struct {
        const char *label;
        size_t most;
        int (*add)(const struct reading *, const char *);
    } known[] = {{LABEL_PORTS, ITEMS_MOST, add_port},
                 {LABEL_VOLUMES, VOLUMES_MOST, add_named_volume},
                 {LABEL_DATABASES, VOLUMES_MOST, add_database}};
    struct reading reading = *outer;
    reading.key = label;
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strcmp(label, known[i].label) != 0)
            continue;
        _cleanup_json_ struct json *list = NULL;
        struct texts texts = {0};
        int result = json_parse(text, strlen(text), &list, NULL) < 0
                         ? refuse(&reading, "a JSON list of texts")
                         : take_texts(&reading, list, &texts);
        if (result == 0 && texts.count > known[i].most)
            result = refuse(&reading, "a shorter list");
        for (size_t j = 0; result == 0 && j < texts.count; j++)
            result = known[i].add(&reading, texts.items[j]);
        return result;
    }
    return 0;
}

static int read_labels(const struct reading *reading, const struct json *value)
{
    struct pairs *labels = &reading->config->labels;
    int result = check_set(reading, value, ITEMS_MOST);
    for (void *i = result < 0 ? NULL : json_first(value); i && result == 0; i = json_next(value, i)) {
        const char *label = json_key(i), *text = take_text(reading, json_value(i));
        if (!text)
            return -EINVAL;
        if (!*label || strlen(label) > TEXT_MOST || text_printable(label, strlen(label)) < strlen(label))
            return refuse_value(reading, label, "labels without control characters");
        if (strncmp(label, LABELS, strlen(LABELS)) == 0)
            result = read_own_label(reading, label, text);
        else
            *arena_append(reading->arena, labels->items, labels->count) =
                (struct pair){.key = arena_strdup(reading->arena, label), .value = text};
    }
    return result;
}

int image_config_from_json(struct arena *arena, const struct json *object, struct image_config **config,
                           struct error *error)
{
    static const struct {
        const char *key;
        int (*read)(const struct reading *, const struct json *);
    } keys[] = {
        {"Cmd", read_command},          {"Entrypoint", read_entrypoint},  {"Env", read_env},
        {"ExposedPorts", read_exposed}, {"Healthcheck", read_health},     {"Shell", read_shell},
        {"OnBuild", read_triggers},     {"StopSignal", read_stop_signal}, {"User", read_user},
        {"Volumes", read_volumes},      {"Labels", read_labels}, /* after Volumes: names win over none */
        {"WorkingDir", read_directory},
    };
    struct reading reading = {.arena = arena, .config = image_config_new(arena), .error = error};
    if (!json_is_nothing(object) && !json_holds_object(object))
        return error_set(error, -EINVAL, "the config of an image is not a JSON object");
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
        const struct json *value = json_get(object, keys[i].key);
        reading.key = keys[i].key;
        if (json_is_nothing(value)) /* Go writes null for an empty list */
            continue;
        int result = keys[i].read(&reading, value);
        if (result < 0)
            return error_wrap(error, result, "config");
    }
    image_config_settle(arena, reading.config);
    if (reading.config->volumes.count > VOLUMES_MOST)
        return error_set(error, -EINVAL, "config: Volumes: more than %d", VOLUMES_MOST);
    *config = reading.config;
    return 0;
}

int image_config_parse(struct arena *arena, const char *text, struct image_config **config,
                       struct error *error)
{
    _cleanup_json_ struct json *object = NULL;
    const size_t length = text ? strlen(text) : 0;
    if (length > IMAGE_CONFIG_SIZE)
        return error_set(error, -EFBIG, "the config of an image has %zu bytes, more than %d", length,
                         IMAGE_CONFIG_SIZE);
    int result = length ? json_parse(text, length, &object, error) : 0;
    return result < 0 ? error_wrap(error, result, "config")
                      : image_config_from_json(arena, object, config, error);
}

/* ---- writing ---- */

static struct json *text_list(const struct texts *texts)
{
    struct json *list = json_new_array();
    for (size_t i = 0; i < texts->count; i++)
        json_append(list, json_new_text(texts->items[i]));
    return list;
}

static void set_texts(struct json *object, const char *key, const struct texts *texts)
{
    if (texts->count)
        json_set(object, key, text_list(texts));
}

static void set_text(struct json *object, const char *key, const char *text)
{
    if (text)
        json_set(object, key, json_new_text(text));
}

static void set_env(struct json *object, const struct pairs *env)
{
    if (!env->count)
        return;
    struct json *list = json_set(object, "Env", json_new_array());
    for (size_t i = 0; i < env->count; i++) {
        _cleanup_buffer_ struct buffer entry = {0};
        buffer_printf(&entry, "%s=%s", env->items[i].key, env->items[i].value);
        json_append(list, json_new_text(entry.bytes));
    }
}

static void set_exposed(struct json *object, const struct texts *exposed)
{
    if (!exposed->count)
        return;
    struct json *set = json_set(object, "ExposedPorts", json_new_object());
    for (size_t i = 0; i < exposed->count; i++)
        json_set(set, exposed->items[i], json_new_object());
}

static void set_volumes(struct json *object, const struct list *volumes)
{
    if (!volumes->count)
        return;
    struct json *set = json_set(object, "Volumes", json_new_object());
    for (size_t i = 0; i < volumes->count; i++)
        json_set(set, ((const struct image_volume *)volumes->items[i])->path, json_new_object());
}

static void set_period(struct json *health, const char *key, int64_t period)
{
    if (period)
        json_set(health, key, json_new_number(period * MILLISECOND));
}

static void set_health(struct json *object, const struct image_health *health)
{
    if (!health->described.present)
        return;
    struct json *written = json_set(object, "Healthcheck", json_new_object());
    set_period(written, "Interval", health->interval);
    if (health->retries)
        json_set(written, "Retries", json_new_number(health->retries));
    set_period(written, "StartInterval", health->start_interval);
    set_period(written, "StartPeriod", health->start_period);
    if (health->none)
        json_append(json_set(written, "Test", json_new_array()), json_new_text("NONE"));
    else
        set_texts(written, "Test", &health->test);
    set_period(written, "Timeout", health->timeout);
}

/* What has no key in OCI, as one list in one label. */
static void add_own_label(struct arena *arena, struct pairs *labels, const char *label,
                          const struct texts *texts)
{
    if (!texts->count)
        return;
    _cleanup_json_ struct json *list = text_list(texts);
    _cleanup_buffer_ struct buffer text = {0};
    json_print(list, false, &text);
    *arena_append(arena, labels->items, labels->count) =
        (struct pair){.key = label, .value = arena_strdup(arena, text.bytes)};
}

static void add_own_labels(struct arena *arena, struct pairs *labels, const struct image_config *config)
{
    struct texts ports = {0}, volumes = {0}, databases = {0};
    for (size_t i = 0; i < config->ports.count; i++)
        *arena_append(arena, ports.items, ports.count) = image_port_text(arena, config->ports.items[i]);
    for (size_t i = 0; i < config->volumes.count; i++) {
        const struct image_volume *volume = config->volumes.items[i];
        if (volume->name)
            *arena_append(arena, volumes.items, volumes.count) =
                arena_join(arena, volume->name, ':', volume->path);
    }
    for (size_t i = 0; i < config->databases.count; i++)
        *arena_append(arena, databases.items, databases.count) =
            ((const struct image_database *)config->databases.items[i])->key;
    add_own_label(arena, labels, LABEL_PORTS, &ports);
    add_own_label(arena, labels, LABEL_VOLUMES, &volumes);
    add_own_label(arena, labels, LABEL_DATABASES, &databases);
}

static void set_labels(struct json *object, const struct image_config *config)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct image_config *all = image_config_new(arena);
    for (size_t i = 0; i < config->labels.count; i++)
        if (strncmp(config->labels.items[i].key, LABELS, strlen(LABELS)) != 0)
            *arena_append(arena, all->labels.items, all->labels.count) = config->labels.items[i];
    add_own_labels(arena, &all->labels, config);
    image_config_settle(arena, all);
    if (!all->labels.count)
        return;
    struct json *set = json_set(object, "Labels", json_new_object());
    for (size_t i = 0; i < all->labels.count; i++)
        json_set(set, all->labels.items[i].key, json_new_text(all->labels.items[i].value));
}

struct json *image_config_to_json(const struct image_config *config)
{
    struct json *object = json_new_object();
    set_texts(object, "Cmd", &config->command);
    set_texts(object, "Entrypoint", &config->entrypoint);
    set_env(object, &config->env);
    set_exposed(object, &config->exposed);
    set_health(object, config->health);
    set_labels(object, config);
    set_texts(object, "OnBuild", &config->triggers);
    set_texts(object, "Shell", &config->shell);
    set_text(object, "StopSignal", config->stop_signal);
    set_text(object, "User", config->user);
    set_volumes(object, &config->volumes);
    set_text(object, "WorkingDir", config->directory);
    return object;
}

char *image_config_to_text(struct arena *arena, const struct image_config *config)
{
    _cleanup_json_ struct json *object = image_config_to_json(config);
    _cleanup_buffer_ struct buffer text = {0};
    if (!json_length(object))
        return NULL;
    json_print(object, false, &text);
    return arena_strdup(arena, text.bytes);
}
