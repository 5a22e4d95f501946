/* store: what a server has that fpsync publishes to, or any other image server: found by words, and told of. Its texts are a
 * stranger's: what a terminal would obey in them is a '?'. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "reconciler/cli/image.h"
#include "specs/forms.h"

#define STORE "store" /* the remote, unless --remote says another */

struct asking {
    struct session *session;
    const char *remote;
    struct json *products; /* as fpsync-fetch tells of them */
    int64_t more;
};

/* ---- texts ---- */

/* Without what is no printable UTF-8, or turns the direction of what follows (U+202A-202E, U+2066-2069). */
static const char *shown(struct arena *arena, const char *text)
{
    char *safe = arena_strdup(arena, text ? text : "");
    for (char *at = safe; *at;) {
        const size_t length = text_printable(at, strlen(at));
        for (char *turn = at; turn + 2 < at + length; turn++)
            if ((unsigned char)turn[0] == 0xe2 &&
                (((unsigned char)turn[1] == 0x80 && (unsigned char)turn[2] >= 0xaa &&
                  (unsigned char)turn[2] <= 0xae) ||
                 ((unsigned char)turn[1] == 0x81 && (unsigned char)turn[2] >= 0xa6 &&
                  (unsigned char)turn[2] <= 0xa9)))
                memset(turn, '?', 3);
        at += length;
        if (*at)
            *at++ = '?';
    }
    return safe;
}

static const char *text_of(const struct asking *asking, const struct json *product, const char *key)
{
    return shown(asking->session->arena, json_as_text(json_get(product, key)));
}

/* ---- asking ---- */

static int find_remote(struct asking *asking, const struct remote **remote, struct error *error)
{
    struct session *session = asking->session;
    if (session_load_policy(session, error) < 0)
        return error->code;
    *remote =
        name_is_valid(asking->remote) ? remote_find(session->policy, asking->remote, session->arena) : NULL;
    return *remote ? 0
                   : error_set(
                         error, -ENOENT,
                         "no remote is called \"%s\"; write into %s: remotes: { %s: { url: \"https://...\", "
                         "key: \"RW...\" } }",
                         asking->remote, session->paths.conf,
                         name_is_valid(asking->remote) ? asking->remote : STORE);
}

static int ask(struct asking *asking, const struct texts *words, struct error *error)
{
    struct session *session = asking->session;
    struct arena *arena = session->arena;
    struct image_make *request = described_new(arena, &image_make_table);
    const struct remote *remote = NULL;
    void *done = NULL;
    int result = find_remote(asking, &remote, error);
    if (result < 0)
        return result;
    request->name = asking->remote;
    request->source = arena_printf(arena, "%s:", asking->remote);
    request->remote = (struct remote *)remote;
    request->downloads = session->policy->downloads;
    request->offline = session->options->offline;
    request->words = *words;
    result = image_step(session, STEP_IMAGE_LIST, request, &done, error);
    const struct image_listed *listed = done;
    if (result < 0)
        return result;
    asking->more = listed->more;
    return json_parse(listed->products, strlen(listed->products), &asking->products, error);
}

/* ---- what is here ---- */

/* Full name of the image that was made of it; *is_it: of this very version. NULL: none. */
static const char *here(const struct asking *asking, const struct json *product, bool *is_it)
{
    const struct actual *actual = &asking->session->actual;
    const char *name = json_as_text(json_get(product, "name")),
               *fingerprint = json_as_text(json_get(product, "fingerprint")), *known = NULL;
    const char *source = arena_printf(asking->session->arena, "%s:%s", asking->remote, name ? name : "");
    *is_it = false;
    for (size_t i = 0; i < actual->count && !*is_it; i++) {
        const struct entry *entry = &actual->items[i];
        const char *origin = entry->kind == KIND_IMAGE ? entry->facts->origin : NULL;
        const char *digest = origin ? strstr(origin, "sha256:") : NULL;
        if (entry->kind != KIND_IMAGE)
            continue;
        *is_it =
            digest && fingerprint && *fingerprint && strcmp(digest + strlen("sha256:"), fingerprint) == 0;
        if (*is_it || (entry->facts->digest &&
                       text_is_same(((const struct image *)entry->object.body)->source, source)))
            known = entry->name;
    }
    return known;
}

static const char *release_of(const struct asking *asking, const struct json *product)
{
    const char *release = text_of(asking, product, "release");
    return *release ? release : text_of(asking, product, "version");
}

/* ---- what may have been meant ---- */

/* By each of its aliases, and by what stands before the release in one. */
static void add_aliases(const struct asking *asking, const struct json *product, struct map *names)
{
    struct arena *arena = asking->session->arena;
    const char *at = text_of(asking, product, "aliases");
    char *name = arena_strdup(arena, text_of(asking, product, "name"));
    map_add(names, name, name);
    for (size_t length; *at; at += length + (at[length] == ',')) {
        length = strcspn(at, ",");
        char *alias = arena_strndup(arena, at, length);
        map_add(names, alias, alias);
        map_add(names, arena_strndup(arena, alias, strcspn(alias, "/")), alias);
    }
}

/* NULL: nothing is called nearly so. */
static const char *nearest(const struct asking *asking, const char *word)
{
    _cleanup_map_ struct map names = {0};
    for (size_t i = 0; i < json_length(asking->products); i++)
        add_aliases(asking, json_at(asking->products, i), &names);
    const char *near = map_nearest(&names, word);
    return near ? map_get(&names, near) : NULL;
}

/* ---- printing ---- */

static struct json *product_json(const struct asking *asking, const struct json *product)
{
    struct json *object = json_clone(product);
    bool is_it;
    const char *name = here(asking, product, &is_it);
    json_set(object, "remote", json_new_text(asking->remote));
    json_set(object, "here", json_new_text(name));
    json_set(object, "current", json_new_bool(is_it));
    return object;
}

static void print_line(const struct asking *asking, const struct json *product)
{
    bool is_it;
    const char *name = here(asking, product, &is_it);
    printf("%-24s %-18s %10s %-8s %s\n", text_of(asking, product, "name"), release_of(asking, product),
           session_size(asking->session, json_as_number(json_get(product, "size"), 0)),
           is_it  ? "current"
           : name ? "older"
                  : "-",
           text_of(asking, product, "description"));
}

/* With the words nothing came: the whole list says whether one of them was mistyped. */
static void ask_for_all(struct asking *asking)
{
    const struct texts none = {0};
    struct error ignored;
    json_free(TAKE_PTR(asking->products));
    if (ask(asking, &none, &ignored) < 0)
        asking->products = NULL;
}

static void tell_nothing_found(struct asking *asking, const struct texts *words)
{
    const char *near = NULL;
    if (words->count)
        ask_for_all(asking);
    for (size_t i = 0; i < words->count && !near; i++)
        near = nearest(asking, words->items[i]);
    fprintf(stderr, "fpsync: remote %s has no image for this machine", asking->remote);
    for (size_t i = 0; i < words->count; i++)
        fprintf(stderr, "%s%s", i ? " and " : " that says ", words->items[i]);
    fprintf(stderr, "%s%s%s\n", near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

static int search(struct asking *asking, const struct texts *words)
{
    const struct options *options = asking->session->options;
    const size_t count = json_length(asking->products);
    struct json *list = options->output == OUTPUT_DATA ? json_new_array() : NULL;
    if (options->output == OUTPUT_TABLE && count)
        printf("%-24s %-18s %10s %-8s %s\n", "NAME", "VERSION", "SIZE", "HERE", "DESCRIPTION");
    for (size_t i = 0; i < count; i++) {
        const struct json *product = json_at(asking->products, i);
        if (list)
            json_append(list, product_json(asking, product));
        else if (options->output == OUTPUT_NAME)
            printf("%s:%s\n", asking->remote, text_of(asking, product, "name"));
        else
            print_line(asking, product);
    }
    if (list)
        print_list(options, "images", list);
    else if (!count && !options->quiet)
        tell_nothing_found(asking, words);
    if (count && asking->more) /* to whoever takes it as data, too: it is not all that there is */
        fprintf(stderr, "fpsync: %" PRId64 " more are not shown; further words narrow it\n", asking->more);
    return EXIT_IN_SYNC;
}

static void print_texts(const struct asking *asking, const struct json *product, const char *key,
                        const char *title)
{
    const struct json *list = json_get(product, key);
    printf("%-12s ", title);
    for (size_t i = 0; i < json_length(list); i++)
        printf("%s%s", i ? ", " : "", shown(asking->session->arena, json_as_text(json_at(list, i))));
    printf("%s\n", json_length(list) ? "" : "-");
}

/* "guest, tools"; NULL: its recipe names nothing that its publisher alone has. */
static const char *needs_of(const struct asking *asking, const struct json *product)
{
    const struct json *list = json_get(product, "needs");
    _cleanup_buffer_ struct buffer text = {0};
    for (size_t i = 0; i < json_length(list); i++)
        buffer_printf(&text, "%s%s", i ? ", " : "",
                      shown(asking->session->arena, json_as_text(json_at(list, i))));
    return text.length ? arena_strdup(asking->session->arena, text.bytes) : NULL;
}

static void print_product(const struct asking *asking, const struct json *product)
{
    bool is_it;
    const char *name = here(asking, product, &is_it), *said = text_of(asking, product, "name");
    const bool recipe = json_as_bool(json_get(product, "recipe"));
    const char *release = text_of(asking, product, "release");
    printf("%-12s %s\n", "name", said);
    printf("%-12s %s\n", "aliases", text_of(asking, product, "aliases"));
    printf("%-12s %s\n", "description", text_of(asking, product, "description"));
    printf("%-12s %s%s%s\n", "version", text_of(asking, product, "version"), *release ? ", " : "", release);
    printf("%-12s %s\n", "arch", text_of(asking, product, "arch"));
    printf("%-12s %s\n", "size", session_size(asking->session, json_as_number(json_get(product, "size"), 0)));
    print_texts(asking, product, "ports", "ports");
    print_texts(asking, product, "volumes", "volumes");
    print_texts(asking, product, "env", "env");
    const char *needs = needs_of(asking, product);
    printf("%-12s %s%s\n", "recipe", recipe ? "yes" : "no",
           recipe && needs ? arena_printf(asking->session->arena, ", on its publisher's own %s", needs) : "");
    printf("%-12s %s%s\n", "here", name ? name : "no", name && !is_it ? ", of an older version" : "");
    printf("\nimages: { %s: { source: \"%s:%s\" } }\n", name_is_valid(said) ? said : "app", asking->remote,
           said);
    if (recipe && needs)
        printf("# build: \"%s:%s\" needs what its recipe names by %s: images of its publisher, which you "
               "declare first\n",
               asking->remote, said, needs);
    else if (recipe)
        printf("images: { %s: { build: \"%s:%s\" } }\n", name_is_valid(said) ? said : "app", asking->remote,
               said);
}

static bool has_alias(const struct json *product, const char *name)
{
    const char *aliases = json_as_text(json_get(product, "aliases")),
               *own = json_as_text(json_get(product, "name"));
    const size_t length = strlen(name);
    if (own && strcmp(own, name) == 0)
        return true;
    for (const char *at = aliases ? aliases : ""; *at; at += strcspn(at, ","), at += *at == ',')
        if (strcspn(at, ",") == length && strncmp(at, name, length) == 0)
            return true;
    return false;
}

static const char *name_sought(const struct options *options)
{
    const char *colon = strchr(options->arguments[1], ':');
    return colon ? colon + 1 : options->arguments[1];
}

static int info(struct asking *asking)
{
    const struct options *options = asking->session->options;
    const char *name = name_sought(options);
    struct error error;
    for (size_t i = 0; i < json_length(asking->products); i++) {
        const struct json *product = json_at(asking->products, i);
        if (!has_alias(product, name))
            continue;
        if (options->output == OUTPUT_DATA) {
            struct json *list = json_new_array();
            json_append(list, product_json(asking, product));
            print_list(options, "images", list);
        } else if (options->output == OUTPUT_NAME) {
            printf("%s:%s\n", asking->remote, name);
        } else {
            print_product(asking, product);
        }
        return EXIT_IN_SYNC;
    }
    ask_for_all(asking);
    const char *near = nearest(asking, name);
    error_set(&error, -ENOENT, "remote %s has no image %s for this machine; %s%s%s", asking->remote, name,
              near ? "did you mean " : "fpsync store search lists them", near ? near : "", near ? "?" : "");
    return fail(options, &error, EXIT_ERROR);
}

/* ---- the command ---- */

/* "REMOTE:NAME" says the remote as a source does. */
static const char *remote_of(struct session *session, bool one)
{
    const struct options *options = session->options;
    const char *argument = one ? options->arguments[1] : "", *colon = strchr(argument, ':');
    return options->remote ? options->remote
           : colon         ? arena_strndup(session->arena, argument, (size_t)(colon - argument))
                           : STORE;
}

static int run(struct session *session, bool one)
{
    const struct options *options = session->options;
    struct asking asking = {.session = session, .remote = remote_of(session, one)};
    struct texts words = {0};
    struct error error = {0};
    for (size_t i = 1; i < options->argument_count && !one; i++)
        *arena_append(session->arena, words.items, words.count) = options->arguments[i];
    if (one) /* of a list that is too long for one answer, what may be meant */
        *arena_append(session->arena, words.items, words.count) = name_sought(options);
    int result = ask(&asking, &words, &error);
    if (session->problems.count)
        return fail_invalid(options, &session->problems);
    if (result < 0)
        return fail(options, &error, EXIT_ERROR);
    const int code = one ? info(&asking) : search(&asking, &words);
    json_free(asking.products);
    return code;
}

int run_store(const struct options *options)
{
    const char *word = options->argument_count ? options->arguments[0] : "search";
    const bool one = strcmp(word, "info") == 0;
    struct error error = {0};
    if (!one && strcmp(word, "search") != 0)
        error_set(&error, -EINVAL, "store: expected search or info, found \"%s\"", word);
    else if (one && options->argument_count != 2)
        error_set(&error, -EINVAL, "store info needs the name of one image");
    if (error.code)
        return fail(options, &error, EXIT_ERROR);
    _cleanup_session_ struct session session = {.options = options, .lock = -1};
    if (session_open(options, SESSION_READ, &session, &error) < 0 ||
        session_make_folders(&session.paths, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    return run(&session, one);
}
