#include "drivers/image/build_environment.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "lib/error.h"

#define STANDARD_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#define MASK          "***"

static bool has_variable(const struct pairs *env, const char *key)
{
    for (size_t i = 0; i < env->count; i++)
        if (strcmp(env->items[i].key, key) == 0)
            return true;
    return false;
}

static void put(struct build_environment *environment, size_t *count, const char *key, const char *value)
{
    if (asprintf(&environment->items[*count], "%s=%s", key, value) < 0)
        abort();
    ++*count;
}

static int put_secrets(const struct running *running, struct build_environment *environment, size_t *count)
{
    const struct list *mounts = &running->request->mounts;
    for (size_t i = 0; i < mounts->count; i++) {
        const struct build_mount *mount = mounts->items[i];
        struct buffer *value = &environment->secrets[environment->secret_count];
        if (!mount->file || strcmp(mount->type, "secret") != 0)
            continue;
        int result = build_secret_read(mount, value, running->error);
        environment->secret_count++;
        if (result < 0)
            return result;
        if (mount->env)
            put(environment, count, mount->env, value->bytes);
    }
    return 0;
}

int build_environment_make(const struct running *running, const struct build_user *user,
                           struct build_environment *environment)
{
    const struct build_run *request = running->request;
    const struct pairs *env = &request->env;
    size_t count = 0;
    environment->items = calloc(env->count + request->mounts.count + 4, sizeof(*environment->items));
    environment->secrets = calloc(request->mounts.count + 1, sizeof(*environment->secrets));
    if (!environment->items || !environment->secrets)
        return error_errno(running->error, -ENOMEM, "its environment");
    for (size_t i = 0; i < env->count; i++)
        put(environment, &count, env->items[i].key, env->items[i].value);
    if (!has_variable(env, "PATH"))
        put(environment, &count, "PATH", STANDARD_PATH);
    if (!has_variable(env, "HOME"))
        put(environment, &count, "HOME", user->home);
    if (running->term && !has_variable(env, "TERM"))
        put(environment, &count, "TERM", running->term);
    return put_secrets(running, environment, &count);
}

void build_environment_free(struct build_environment *environment)
{
    for (char **item = environment->items; item && *item; item++) {
        explicit_bzero(*item, strlen(*item));
        free(*item);
    }
    for (size_t i = 0; i < environment->secret_count; i++) {
        build_secret_forget(&environment->secrets[i]);
        cleanup_buffer(&environment->secrets[i]);
    }
    free(environment->items);
    free(environment->secrets);
    *environment = (struct build_environment){0};
}

/* The longest line of a secret's value that stands at the text, in bytes; 0: none. */
static size_t secret_at(const struct build_environment *environment, const char *text)
{
    size_t longest = 0;
    for (size_t i = 0; i < environment->secret_count; i++) {
        const char *at = environment->secrets[i].bytes;
        while (at && *at) {
            const size_t length = strcspn(at, "\r\n");
            if (length >= BUILD_SECRET_SHORTEST && length > longest && strncmp(text, at, length) == 0)
                longest = length;
            at += length + strspn(at + length, "\r\n");
        }
    }
    return longest;
}

void build_environment_mask(const struct build_environment *environment, const char *line, char *out,
                            size_t size)
{
    size_t length = 0;
    while (*line && length + sizeof(MASK) < size) {
        const size_t secret = secret_at(environment, line);
        if (secret) {
            memcpy(out + length, MASK, strlen(MASK));
            length += strlen(MASK);
            line += secret;
        } else {
            out[length++] = *line++;
        }
    }
    out[length] = '\0';
}
