/* The config of any LXC container, read without liblxc into a definition: what has words there, and everything else line
 * by line as it is. define() of the result says what the config said.
 *
 * What is written begins with includes of LXC's own, then come the lines, then all else. So what stands above an include
 * that says something of the same key stays a line, and the include, too. */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "drivers/container/view_found.h"
#include "lib/buffer.h"
#include "lib/error.h"
#include "lib/units.h"
#include "specs/forms.h"

#define FILE_LIMIT (1024 * 1024) /* bytes */
#define BLANKS     " \t"

struct finding {
    struct arena *arena;
    struct container_found *found;
    struct container_definition *definition;
    struct hierarchies hierarchies;
    struct found_includes includes;
    size_t included;               /* how many of them stand above */
    bool other_included;           /* one of these is no file of LXC's own */
    const char *profile, *nesting; /* of AppArmor */
    size_t maps;                   /* lines of lxc.idmap */
    bool maps_included, nets_included;
    size_t ups;            /* interfaces that come up at the start */
    int64_t users, groups; /* where id 0 lies, of ranges of 65,536 */
    struct found_limits limits;
};

static void read_line_of(struct finding *finding, const char *key, char *value);
static int end_root(struct finding *finding, const char *path, struct error *error);
static void take_include(struct finding *finding, const struct found_include *include, char *line);
static void end_apparmor(struct finding *finding);
static void end_ids(struct finding *finding);
static void end_capabilities(struct finding *finding);
static void end_nets(struct finding *finding);

/* Words of its values may be any blanks apart: a spec has no tabs. */
static bool is_of_words(const char *key)
{
    static const char *const keys[] = {"lxc.mount.", "lxc.idmap", "lxc.cap.", "lxc.cgroup"};
    for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++)
        if (strncmp(key, keys[i], strlen(keys[i])) == 0)
            return true;
    return false;
}

bool found_split(char *line, char **key, char **value)
{
    *key = line + strspn(line, BLANKS);
    char *equals = strchr(*key, '=');
    if (**key == '#' || !equals)
        return false;
    *value = equals + 1 + strspn(equals + 1, BLANKS);
    for (char *end = equals; end > *key && strchr(BLANKS "=", *end); end--)
        *end = '\0';
    char *end = *value + strlen(*value);
    while (end > *value && strchr(BLANKS "\r", end[-1]))
        *--end = '\0';
    for (char *at = is_of_words(*key) ? *value : end; *at; at++)
        *at = (char)(*at == '\t' ? ' ' : *at);
    if (end - *value >= 2 && (**value == '"' || **value == '\'') && end[-1] == **value) {
        end[-1] = '\0';
        ++*value;
    }
    return **key != '\0';
}

int container_read_found(const struct paths *paths, const char *lxcpath, const char *lxc_name,
                         const struct call *call, struct container_found **out, struct error *error)
{
    _cleanup_buffer_ struct buffer text = {0};
    int result = container_check_name(lxc_name, error);
    if (result < 0)
        return result;
    const char *path = arena_printf(call->arena, "%s/%s/config", lxcpath, lxc_name);
    result = buffer_read_file(&text, AT_FDCWD, path, FILE_LIMIT, error);
    if (result < 0)
        return result;
    struct finding finding = {.arena = call->arena,
                              .found = arena_new_of(call->arena, struct container_found),
                              .definition = described_new(call->arena, &container_definition_table)};
    result = hierarchies_read(call->arena, &finding.hierarchies, error);
    if (result < 0)
        return result;
    hierarchies_find_device(&finding.hierarchies, paths, call->arena);
    hierarchies_find_weights(&finding.hierarchies);
    finding.found->definition = finding.definition;
    finding.definition->adopted = true;
    finding.definition->lxc_name = arena_strdup(call->arena, lxc_name);
    result = found_check(path, text.length ? text.bytes : "", call->arena, error);
    if (result < 0)
        return error_wrap(error, result, "container %s", lxc_name);
    char *rest = arena_strdup(call->arena, text.length ? text.bytes : ""), *start = rest;
    found_includes_read(rest, call->arena, &finding.includes);
    for (char *line = strsep(&rest, "\n"), *key, *value; line; line = strsep(&rest, "\n")) {
        const struct found_includes *includes = &finding.includes;
        if (finding.included < includes->count &&
            includes->items[finding.included].at == (size_t)(line - start))
            take_include(&finding, &includes->items[finding.included++], line);
        else if (found_split(line, &key, &value))
            read_line_of(&finding, key, value);
    }
    end_apparmor(&finding);
    found_take_binds(finding.definition, call->arena);
    end_ids(&finding);
    end_capabilities(&finding);
    found_limits_end(&finding.limits, &finding.hierarchies, finding.definition, call->arena);
    end_nets(&finding);
    result = end_root(&finding, path, error);
    if (result < 0)
        return result;
    described_whole(&container_definition_table, finding.definition);
    *out = finding.found;
    return 0;
}

/* ---- lines ---- */

static void add_text(struct finding *finding, struct texts *texts, const char *text)
{
    *arena_append(finding->arena, texts->items, texts->count) = text;
}

static void add_line(struct finding *finding, struct texts *texts, const char *key, const char *value)
{
    add_text(finding, texts, arena_printf(finding->arena, "%s =%s%s", key, *value ? " " : "", value));
}

static bool takes_capabilities(struct finding *finding, const char *key, const char *value);
static bool takes_variable(struct finding *finding, const char *value);

static bool begins(const char *key, const char *with)
{
    return strncmp(key, with, strlen(with)) == 0;
}

/* An include that comes later would take it back, or be overruled by it. */
static bool is_undone(const struct finding *finding, const char *key)
{
    for (size_t i = finding->included; i < finding->includes.count; i++)
        if (found_include_undoes(&finding->includes.items[i], key, finding->arena))
            return true;
    return false;
}

static void read_map(struct finding *finding, const char *value);

/* Interfaces that an include gives are said by lines of their own, after taking back the include's: fpsync has to know of
 * them, and must not say them a second time. Its limits are known by their fields. Its ids stay its own: liblxc starts no
 * container whose map was taken back. */
static void take_included(struct finding *finding, const struct found_include *include)
{
    char *rest = include->text ? arena_strdup(finding->arena, include->text) : NULL, *key, *value;
    for (char *line = strsep(&rest, "\n"); line; line = strsep(&rest, "\n")) {
        if (!found_split(line, &key, &value))
            continue;
        if (strcmp(key, "lxc.idmap") == 0) {
            finding->maps_included = true;
            read_map(finding, value);
        } else if (strcmp(key, "lxc.net") == 0 || begins(key, "lxc.net.")) {
            if (!finding->nets_included)
                add_line(finding, &finding->found->nets, "lxc.net", "");
            finding->nets_included = true;
            add_line(finding, &finding->found->nets, key, value);
        } else {
            found_limits_take(&finding->limits, key, value, finding->arena);
        }
    }
}

/* LXC's own come first in what is written, and so pass the lines above them that say nothing of the same. */
static void take_include(struct finding *finding, const struct found_include *include, char *line)
{
    char *key, *value;
    bool first = include->name && !finding->other_included;
    const struct texts *lines = &finding->definition->lxc;
    for (size_t i = 0; i < lines->count && first; i++)
        first = !found_include_undoes(
            include, arena_strndup(finding->arena, lines->items[i], strcspn(lines->items[i], " ")),
            finding->arena);
    if (first) {
        add_text(finding, &finding->definition->includes, include->name);
    } else {
        finding->other_included = true;
        if (found_split(line, &key, &value))
            add_line(finding, &finding->definition->lxc, key, value);
    }
    take_included(finding, include);
}

/* What an include has said already, or liblxc does anyway. */
static bool says_nothing(const struct finding *finding, const char *key, const char *value)
{
    static const char *const single[] = {"lxc.tty.max", "lxc.pty.max", "lxc.tty.dir"};
    const char *said = strcmp(key, "lxc.autodev") == 0 ? "1" : NULL;
    if (finding->other_included)
        return false;
    for (size_t i = 0; i < finding->included; i++) {
        const char *now = found_include_says(&finding->includes.items[i], key, finding->arena);
        for (size_t j = 0; now && j < sizeof(single) / sizeof(*single); j++)
            said = strcmp(key, single[j]) == 0 ? now : said;
    }
    return said && strcmp(said, value) == 0;
}

/* Whether the line says what the definition now says, too. */
static bool is_taken(struct finding *finding, const char *key, const char *value)
{
    struct container_definition *definition = finding->definition;
    if (strcmp(key, "lxc.rootfs.path") == 0) {
        definition->root = begins(value, "dir:") ? value + strlen("dir:") : value;
        return true;
    }
    if (strcmp(key, "lxc.group") == 0)
        return strcmp(value, CONTAINER_GROUP) == 0;
    if (begins(key, "lxc.start."))
        return true; /* stays in the config, whatever else becomes of it */
    if (is_undone(finding, key))
        return false;
    if (strcmp(key, "lxc.uts.name") == 0 && *value) {
        definition->hostname = value;
        return true;
    }
    if (strcmp(key, "lxc.arch") == 0 && *value) {
        definition->arch = value;
        return true;
    }
    if (strcmp(key, "lxc.apparmor.profile") == 0 || strcmp(key, "lxc.apparmor.allow_nesting") == 0) {
        *(key[strlen("lxc.apparmor.")] == 'p' ? &finding->profile : &finding->nesting) = value;
        return true;
    }
    if (strcmp(key, "lxc.signal.halt") == 0 && begins(value, "SIG")) {
        definition->halt_signal = value;
        return true;
    }
    if (begins(key, "lxc.cap."))
        return takes_capabilities(finding, key, value);
    if (strcmp(key, "lxc.environment") == 0)
        return takes_variable(finding, value);
    return found_limits_take(&finding->limits, key, value, finding->arena) ||
           says_nothing(finding, key, value);
}

/* The one that liblxc makes for the container itself; all others are lines. */
static void end_apparmor(struct finding *finding)
{
    const char *profile = finding->profile, *nesting = finding->nesting;
    if (profile && strcmp(profile, "generated") == 0 && (!nesting || strspn(nesting, "01") == 1)) {
        finding->definition->apparmor = nesting && *nesting == '1' ? "nesting" : "generated";
        return;
    }
    if (profile)
        add_line(finding, &finding->definition->lxc, "lxc.apparmor.profile", profile);
    if (nesting)
        add_line(finding, &finding->definition->lxc, "lxc.apparmor.allow_nesting", nesting);
}

static void read_map(struct finding *finding, const char *value)
{
    long long inside, outside, count;
    char kind;
    if (!*value) { /* takes back what was said */
        finding->maps = 0;
        finding->users = finding->groups = finding->definition->id_base = 0;
        return;
    }
    finding->maps++;
    if (sscanf(value, "%c %lld %lld %lld", &kind, &inside, &outside, &count) != 4 || inside != 0)
        return;
    if (kind == 'u')
        finding->definition->id_base = outside;
    if (count == CONTAINER_IDS)
        *(kind == 'u' ? &finding->users : &finding->groups) = outside;
}

static void read_line_of(struct finding *finding, const char *key, char *value)
{
    if (!begins(key, "lxc."))
        return; /* LXC takes it for no line of its own */
    if (strcmp(key, "lxc.net") == 0 || begins(key, "lxc.net.")) {
        add_line(finding, &finding->found->nets, key, value);
        return;
    }
    if (strcmp(key, "lxc.idmap") == 0)
        read_map(finding, value);
    if (!is_taken(finding, key, value))
        add_line(finding, &finding->definition->lxc, key, value);
}

/* ---- root ---- */

/* In the words of a spec, which knows no other than clean paths and has two words that are no path. */
static int end_root(struct finding *finding, const char *path, struct error *error)
{
    const struct form_context context = {.arena = finding->arena, .project = "default", .folder = "/"};
    const char *said = finding->definition->root, *root = said;
    if (!said)
        return error_set(error, -EINVAL, "container %s: %s says no lxc.rootfs.path",
                         finding->definition->lxc_name, path);
    if (*root == '/')
        root = path_clean(finding->arena, "/", root);
    bool is_path = strchr(root, '/') && text_printable(root, strlen(root)) == strlen(root);
    finding->definition->root = is_path ? form_canonical(&context, FORM_ROOT, root) : NULL;
    if (finding->definition->root)
        return 0;
    const size_t line = found_line_of(path, "lxc.rootfs.path");
    return error_set(error, -EINVAL,
                     "container %s: %s%s has a lxc.rootfs.path that no spec can say: \"%.*s\"; it can say an "
                     "absolute path, and btrfs:, loop:, lvm:, nbd:, overlay: or zfs: with one",
                     finding->definition->lxc_name, path,
                     line ? arena_printf(finding->arena, ":%zu", line) : "",
                     (int)text_printable(said, strlen(said)), said);
}

/* ---- ids ---- */

static void drop_lines(struct texts *lines, const char *key)
{
    size_t kept = 0;
    for (size_t i = 0; i < lines->count; i++)
        if (!begins(lines->items[i], key))
            lines->items[kept++] = lines->items[i];
    lines->count = kept;
}

/* One range of the usual size, the same for users and groups, is what fpsync writes; all else stays as lines. */
static void end_ids(struct finding *finding)
{
    finding->found->maps_ids = finding->maps > 0;
    if (!finding->maps_included && finding->maps == 2 && finding->users > 0 &&
        finding->users == finding->groups)
        drop_lines(&finding->definition->lxc, "lxc.idmap =");
}

/* ---- process ---- */

/* No value takes back what was said so far, here and in what was included. */
static bool takes_capabilities(struct finding *finding, const char *key, const char *value)
{
    struct container_definition *definition = finding->definition;
    bool keep = strcmp(key, "lxc.cap.keep") == 0;
    struct texts *texts = keep ? &definition->cap_keep : &definition->cap_drop;
    if ((!keep && strcmp(key, "lxc.cap.drop") != 0) || strcmp(value, "none") == 0)
        return false;
    if (!*value) {
        *texts = (struct texts){0};
        return false;
    }
    char *rest = arena_strdup(finding->arena, value);
    for (char *word = strsep(&rest, BLANKS); word; word = strsep(&rest, BLANKS))
        if (*word)
            add_text(finding, texts, strncasecmp(word, "cap_", 4) == 0 ? word + 4 : word);
    return true;
}

static void back_to_lines(struct finding *finding, const char *key, struct texts *texts)
{
    for (size_t i = 0; i < texts->count; i++)
        add_line(finding, &finding->definition->lxc, key, texts->items[i]);
    *texts = (struct texts){0};
}

/* LXC starts no container that has both, and no spec says both. */
static void end_capabilities(struct finding *finding)
{
    struct container_definition *definition = finding->definition;
    if (!definition->cap_drop.count || !definition->cap_keep.count)
        return;
    back_to_lines(finding, "lxc.cap.drop", &definition->cap_drop);
    back_to_lines(finding, "lxc.cap.keep", &definition->cap_keep);
}

/* A name alone hands on the variable of whoever starts the container. */
static bool takes_variable(struct finding *finding, const char *value)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_";
    const char *equals = strchr(value, '=');
    struct pairs *env = &finding->definition->env;
    if (!*value)
        *env = (struct pairs){0};
    if (!equals || equals == value || strspn(value, legal) != (size_t)(equals - value) ||
        strchr("0123456789", *value))
        return false;
    const char *key = arena_strndup(finding->arena, value, (size_t)(equals - value));
    size_t at = 0; /* sorted, and the last word counts */
    while (at < env->count && strcmp(env->items[at].key, key) < 0)
        at++;
    if (at == env->count || strcmp(env->items[at].key, key) != 0) {
        arena_append(finding->arena, env->items, env->count);
        memmove(env->items + at + 1, env->items + at, (env->count - 1 - at) * sizeof(*env->items));
    }
    env->items[at] = (struct pair){.key = key, .value = equals + 1};
    return true;
}

/* ---- interfaces ---- */

static struct nic *nic_of(struct finding *finding, int64_t index)
{
    struct list *nics = &finding->definition->nics;
    for (size_t i = 0; i < nics->count; i++)
        if (((struct nic *)nics->items[i])->index == index)
            return nics->items[i];
    struct nic *nic = described_new(finding->arena, &nic_table);
    nic->index = index;
    *arena_append(finding->arena, nics->items, nics->count) = described_whole(&nic_table, nic);
    return nic;
}

/* A template, in which liblxc puts digits of its own for each x, is no MAC. */
static const char *mac_of(const struct finding *finding, const char *value)
{
    char *mac = arena_strdup(finding->arena, value);
    for (char *at = mac; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    return strlen(mac) == strlen("00:16:3e:00:00:00") && !strchr(mac, 'x') ? mac : NULL;
}

/* "0.ipv4.address"; false where it says more than struct nic can. */
static bool takes_nic(struct finding *finding, const char *item, const char *value)
{
    char name[32];
    int64_t index;
    const char *dot = strchr(item, '.');
    if (!dot || number_parse(arena_strndup(finding->arena, item, (size_t)(dot - item)), &index) < 0 ||
        index < 0)
        return false;
    if (strcmp(dot, ".type") == 0 && strcmp(value, "empty") == 0)
        return index == 0;
    struct nic *nic = nic_of(finding, index);
    snprintf(name, sizeof(name), "eth%lld", (long long)index);
    if (strcmp(dot, ".type") == 0) {
        nic->macvlan = strcmp(value, "macvlan") == 0;
        return nic->macvlan || strcmp(value, "veth") == 0;
    }
    if (strcmp(dot, ".flags") == 0) {
        finding->ups++;
        return strcmp(value, "up") == 0;
    }
    if (strcmp(dot, ".name") == 0)
        return strcmp(value, name) == 0;
    if (strcmp(dot, ".link") == 0)
        nic->bridge = value;
    else if (strcmp(dot, ".veth.pair") == 0 || strcmp(dot, ".macvlan.mode") == 0)
        nic->ifname = value; /* of a macvlan: its mode */
    else if (strcmp(dot, ".hwaddr") == 0)
        nic->mac = mac_of(finding, value);
    else if (strcmp(dot, ".ipv4.address") == 0 && !nic->address && strchr(value, '/') && !strchr(value, ' '))
        nic->address = value;
    else if (strcmp(dot, ".ipv4.gateway") == 0 && strspn(value, "0123456789.") == strlen(value))
        nic->gateway = value;
    else if (strcmp(dot, ".ipv6.address") == 0 && !nic->address6 && !strchr(value, ' '))
        nic->address6 = strchr(value, '/') ? value : arena_printf(finding->arena, "%s/64", value);
    else if (strcmp(dot, ".ipv6.gateway") == 0 && strchr(value, ':'))
        nic->gateway6 = value;
    else
        return false;
    return true;
}

/* liblxc's own mode of a macvlan is `private`, in which the containers do not reach each other. */
static bool is_whole(const struct nic *nic, size_t place)
{
    return nic->bridge && nic->index == (int64_t)place &&
           (!nic->macvlan || (nic->ifname && strcmp(nic->ifname, "bridge") == 0));
}

static bool reads_nics(struct finding *finding)
{
    const struct texts *lines = &finding->found->nets;
    bool empty = false;
    if (finding->nets_included)
        return false;
    for (size_t i = 0; i < lines->count; i++) {
        const char *line = lines->items[i] + strlen("lxc.net."), *equals = strstr(line, " = ");
        if (!equals ||
            !takes_nic(finding, arena_strndup(finding->arena, line, (size_t)(equals - line)), equals + 3))
            return false;
        empty = empty || strcmp(equals + 3, "empty") == 0;
    }
    const struct list *nics = &finding->definition->nics;
    for (size_t i = 0; i < nics->count; i++) {
        struct nic *nic = nics->items[i];
        if (!is_whole(nic, i))
            return false;
        if (nic->macvlan)
            nic->ifname = NULL;
    }
    return empty ? nics->count == 0 : nics->count > 0 && finding->ups == nics->count;
}

/* Without a word on networks a container has a namespace with nothing in it, as it has with an empty one. */
static void end_nets(struct finding *finding)
{
    const struct texts *nets = &finding->found->nets;
    finding->definition->host_network =
        nets->count == 1 && strcmp(nets->items[0], "lxc.net.0.type = none") == 0;
    finding->found->nics_say_all = !nets->count || finding->definition->host_network || reads_nics(finding);
    if (!finding->found->nics_say_all)
        finding->definition->nics = (struct list){0};
}
