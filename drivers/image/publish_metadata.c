/* Texts about an image, for LXD and for LXC. What the image says of itself was written by strangers: it goes into JSON
 * (which YAML reads), or, in a line of a container's config, only where it is a plain word. */
#include <stdio.h>
#include <string.h>

#include "drivers/image/image.h"
#include "drivers/image/publish.h"
#include "lib/json.h"
#include "specs/image_config.h"

#define LABEL_PREFIX "org.opencontainers.image."

const char *publish_label(const struct publishing *publishing, const char *key, const char *otherwise)
{
    const struct pairs *labels = &publishing->config->labels;
    for (size_t i = 0; i < labels->count; i++)
        if (strncmp(labels->items[i].key, LABEL_PREFIX, strlen(LABEL_PREFIX)) == 0 &&
            strcmp(labels->items[i].key + strlen(LABEL_PREFIX), key) == 0)
            return labels->items[i].value;
    return otherwise;
}

const char *publish_lxc_arch(const struct publishing *publishing)
{
    static const char *const names[][2] = {
        {"amd64", "x86_64"}, {"arm64", "aarch64"}, {"i386", "i686"}, {"armhf", "armv7l"}};
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(names[i][0], publishing->request->arch) == 0)
            return names[i][1];
    return publishing->request->arch;
}

void publish_metadata(const struct publishing *publishing, struct buffer *text)
{
    const struct image_publish *request = publishing->request;
    const char *title = publish_label(publishing, "title", request->name);
    _cleanup_json_ struct json *metadata = json_new_object();
    json_set(metadata, "architecture", json_new_text(publish_lxc_arch(publishing)));
    json_set(metadata, "creation_date", json_new_number(publishing->time));
    struct json *properties = json_set(metadata, "properties", json_new_object());
    json_set(properties, "architecture", json_new_text(request->arch));
    json_set(properties, "description", json_new_text(publish_label(publishing, "description", title)));
    json_set(properties, "name", json_new_text(request->name));
    json_set(properties, "os", json_new_text(request->name));
    json_set(properties, "release", json_new_text("current"));
    json_set(properties, "serial", json_new_text(publishing->version));
    json_set(properties, "variant", json_new_text("default"));
    json_set(metadata, "templates", json_new_object());
    json_print(metadata, true, text);
    buffer_text(text, "\n");
}

/* ---- LXC ---- */

static bool is_plain(const char *text)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./:=,@%+-";
    return *text && strspn(text, letters) == strlen(text);
}

static bool are_plain(const struct texts *words)
{
    for (size_t i = 0; i < words->count; i++)
        if (!is_plain(words->items[i]))
            return false;
    return true;
}

/* An image with a command of its own has no init that LXC could start: it runs that. */
static void add_command(const struct image_config *config, struct buffer *text)
{
    const struct texts *const parts[] = {&config->entrypoint, &config->command};
    if (!config->entrypoint.count && !config->command.count)
        return;
    if (!are_plain(parts[0]) || !are_plain(parts[1])) {
        buffer_text(text,
                    "# The image's command has words that a line here cannot hold: set lxc.init.cmd.\n");
        return;
    }
    buffer_text(text, "lxc.init.cmd =");
    for (size_t i = 0; i < 2; i++)
        for (size_t j = 0; j < parts[i]->count; j++)
            buffer_printf(text, " %s", parts[i]->items[j]);
    buffer_text(text, "\n");
    if (config->directory && is_plain(config->directory))
        buffer_printf(text, "lxc.init.cwd = %s\n", config->directory);
    for (size_t i = 0; i < config->env.count; i++)
        if (is_plain(config->env.items[i].key) && is_plain(config->env.items[i].value))
            buffer_printf(text, "lxc.environment = %s=%s\n", config->env.items[i].key,
                          config->env.items[i].value);
}

void publish_lxc_config(const struct publishing *publishing, bool user, struct buffer *text)
{
    buffer_text(text, "lxc.include = LXC_TEMPLATE_CONFIG/common.conf\n");
    if (user)
        buffer_text(text, "lxc.include = LXC_TEMPLATE_CONFIG/userns.conf\n");
    buffer_printf(text, "lxc.arch = %s\n", publish_lxc_arch(publishing));
    add_command(publishing->config, text);
}

void publish_lxc_message(const struct publishing *publishing, struct buffer *text)
{
    buffer_printf(text, "You just created a container of the image %s (%s), version %s.\n",
                  publishing->request->name, publishing->request->arch, publishing->version);
}
