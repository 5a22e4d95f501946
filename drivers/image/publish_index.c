/* What the indexes of a published tree say, as values: simplestreams as LXD reads it
 * (https://canonical-simplestreams.readthedocs.io), with a word of ours in each product for `store search`. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "drivers/image/image.h"
#include "drivers/image/publish.h"
#include "lib/error.h"
#include "lib/json.h"
#include "lib/map.h"
#include "specs/image_config.h"

#define LIST_PATH    PUBLISH_STREAMS "/images.json"
#define VERSION_FORM "%Y%m%d_%H%M%S"
#define VERSION_SIZE sizeof("YYYYmmdd_HHMMSS")

static const char *text_of(const struct json *object, const char *key)
{
    const char *text = json_as_text(json_get(object, key));
    return text ? text : "";
}

static const char *product_name(const struct publishing *publishing)
{
    const struct image_publish *request = publishing->request;
    return arena_printf(publishing->call->arena, "%s:current:%s:default", request->name, request->arch);
}

static struct json *product_of(const struct publishing *publishing)
{
    return json_get(json_get(publishing->images, "products"), product_name(publishing));
}

/* ---- reading ---- */

static struct json *new_document(const char *format, const char *holds)
{
    struct json *document = json_new_object();
    json_set(document, "format", json_new_text(format));
    json_set(document, holds, json_new_object());
    return document;
}

static int read_document(struct publishing *publishing, int folder, const char *name, const char *format,
                         const char *holds, struct json **document, const char **before, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    int result = folder < 0 ? -ENOENT : publish_read(folder, name, &text, error);
    if (result == -ENOENT) {
        *document = new_document(format, holds);
        return 0;
    }
    if (result == 0)
        result = json_parse(text.length ? text.bytes : "", text.length, document, error);
    if (result < 0)
        return error_wrap(error, result, PUBLISH_STREAMS "/%s", name);
    if (strcmp(text_of(*document, "format"), format) != 0 || !json_holds_object(json_get(*document, holds)))
        return error_set(error, -EBADMSG, PUBLISH_STREAMS "/%s is none of simplestreams (format %s)", name,
                         format);
    *before = arena_strndup(publishing->call->arena, text.bytes, text.length);
    return 0;
}

static const struct json *list_of(const struct json *index)
{
    const struct json *lists = json_get(index, "index");
    for (void *i = json_first(lists); i; i = json_next(lists, i))
        if (strcmp(text_of(json_value(i), "path"), LIST_PATH) == 0)
            return json_value(i);
    return NULL;
}

int publish_read_index(struct publishing *publishing, struct error *error)
{
    const struct image_publish *request = publishing->request;
    publishing->place =
        arena_printf(publishing->call->arena, "images/%s/current/%s/default", request->name, request->arch);
    _cleanup_close_ int folder = publish_folder(publishing->tree, PUBLISH_STREAMS, false, error);
    if (folder < 0 && folder != -ENOENT)
        return folder;
    int result = read_document(publishing, folder, "index.json", "index:1.0", "index", &publishing->index,
                               &publishing->index_text, error);
    if (result == 0)
        result = read_document(publishing, folder, "images.json", "products:1.0", "products",
                               &publishing->images, &publishing->images_text, error);
    if (result < 0)
        return result;
    const struct json *product = product_of(publishing);
    if (product && !json_holds_object(json_get(product, "fpsync")))
        return error_set(error, -EEXIST, "the tree has a product %s that fpsync did not publish",
                         product_name(publishing));
    return 0;
}

/* ---- versions ---- */

static const char *newest_version(const struct publishing *publishing)
{
    const struct json *versions = json_get(product_of(publishing), "versions");
    const char *newest = NULL;
    for (void *i = json_first(versions); i; i = json_next(versions, i))
        if (!newest || strcmp(json_key(i), newest) > 0)
            newest = json_key(i);
    return newest;
}

/* Its files, too, are there as the index says. */
static bool is_whole(const struct publishing *publishing, const char *version)
{
    struct error unused;
    const struct json *items =
        json_get(json_get(json_get(product_of(publishing), "versions"), version), "items");
    const char *place = arena_join(publishing->call->arena, publishing->place, '/', version);
    _cleanup_close_ int folder = publish_folder(publishing->tree, place, false, &unused);
    for (void *i = json_first(items); i; i = json_next(items, i)) {
        struct stat status;
        const char *path = text_of(json_value(i), "path"), *slash = strrchr(path, '/');
        if (folder < 0 || !slash || fstatat(folder, slash + 1, &status, AT_SYMLINK_NOFOLLOW) < 0 ||
            !S_ISREG(status.st_mode) || status.st_size != json_as_number(json_get(json_value(i), "size"), -1))
            return false;
    }
    return json_length(items) > 0;
}

static bool is_this(const struct publishing *publishing, const char *version)
{
    const struct image_publish *request = publishing->request;
    const struct json *own =
        json_get(json_get(json_get(product_of(publishing), "versions"), version), "fpsync");
    return strcmp(text_of(own, "image"), request->digest) == 0 &&
           strcmp(text_of(own, "format"), request->format) == 0 && is_whole(publishing, version);
}

/* Written as ours are, to the letter: others that mean the same time sort elsewhere among them. */
static bool read_version(const char *version, time_t *seconds)
{
    char again[VERSION_SIZE] = "";
    struct tm parts = {0};
    const char *end = strptime(version, VERSION_FORM, &parts);
    if (!end || *end)
        return false;
    *seconds = timegm(&parts);
    strftime(again, sizeof(again), VERSION_FORM, &parts);
    return strcmp(again, version) == 0;
}

/* Versions sort as texts, and the newest is what readers take. */
int publish_choose_version(struct publishing *publishing, struct error *error)
{
    char text[VERSION_SIZE];
    const char *newest = newest_version(publishing);
    struct tm parts;
    time_t seconds = (time_t)publishing->time, last = 0;
    if (newest && is_this(publishing, newest)) {
        publishing->version = arena_strdup(publishing->call->arena, newest);
        publishing->is_there = true;
        return 0;
    }
    if (newest && !read_version(newest, &last))
        return error_set(error, -EBADMSG, "the tree has version \"%.64s\" of it, which is none of ours",
                         newest);
    if (newest && last >= seconds)
        seconds = last + 1;
    publishing->time = seconds;
    if (!strftime(text, sizeof(text), VERSION_FORM, gmtime_r(&seconds, &parts)))
        return error_set(error, -EOVERFLOW, "no version can follow \"%.64s\", which the tree has of it",
                         newest ? newest : "");
    publishing->version = arena_strdup(publishing->call->arena, text);
    return 0;
}

bool publish_names_version(const struct publishing *publishing, const char *version)
{
    return json_get(json_get(product_of(publishing), "versions"), version) != NULL;
}

/* ---- writing ---- */

static void add_item(const struct publishing *publishing, struct json *items, const struct publish_item *item)
{
    struct json *out = json_set(items, item->key, json_new_object());
    const char *place = arena_join(publishing->call->arena, publishing->place, '/', publishing->version);
    json_set(out, "ftype", json_new_text(item->type));
    json_set(out, "path", json_new_text(arena_join(publishing->call->arena, place, '/', item->file)));
    json_set(out, "sha256", json_new_text(item->digest));
    json_set(out, "size", json_new_number(item->size));
    if (strcmp(item->type, "lxd.tar.xz") != 0)
        return;
    const bool squashed = strcmp(publishing->request->format, "squashfs") == 0;
    json_set(out, squashed ? "combined_squashfs_sha256" : "combined_rootxz_sha256",
             json_new_text(publishing->combined));
    if (!squashed)
        json_set(out, "combined_sha256", json_new_text(publishing->combined));
}

static void add_config(const struct publishing *publishing, struct json *own)
{
    const struct image_config *config = publishing->config;
    struct arena *arena = publishing->call->arena;
    struct json *ports = json_set(own, "ports", json_new_array());
    for (size_t i = 0; i < config->ports.count; i++)
        json_append(ports, json_new_text(image_port_text(arena, config->ports.items[i])));
    for (size_t i = 0; i < config->exposed.count; i++)
        json_append(ports, json_new_text(config->exposed.items[i]));
    struct json *volumes = json_set(own, "volumes", json_new_array());
    for (size_t i = 0; i < config->volumes.count; i++) {
        const struct image_volume *volume = config->volumes.items[i];
        json_append(volumes, json_new_text(volume->name ? arena_join(arena, volume->name, ':', volume->path)
                                                        : volume->path));
    }
    struct json *env = json_set(own, "env", json_new_array()); /* values may be long, and are in the image */
    for (size_t i = 0; i < config->env.count; i++)
        json_append(env, json_new_text(config->env.items[i].key));
}

/* Who builds by the recipe needs images by these names, which no server has for them. */
static void add_needs(const struct publishing *publishing, struct json *own)
{
    const struct texts *needs = &publishing->request->needs;
    struct json *list = needs->count ? json_set(own, "needs", json_new_array()) : NULL;
    for (size_t i = 0; i < needs->count; i++)
        json_append(list, json_new_text(needs->items[i]));
}

static struct json *describe_product(const struct publishing *publishing)
{
    const struct image_publish *request = publishing->request;
    struct arena *arena = publishing->call->arena;
    struct json *products = json_get(publishing->images, "products"), *product = product_of(publishing);
    if (!product)
        product = json_set(products, product_name(publishing), json_new_object());
    json_set(product, "aliases",
             json_new_text(arena_printf(arena, "%s,%s/current", request->name, request->name)));
    json_set(product, "arch", json_new_text(request->arch));
    json_set(product, "os", json_new_text(request->name));
    json_set(product, "release", json_new_text("current"));
    json_set(product, "release_title", json_new_text("current"));
    json_set(product, "variant", json_new_text("default"));
    struct json *own = json_set(product, "fpsync", json_new_object());
    json_set(own, "description",
             json_new_text(publish_label(publishing, "description", publish_label(publishing, "title", ""))));
    json_set(own, "version", json_new_text(publish_label(publishing, "version", "")));
    add_config(publishing, own);
    add_needs(publishing, own);
    if (!json_holds_object(json_get(product, "versions")))
        json_set(product, "versions", json_new_object());
    return json_get(product, "versions");
}

/* Somebody took files of it away. */
static void drop_broken(const struct publishing *publishing, struct json *versions)
{
    struct texts names = {0};
    for (void *i = json_first(versions); i; i = json_next(versions, i))
        *arena_append(publishing->call->arena, names.items, names.count) =
            arena_strdup(publishing->call->arena, json_key(i));
    for (size_t i = 0; i < names.count; i++)
        if (!is_whole(publishing, names.items[i]))
            json_remove(versions, names.items[i]);
}

static void drop_oldest(const struct publishing *publishing, struct json *versions)
{
    while (json_length(versions) > (size_t)publishing->request->keep) {
        const char *oldest = NULL;
        for (void *i = json_first(versions); i; i = json_next(versions, i))
            if (!oldest || strcmp(json_key(i), oldest) < 0)
                oldest = json_key(i);
        json_remove(versions, arena_strdup(publishing->call->arena, oldest));
    }
}

/* The list of products in index.json: where somebody else's has it, too, in place. */
static void name_product(struct publishing *publishing)
{
    struct json *list = (struct json *)list_of(publishing->index);
    const char *name = product_name(publishing);
    if (!list)
        list = json_set(json_get(publishing->index, "index"), "images", json_new_object());
    json_set(list, "datatype", json_new_text("image-downloads"));
    json_set(list, "format", json_new_text("products:1.0"));
    json_set(list, "path", json_new_text(LIST_PATH));
    if (!json_holds_array(json_get(list, "products")))
        json_set(list, "products", json_new_array());
    struct json *names = json_get(list, "products");
    for (size_t i = 0; i < json_length(names); i++)
        if (text_is_same(json_as_text(json_at(names, i)), name))
            return;
    json_append(names, json_new_text(name));
}

void publish_add_version(struct publishing *publishing)
{
    struct json *versions = describe_product(publishing);
    drop_broken(publishing, versions);
    struct json *version = json_set(versions, publishing->version, json_new_object());
    struct json *items = json_set(version, "items", json_new_object());
    for (size_t i = 0; i < publishing->count; i++)
        if (publishing->items[i].key)
            add_item(publishing, items, &publishing->items[i]);
    struct json *own = json_set(version, "fpsync", json_new_object());
    json_set(own, "image", json_new_text(publishing->request->digest));
    json_set(own, "format", json_new_text(publishing->request->format));
    drop_oldest(publishing, versions);
    json_set(publishing->images, "content_id", json_new_text("images"));
    json_set(publishing->images, "datatype", json_new_text("image-downloads"));
    name_product(publishing);
    publishing->images_text = publishing->index_text = NULL;
}
