/* Words of the kernel and its hardware: signals, capabilities, processors, interfaces, USB devices, graphics cards. */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/buffer.h"
#include "lib/units.h"
#include "specs/forms_internal.h"

#define INTERFACE_LENGTH 15   /* IFNAMSIZ with its NUL is 16 */
#define PROCESSORS       4096 /* more than any kernel is built for */

const char *signal_canonical(struct arena *arena, const char *text)
{
    const char *name = strncmp(text, "SIG", 3) == 0 ? text + 3 : text;
    for (int number = 1; number < 32; number++) {
        const char *known = sigabbrev_np(number);
        if (known && strcmp(known, name) == 0)
            return arena_printf(arena, "SIG%s", name);
    }
    bool above = strncmp(name, "RTMIN", 5) == 0;
    if (!above && strncmp(name, "RTMAX", 5) != 0)
        return NULL;
    if (!name[5])
        return arena_printf(arena, "SIG%s", name);
    int64_t offset;
    if (name[5] != (above ? '+' : '-') || !isdigit((unsigned char)name[6]) ||
        number_parse(name + 6, &offset) < 0 || offset > 30)
        return NULL;
    return offset ? arena_printf(arena, "SIG%s", name) : above ? "SIGRTMIN" : "SIGRTMAX";
}

/* capabilities(7), as of Linux 6.1. */
const char *capability_canonical(struct arena *arena, const char *text)
{
    static const char *const known[] = {"chown",
                                        "dac_override",
                                        "dac_read_search",
                                        "fowner",
                                        "fsetid",
                                        "kill",
                                        "setgid",
                                        "setuid",
                                        "setpcap",
                                        "linux_immutable",
                                        "net_bind_service",
                                        "net_broadcast",
                                        "net_admin",
                                        "net_raw",
                                        "ipc_lock",
                                        "ipc_owner",
                                        "sys_module",
                                        "sys_rawio",
                                        "sys_chroot",
                                        "sys_ptrace",
                                        "sys_pacct",
                                        "sys_admin",
                                        "sys_boot",
                                        "sys_nice",
                                        "sys_resource",
                                        "sys_time",
                                        "sys_tty_config",
                                        "mknod",
                                        "lease",
                                        "audit_write",
                                        "audit_control",
                                        "setfcap",
                                        "mac_override",
                                        "mac_admin",
                                        "syslog",
                                        "wake_alarm",
                                        "block_suspend",
                                        "audit_read",
                                        "perfmon",
                                        "bpf",
                                        "checkpoint_restore"};
    const char *name = strncasecmp(text, "cap_", 4) == 0 ? text + 4 : text;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(name, known[i]) == 0)
            return arena_strdup(arena, known[i]);
    return NULL;
}

/* One number of "0-3,8"; moves on. */
static bool read_processor(const char **text, unsigned *number)
{
    size_t digits = strspn(*text, "0123456789");
    if (digits < 1 || digits > 4)
        return false;
    *number = 0;
    for (; digits; digits--)
        *number = *number * 10 + (unsigned)(*(*text)++ - '0');
    return *number < PROCESSORS;
}

/* As the kernel prints it: in order, neighbours joined (cpuset(7), "Formats"). */
const char *cpuset_canonical(struct arena *arena, const char *text)
{
    bool taken[PROCESSORS + 1] = {false};
    for (bool more = true; more; text += more) {
        unsigned first, last;
        if (!read_processor(&text, &first))
            return NULL;
        last = first;
        if (*text == '-' && (text++, !read_processor(&text, &last) || last < first))
            return NULL;
        memset(taken + first, true, last - first + 1);
        more = *text == ',';
        if (!more && *text)
            return NULL;
    }
    _cleanup_buffer_ struct buffer out = {0};
    for (unsigned first = 0, last; first < PROCESSORS; first = last + 1) {
        last = first;
        if (!taken[first])
            continue;
        while (taken[last + 1])
            last++;
        buffer_printf(&out, last > first ? "%s%u-%u" : "%s%u", out.length ? "," : "", first, last);
    }
    return arena_strdup(arena, out.bytes);
}

/* What the kernel takes, of characters that mean nothing to anybody else (dev_valid_name() of net/core/dev.c). */
bool interface_is_valid(const char *text)
{
    static const char legal[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t length = strlen(text);
    return length && length <= INTERFACE_LENGTH && strspn(text, legal) == length && *text != '.' &&
           *text != '-';
}

/* Four hex digits each; the serial as the device has it, which is compared and nothing else. */
const char *usb_canonical(struct arena *arena, const char *text)
{
    static const char digits[] = "0123456789abcdefABCDEF";
    const char *serial = text + 10;
    if (strspn(text, digits) != 4 || text[4] != ':' || strspn(text + 5, digits) != 4 ||
        (text[9] && text[9] != ':') || (text[9] && (!*serial || strlen(serial) > 126)))
        return NULL;
    char *canonical = arena_strdup(arena, text);
    for (size_t i = 0; i < 9; i++)
        canonical[i] = (char)tolower((unsigned char)canonical[i]);
    for (const char *at = text[9] ? serial : ""; *at; at++)
        if (*at < ' ' || *at > '~')
            return NULL;
    return canonical;
}

bool gpu_is_valid(const char *text)
{
    size_t length = strlen(text);
    return strcmp(text, "all") == 0 || (length > 0 && length < 4 && strspn(text, "0123456789") == length &&
                                        (*text != '0' || length == 1));
}
