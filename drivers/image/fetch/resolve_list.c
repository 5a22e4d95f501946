/* What a server's list has for one architecture, for people who search: texts of strangers, bounded here, and only shown. */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "drivers/image/fetch/resolve.h"
#include "lib/buffer.h"
#include "lib/error.h"

#define PRODUCTS_LIMIT 500            /* of one answer; how many more there are is told */
#define TEXTS_LIMIT    64             /* ports, volumes or variables of one */
#define TEXT_LIMIT     512            /* bytes */
#define LINE_LIMIT     ((size_t)8000) /* bytes that who listens takes for one (drivers/lines.h) */

static const char *text_of(const struct json *object, const char *key)
{
    const char *text = json_as_text(json_get(object, key));
    return text && strlen(text) <= TEXT_LIMIT ? text : "";
}

static bool has_word(const char *text, const char *word)
{
    return strcasestr(text, word);
}

/* By what a source may call it: the first of its aliases. */
static const char *name_of(const struct json *product, char name[static TEXT_LIMIT + 1])
{
    const char *aliases = text_of(product, "aliases");
    const size_t length = strcspn(aliases, ",");
    if (length)
        snprintf(name, TEXT_LIMIT + 1, "%.*s", (int)length, aliases);
    else
        snprintf(name, TEXT_LIMIT + 1, "%.200s/%.200s", text_of(product, "os"), text_of(product, "release"));
    return name;
}

/* Every word, somewhere. */
static bool is_sought(const struct json *product, const struct json *words)
{
    const struct json *ours = json_get(product, "fpsync");
    char name[TEXT_LIMIT + 1];
    for (size_t i = 0; i < json_length(words); i++) {
        const char *word = json_as_text(json_at(words, i));
        if (word && !has_word(name_of(product, name), word) && !has_word(text_of(product, "os"), word) &&
            !has_word(text_of(product, "aliases"), word) && !has_word(text_of(ours, "description"), word))
            return false;
    }
    return true;
}

/* Called just so: that is not left out for being far down a long list. */
static bool is_named(const struct json *product, const struct json *words)
{
    char name[TEXT_LIMIT + 1];
    for (size_t i = 0; i < json_length(words); i++) {
        const char *word = json_as_text(json_at(words, i)), *at = text_of(product, "aliases");
        if (word && strcmp(name_of(product, name), word) == 0)
            return true;
        for (; word && *at; at += strcspn(at, ","), at += *at == ',')
            if (strcspn(at, ",") == strlen(word) && strncmp(at, word, strlen(word)) == 0)
                return true;
    }
    return false;
}

static void add_texts(struct json *out, const char *key, const struct json *from)
{
    struct json *list = json_set(out, key, json_new_array());
    for (size_t i = 0; i < json_length(from) && i < TEXTS_LIMIT; i++) {
        const char *text = json_as_text(json_at(from, i));
        if (text && strlen(text) <= TEXT_LIMIT)
            json_append(list, json_new_text(text));
    }
}

static struct json *describe(const struct json *product)
{
    const struct json *ours = json_get(product, "fpsync"), *versions = json_get(product, "versions");
    char name[TEXT_LIMIT + 1];
    const char *fingerprint;
    int64_t size;
    const char *version = resolve_newest(product, &fingerprint, &size);
    if (!version)
        return NULL;
    struct json *out = json_new_object();
    const struct json *items = json_get(json_get(versions, version), "items");
    json_set(out, "name", json_new_text(name_of(product, name)));
    json_set(out, "aliases", json_new_text(text_of(product, "aliases")));
    json_set(out, "version", json_new_text(version));
    json_set(out, "release", json_new_text(text_of(ours, "version")));
    json_set(out, "arch", json_new_text(text_of(product, "arch")));
    json_set(out, "description", json_new_text(text_of(ours, "description")));
    add_texts(out, "ports", json_get(ours, "ports"));
    add_texts(out, "volumes", json_get(ours, "volumes"));
    add_texts(out, "env", json_get(ours, "env"));
    add_texts(out, "needs", json_get(ours, "needs"));
    json_set(out, "size", json_new_number(size));
    json_set(out, "fingerprint", json_new_text(fingerprint));
    json_set(out, "recipe", json_new_bool(resolve_item(items, RESOLVE_RECIPE) != NULL));
    return out;
}

/* What is too long for a line goes without what is least missed. */
static struct json *fit(struct json *product)
{
    static const char *const dispensable[] = {"env", "volumes", "ports", "aliases", "needs", NULL};
    struct json *line = json_new_object();
    json_set(line, "product", product);
    for (const char *const *key = dispensable;; key++) {
        _cleanup_buffer_ struct buffer text = {0};
        json_print(line, false, &text);
        if (text.length < LINE_LIMIT || !*key)
            return line;
        json_remove(product, *key);
    }
}

struct json *resolve_list(const struct json *list, const char *arch, const struct json *words,
                          void (*each)(struct json *line), struct error *error)
{
    const struct json *products = json_get(list, "products");
    int64_t count = 0, named = 0, more = 0;
    if (strcmp(text_of(list, "format"), "products:1.0") != 0 || !json_holds_object(products)) {
        error_set(error, -EBADMSG, "it is no simplestreams list of products (format products:1.0)");
        return NULL;
    }
    for (void *i = json_first(products); i; i = json_next(products, i)) {
        const struct json *product = json_value(i);
        struct json *described = strcmp(text_of(product, "arch"), arch) == 0 && is_sought(product, words)
                                     ? describe(product)
                                     : NULL;
        int64_t *counted = is_named(product, words) ? &named : &count;
        if (described && *counted < PRODUCTS_LIMIT) {
            ++*counted;
            each(fit(described));
        } else if (described) {
            json_free(described);
            more++;
        }
    }
    struct json *answer = json_new_object();
    json_set(answer, "more", json_new_number(more));
    return answer;
}
