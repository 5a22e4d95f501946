/* Forms of scalars: the one place where a text from a spec becomes something that may enter a path, a rule or an
 * argument. */
#include "specs/forms.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/numbers.h"
#include "specs/forms_internal.h"
#include "specs/image_config.h"

#define PATH_LENGTH     1024 /* bytes of a path in a container */
#define VARIABLE_LENGTH 255
#define PACKAGE_LENGTH  128
#define HOSTNAME_LENGTH 64 /* the kernel's __NEW_UTS_LEN */
#define LXC_KEY_LENGTH  100
#define LXC_NAME_LENGTH 80 /* with the lxcpath it has to fit into a socket's name */

static const struct {
    const char *expectation, *example;
} forms[] = {
    [FORM_PLAIN] = {"a text", NULL},
    [FORM_NAME] = {"a name (a-z, 0-9 and '-', at most 31, a letter first, no '-' last)", NULL},
    [FORM_REFERENCE] = {"NAME or PROJECT/NAME", NULL},
    [FORM_IPV4] = {"an IPv4 address", "10.30.0.10"},
    [FORM_GATEWAY] = {"an IPv4 address, the name of a container, or none", "10.30.0.2"},
    [FORM_INTERFACE] = {"the name of a network interface", "br0"},
    [FORM_GATEWAY6] = {"an IPv6 address, the name of a container, or none", "fd00:30::2"},
    [FORM_RANGE] = {"two IPv4 addresses with '-' between", "192.168.1.100-192.168.1.150"},
    [FORM_RANGE6] = {"two IPv6 addresses of one subnet of 64 bits with '-' between",
                     "2001:db8:1::100-2001:db8:1::1ff"},
    [FORM_SUBNET] = {"an IPv4 subnet", "10.30.0.0/24"},
    [FORM_IPV6] = {"an IPv6 address", "fd00:30::10"},
    [FORM_SUBNET6] = {"an IPv6 subnet of 64 bits, or auto", "fd00:30::/64"},
    [FORM_ADDRESS] = {"an address", "192.0.2.1 or [2001:db8::1]"},
    [FORM_GUEST_PATH] = {"an absolute path without '.', '..', '//' or a slash at the end", "/srv/data"},
    [FORM_IMAGE_SOURCE] =
        {"bootstrap:SUITE, file:PATH, https://ADDRESS, REMOTE:ALIAS, oci:NAME or oci-layout:PATH",
         "bootstrap:bookworm"},
    [FORM_PACKAGE] = {"the name of a Debian package", "systemd-sysv"},
    [FORM_VARIABLE] = {"the name of a variable (letters, digits and '_', no digit first)", "SITE"},
    [FORM_SIGNAL] = {"a signal", "SIGTERM or SIGRTMIN+3"},
    [FORM_SIZE] = {"a size", "512MiB"},
    [FORM_LIMIT] = {"a size, or unlimited", "512MiB"},
    [FORM_DURATION] = {"a duration", "1m30s"},
    [FORM_CPUS] = {"a number of processors with at most three decimals", "1.5"},
    [FORM_PORT] = {"a port", "8080"},
    [FORM_HOSTNAME] = {"a host name of at most 64 characters (a-z, 0-9, '-' and '.')", "web.example.org"},
    [FORM_CAPABILITY] = {"a capability", "net_raw"},
    [FORM_HOST_PATH] = {"a path on the host", "/srv/data"},
    [FORM_DEVICE] = {"an absolute path on the host", "/dev/fuse"},
    [FORM_LXC_LINE] = {"lxc.KEY = VALUE", "lxc.prlimit.nofile = 4096"},
    [FORM_ROOT] = {"layer, copy, an absolute path, or TYPE:PATH as lxc.rootfs.path has it",
                   "/var/lib/lxc/web/rootfs"},
    [FORM_LXC_NAME] = {"a name of an LXC container (letters, digits, '.', '_' and '-', at most 80)", "web"},
    [FORM_CPUSET] = {"processors by number", "0-3 or 0,2"},
    [FORM_MODE] = {"permissions as three octal digits behind a 0", "0660"},
    [FORM_USB] = {"VENDOR:PRODUCT or VENDOR:PRODUCT:SERIAL", "1a86:7523"},
    [FORM_GPU] = {"all, or the number of one", "all or 0"},
    [FORM_USER] = {"USER or USER:GROUP, names or numbers", "www-data"},
    [FORM_CONTEXT] = {"a folder or archive, https://ADDRESS, or REMOTE:NAME", "./wordpress"},
    [FORM_BUILD_NETWORK] = {"the name of a network, or none", "front"},
    [FORM_HTTP] = {"a port and a path", "\":80/\""},
    [FORM_COMMAND] = {"a text", NULL},
    [FORM_LENT] = {"an absolute path on the host, usb or gpu", "/dev/fuse"},
    [FORM_DIGEST] = {"sha256: and 64 hex digits", NULL},
    [FORM_SERVER] = {"an https:// address", "https://images.example.org"},
    [FORM_KEY] = {"a public key as minisign and signify print it",
                  "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3"},
};

static const char *reference_canonical(const struct form_context *context, const char *text);
static const char *host_path_canonical(const struct form_context *context, const char *text);
static const char *device_canonical(const struct form_context *context, const char *text);
static const char *lxc_line_canonical(struct arena *arena, const char *text);
static const char *root_canonical(const char *text);
static bool lxc_name_is_valid(const char *text);
static bool hostname_is_valid(const char *text);
static bool path_is_clean(const char *path);
static bool package_is_valid(const char *text);
static bool variable_is_valid(const char *text);

const char *form_expectation(enum field_form form)
{
    return forms[form].expectation;
}

const char *form_example(enum field_form form)
{
    return forms[form].example;
}

int form_number(enum field_form form, const char *text, int64_t *number)
{
    return numbers_parse(form, text, number);
}

const char *form_canonical(const struct form_context *context, enum field_form form, const char *text)
{
    uint32_t address, last;
    struct subnet subnet;
    bool fine = true;
    switch (form) {
    case FORM_NAME:
        fine = name_is_valid(text);
        break;
    case FORM_REFERENCE:
        return reference_canonical(context, text);
    case FORM_IPV4:
        fine = ipv4_parse(text, &address);
        break;
    case FORM_GATEWAY:
        return ipv4_parse(text, &address) || strcmp(text, GATEWAY_NONE) == 0
                   ? text
                   : reference_canonical(context, text);
    case FORM_GATEWAY6:
        return strchr(text, ':')                 ? gateway6_canonical(context->arena, text)
               : strcmp(text, GATEWAY_NONE) == 0 ? text
                                                 : reference_canonical(context, text);
    case FORM_BUILD_NETWORK:
        return strcmp(text, NETWORK_NONE) == 0 ? text : reference_canonical(context, text);
    case FORM_INTERFACE:
        fine = interface_is_valid(text);
        break;
    case FORM_RANGE:
        fine = range_parse(text, &address, &last);
        break;
    case FORM_RANGE6:
        return range6_canonical(context->arena, text);
    case FORM_SUBNET:
        fine = subnet_parse(text, &subnet);
        break;
    case FORM_IPV6:
        return ipv6_canonical(context->arena, text);
    case FORM_SUBNET6:
        return subnet6_canonical(context->arena, text);
    case FORM_ADDRESS:
        return address_canonical(context->arena, text);
    case FORM_GUEST_PATH:
        fine = strlen(text) <= PATH_LENGTH && path_is_clean(text);
        break;
    case FORM_IMAGE_SOURCE:
        return source_canonical(context, text);
    case FORM_DIGEST:
        return digest_canonical(context->arena, text);
    case FORM_SERVER:
        return server_canonical(context->arena, text);
    case FORM_KEY:
        fine = key_is_valid(text);
        break;
    case FORM_PACKAGE:
        fine = package_is_valid(text);
        break;
    case FORM_VARIABLE:
        fine = variable_is_valid(text);
        break;
    case FORM_HOSTNAME:
        fine = hostname_is_valid(text);
        break;
    case FORM_CONTEXT:
        return context_is_elsewhere(text) ? context_canonical(context->arena, text)
                                          : host_path_canonical(context, text);
    case FORM_HOST_PATH:
        return host_path_canonical(context, text);
    case FORM_DEVICE:
        return device_canonical(context, text);
    case FORM_LENT:
        return strcmp(text, "usb") == 0 || strcmp(text, "gpu") == 0 ? text : device_canonical(context, text);
    case FORM_USB:
        return usb_canonical(context->arena, text);
    case FORM_HTTP:
        return http_canonical(context->arena, text);
    case FORM_USER:
        fine = image_user_is_valid(text);
        break;
    case FORM_GPU:
        fine = gpu_is_valid(text);
        break;
    case FORM_SIGNAL:
        return signal_canonical(context->arena, text);
    case FORM_CAPABILITY:
        return capability_canonical(context->arena, text);
    case FORM_LXC_LINE:
        return lxc_line_canonical(context->arena, text);
    case FORM_ROOT:
        return root_canonical(text);
    case FORM_LXC_NAME:
        fine = lxc_name_is_valid(text);
        break;
    case FORM_CPUSET:
        return cpuset_canonical(context->arena, text);
    case FORM_MODE:
        fine = strlen(text) == 4 && *text == '0' && strspn(text, "01234567") == 4;
        break;
    default:
        break;
    }
    return fine ? text : NULL;
}

/* The next character at *text, or 0 when the bytes are no UTF-8 (RFC 3629). */
static uint32_t take_character(const unsigned char **text, const unsigned char *end)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *at = *text;
    size_t length = *at < 0x80 ? 1 : *at >> 5 == 6 ? 2 : *at >> 4 == 14 ? 3 : *at >> 3 == 30 ? 4 : 0;
    if (!length || (size_t)(end - at) < length)
        return 0;
    uint32_t value = length == 1 ? *at : *at & (0x7fu >> length);
    for (size_t i = 1; i < length; i++) {
        if (at[i] >> 6 != 2)
            return 0;
        value = value << 6 | (at[i] & 0x3f);
    }
    *text += length;
    return value < least[length] || (value >= 0xd800 && value <= 0xdfff) || value > 0x10ffff ? 0 : value;
}

/* What YAML calls printable, line breaks and byte order marks excepted. */
static bool is_printable(uint32_t character)
{
    return character >= 0x20 && (character < 0x7f || character >= 0xa0) && character != 0x2028 &&
           character != 0x2029 && character != 0xfeff && (character & 0xfffe) != 0xfffe;
}

size_t text_printable(const char *bytes, size_t length)
{
    const unsigned char *start = (const unsigned char *)bytes, *at = start, *end = at + length;
    while (at < end) {
        const unsigned char *next = at;
        if (!is_printable(take_character(&next, end)))
            break;
        at = next;
    }
    return (size_t)(at - start);
}

const char *path_clean(struct arena *arena, const char *folder, const char *path)
{
    char *joined = path[0] == '/' ? arena_strdup(arena, path) : arena_printf(arena, "%s/%s", folder, path);
    char *out = joined;
    for (const char *at = joined; *at;) {
        at += strspn(at, "/");
        size_t length = strcspn(at, "/");
        if (length == 2 && at[0] == '.' && at[1] == '.') {
            while (out > joined && *--out != '/')
                ;
        } else if (length && !(length == 1 && at[0] == '.')) {
            *out++ = '/';
            memmove(out, at, length);
            out += length;
        }
        at += length;
    }
    if (out == joined)
        *out++ = '/';
    *out = '\0';
    return joined;
}

static const char *reference_canonical(const struct form_context *context, const char *text)
{
    if (full_name_is_valid(text))
        return text;
    return name_is_valid(text) ? arena_join(context->arena, context->project, '/', text) : NULL;
}

static bool path_is_clean(const char *path)
{
    if (path[0] != '/')
        return false;
    if (!path[1])
        return true;
    while (*path) {
        size_t length = strcspn(++path, "/");
        if (length == 0 || (length == 1 && path[0] == '.') ||
            (length == 2 && path[0] == '.' && path[1] == '.'))
            return false;
        path += length;
    }
    return true;
}

/* Relative as everywhere in specs: from the folder of the file, with or without "./". A policy has no such folder. */
static const char *host_path_canonical(const struct form_context *context, const char *text)
{
    if (!*text || (*text != '/' && !context->folder) || strlen(text) > PATH_LENGTH)
        return NULL;
    for (const char *at = text; *at; at++)
        if (iscntrl((unsigned char)*at))
            return NULL;
    const char *path = path_clean(context->arena, context->folder, text);
    return strlen(path) <= PATH_LENGTH ? path : NULL;
}

/* None lies beside a spec file. */
static const char *device_canonical(const struct form_context *context, const char *text)
{
    return *text == '/' ? host_path_canonical(context, text) : NULL;
}

static bool lxc_name_is_valid(const char *text)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-";
    return *text && *text != '.' && *text != '-' && strlen(text) <= LXC_NAME_LENGTH &&
           strspn(text, legal) == strlen(text);
}

/* LXC's types of storage whose address is one path, and overlay with its two. */
static const char *root_canonical(const char *text)
{
    static const char *const types[] = {"btrfs:", "loop:", "lvm:", "nbd:", "overlay:", "overlayfs:", "zfs:"};
    if (strncmp(text, "dir:", 4) == 0)
        text += 4;
    if (strlen(text) > PATH_LENGTH)
        return NULL;
    if (strcmp(text, "layer") == 0 || strcmp(text, "copy") == 0 || (path_is_clean(text) && text[1]))
        return text;
    for (const char *at = text; *at; at++)
        if (iscntrl((unsigned char)*at))
            return NULL;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
        size_t length = strlen(types[i]);
        if (strncmp(text, types[i], length) == 0 && text[length] && !strstr(text, "/../"))
            return text;
    }
    return NULL;
}

/* "KEY = VALUE", one blank on each side; "KEY =" takes back what was said before. Whether the container may say it is
 * another question: check_container.c. */
static const char *lxc_line_canonical(struct arena *arena, const char *text)
{
    size_t key = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789._-");
    const char *value = text + key + strspn(text + key, " \t");
    if (strncmp(text, "lxc.", 4) != 0 || key == 4 || key > LXC_KEY_LENGTH || *value != '=')
        return NULL;
    value += 1 + strspn(value + 1, " \t");
    size_t length = strlen(value);
    while (length && (value[length - 1] == ' ' || value[length - 1] == '\t'))
        length--;
    for (size_t i = 0; i < length; i++)
        if (iscntrl((unsigned char)value[i]))
            return NULL;
    return arena_printf(arena, "%.*s =%s%.*s", (int)key, text, length ? " " : "", (int)length, value);
}

/* RFC 1123, 2.1: labels of letters, digits and, not at an end, '-'. */
static bool hostname_is_valid(const char *text)
{
    if (strlen(text) > HOSTNAME_LENGTH)
        return false;
    for (const char *label = text;; label++) {
        size_t length = strcspn(label, ".");
        if (length < 1 || length > 63 || label[0] == '-' || label[length - 1] == '-' ||
            strspn(label, "abcdefghijklmnopqrstuvwxyz0123456789-") < length)
            return false;
        label += length;
        if (!*label)
            return true;
    }
}

/* Debian Policy 5.6.1. */
static bool package_is_valid(const char *text)
{
    size_t length = strlen(text);
    return length >= 2 && length <= PACKAGE_LENGTH && isalnum((unsigned char)text[0]) &&
           strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789+-.") == length;
}

static bool variable_is_valid(const char *text)
{
    if (isdigit((unsigned char)*text) || !*text || strlen(text) > VARIABLE_LENGTH)
        return false;
    for (; *text; text++)
        if (!isalnum((unsigned char)*text) && *text != '_')
            return false;
    return true;
}
