/* From an alias to files: the product that bears it for our architecture, its newest version, and in that the pair, or
 * the one file, that an image is made of. */
#include "drivers/image/fetch/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/error.h"

#define LISTS_LIMIT 16

static const char *text_of(const struct json *object, const char *key)
{
    const char *text = json_as_text(json_get(object, key));
    return text ? text : "";
}

struct json *resolve_products(const struct json *index, struct error *error)
{
    const struct json *lists = json_get(index, "index");
    if (strcmp(text_of(index, "format"), "index:1.0") != 0 || !json_holds_object(lists)) {
        error_set(error, -EBADMSG, "it is no simplestreams index (format index:1.0)");
        return NULL;
    }
    struct json *answer = json_new_object(), *paths = json_set(answer, "paths", json_new_array());
    for (void *i = json_first(lists); i && json_length(paths) < LISTS_LIMIT; i = json_next(lists, i)) {
        const struct json *list = json_value(i);
        const char *kind = text_of(list, "datatype"), *path = text_of(list, "path");
        if ((strcmp(kind, "image-downloads") == 0 || !*kind) && *path)
            json_append(paths, json_new_text(path));
    }
    return answer;
}

/* ---- which product ---- */

static bool is_listed(const char *list, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = list; *at; at += *at == ',') {
        size_t part = strcspn(at, ",");
        if (part == length && strncmp(at, word, length) == 0)
            return true;
        at += part;
    }
    return false;
}

static bool is_part(const char *text, size_t length, const char *of)
{
    return *of && strlen(of) == length && strncasecmp(text, of, length) == 0;
}

/* OS/RELEASE[/VARIANT] */
static bool is_meant(const struct json *product, const char *alias)
{
    size_t os = strcspn(alias, "/");
    if (!alias[os] || !is_part(alias, os, text_of(product, "os")))
        return false;
    const char *release = alias + os + 1;
    size_t length = strcspn(release, "/");
    const char *variant = release[length] ? release + length + 1 : "default";
    return (is_part(release, length, text_of(product, "release")) ||
            is_part(release, length, text_of(product, "release_title")) ||
            is_part(release, length, text_of(product, "version"))) &&
           strcmp(variant, *text_of(product, "variant") ? text_of(product, "variant") : "default") == 0;
}

/* An alias that is said wins over one that is put together. */
static const struct json *find_product(const struct json *products, const char *alias, const char *arch,
                                       bool said, const char **name)
{
    for (void *i = json_first(products); i; i = json_next(products, i)) {
        const struct json *product = json_value(i);
        if (strcmp(text_of(product, "arch"), arch) == 0 &&
            (said ? is_listed(text_of(product, "aliases"), alias) : is_meant(product, alias))) {
            *name = json_key(i);
            return product;
        }
    }
    return NULL;
}

/* ---- which files ---- */

struct choice {
    const struct json *whole, *metadata, *root;
    const char *fingerprint; /* "": it is not said */
};

const struct json *resolve_item(const struct json *items, const char *type)
{
    for (void *i = json_first(items); i; i = json_next(items, i))
        if (strcmp(text_of(json_value(i), "ftype"), type) == 0)
            return json_value(i);
    return NULL;
}

static bool choose_pair(const struct json *items, const char *metadata, struct choice *choice)
{
    static const struct {
        const char *type, *fingerprints[2];
    } roots[] = {
        {"root.tar.xz", {"combined_rootxz_sha256", "combined_sha256"}},
        {"squashfs", {"combined_squashfs_sha256", NULL}},
    };
    const struct json *found = resolve_item(items, metadata);
    for (size_t i = 0; found && i < sizeof(roots) / sizeof(roots[0]); i++) {
        const struct json *root = resolve_item(items, roots[i].type);
        if (!root)
            continue;
        *choice = (struct choice){.metadata = found, .root = root, .fingerprint = ""};
        for (size_t j = 0; j < 2 && roots[i].fingerprints[j] && !*choice->fingerprint; j++)
            choice->fingerprint = text_of(found, roots[i].fingerprints[j]);
        return true;
    }
    return false;
}

static bool choose(const struct json *items, struct choice *choice)
{
    static const char *const wholes[] = {"incus_combined.tar.gz", "lxd_combined.tar.gz"};
    if (choose_pair(items, "incus.tar.xz", choice) || choose_pair(items, "lxd.tar.xz", choice))
        return true;
    for (size_t i = 0; i < sizeof(wholes) / sizeof(wholes[0]); i++) {
        const struct json *whole = resolve_item(items, wholes[i]);
        if (!whole)
            continue;
        *choice = (struct choice){.whole = whole, .fingerprint = text_of(whole, "sha256")};
        return true;
    }
    return false;
}

static bool is_wanted(const struct choice *choice, const char *fingerprint)
{
    return !fingerprint || strcmp(choice->fingerprint, fingerprint) == 0;
}

/* Versions are dates that sort as texts; whoever publishes twice a day adds the time. */
static const char *choose_version(const struct json *versions, const char *fingerprint, struct choice *choice)
{
    const char *newest = NULL;
    for (void *i = json_first(versions); i; i = json_next(versions, i)) {
        struct choice here;
        if ((!newest || strcmp(json_key(i), newest) > 0) && choose(json_get(json_value(i), "items"), &here) &&
            is_wanted(&here, fingerprint)) {
            newest = json_key(i);
            *choice = here;
        }
    }
    return newest;
}

/* ---- the answer ---- */

static void add_item(struct json *items, const char *role, const struct json *item)
{
    if (!item)
        return;
    struct json *out = json_append(items, json_new_object());
    json_set(out, "role", json_new_text(role));
    json_set(out, "path", json_new_text(text_of(item, "path")));
    json_set(out, "sha256", json_new_text(text_of(item, "sha256")));
    json_set(out, "size", json_new_number(json_as_number(json_get(item, "size"), -1)));
}

static struct json *nothing(const char *format, const char *what)
{
    char text[512];
    struct json *answer = json_new_object();
    snprintf(text, sizeof(text), format, what);
    json_set(answer, "none", json_new_text(text));
    return answer;
}

static const struct json *find_alias(const struct json *list, const char *alias, const char *arch,
                                     const char **name, struct error *error)
{
    const struct json *products = json_get(list, "products"), *product;
    *name = NULL;
    if (strcmp(text_of(list, "format"), "products:1.0") != 0 || !json_holds_object(products)) {
        error_set(error, -EBADMSG, "it is no simplestreams list of products (format products:1.0)");
        return NULL;
    }
    product = find_product(products, alias, arch, true, name);
    return product ? product : find_product(products, alias, arch, false, name);
}

static struct json *new_answer(const char *name, const char *version, const char *fingerprint,
                               struct json **items)
{
    struct json *answer = json_new_object();
    json_set(answer, "product", json_new_text(name));
    json_set(answer, "version", json_new_text(version));
    json_set(answer, "fingerprint", json_new_text(fingerprint));
    *items = json_set(answer, "items", json_new_array());
    return answer;
}

struct json *resolve_image(const struct json *list, const char *alias, const char *arch,
                           const char *fingerprint, struct error *error)
{
    struct choice choice = {0};
    const char *name;
    struct json *items;
    const struct json *product = find_alias(list, alias, arch, &name, error);
    if (!product)
        return error->code ? NULL : nothing("no image is called so for %.32s", arch);
    const char *version = choose_version(json_get(product, "versions"), fingerprint, &choice);
    if (!version)
        return fingerprint
                   ? nothing("no version of it has the fingerprint sha256:%.64s any more", fingerprint)
                   : nothing("no version of it holds a root that containers run on", "");
    struct json *answer = new_answer(name, version, choice.fingerprint, &items);
    add_item(items, "image", choice.whole);
    add_item(items, "metadata", choice.metadata);
    add_item(items, "root", choice.root);
    return answer;
}

const char *resolve_newest(const struct json *product, const char **fingerprint, int64_t *size)
{
    struct choice choice = {0};
    const char *version = choose_version(json_get(product, "versions"), NULL, &choice);
    if (!version)
        return NULL;
    const struct json *parts[] = {choice.whole, choice.metadata, choice.root};
    *fingerprint = choice.fingerprint;
    *size = 0;
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        *size += parts[i] ? json_as_number(json_get(parts[i], "size"), 0) : 0;
    return version;
}

struct json *resolve_recipe(const struct json *list, const char *alias, const char *arch,
                            const char *fingerprint, struct error *error)
{
    const char *name, *newest = NULL;
    const struct json *product = find_alias(list, alias, arch, &name, error), *found = NULL;
    const struct json *versions = json_get(product, "versions");
    struct json *items;
    if (!product)
        return error->code ? NULL : nothing("no image is called so for %.32s", arch);
    for (void *i = json_first(versions); i; i = json_next(versions, i)) {
        const struct json *recipe = resolve_item(json_get(json_value(i), "items"), RESOLVE_RECIPE);
        if (!recipe || (newest && strcmp(json_key(i), newest) <= 0) ||
            (fingerprint && strcmp(text_of(recipe, "sha256"), fingerprint) != 0))
            continue;
        newest = json_key(i);
        found = recipe;
    }
    if (!found)
        return fingerprint ? nothing("no version of it has the recipe sha256:%.64s any more", fingerprint)
                           : nothing("it was published without a recipe", "");
    struct json *answer = new_answer(name, newest, text_of(found, "sha256"), &items);
    add_item(items, "recipe", found);
    return answer;
}
