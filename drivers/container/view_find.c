/* Devices that are named by what they are: found in sysfs, by what it says of USB devices and of graphics processors.
 *
 * A root other than / that has a sysfs of its own, or what looks like one, is asked instead of the host's; its nodes lie
 * below it, too. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "drivers/container/internal.h"
#include "lib/cleanup.h"
#include "lib/units.h"

#define USB_FOLDER "/sys/bus/usb/devices"
#define DRM_FOLDER "/sys/class/drm"

struct finding {
    struct arena *arena;
    const char *base; /* before all paths of the host: "" or the root */
    const struct device *device;
    struct found_devices *out;
};

static void add(const struct finding *finding, const char *place)
{
    *(struct found_device *)arena_append(finding->arena, finding->out->items, finding->out->count) =
        (struct found_device){.source = arena_printf(finding->arena, "%s%s", finding->base, place),
                              .place = place};
}

static DIR *open_folder(const struct finding *finding, const char *folder)
{
    return opendir(arena_printf(finding->arena, "%s%s", finding->base, folder));
}

/* ---- usb ---- */

static bool attribute_is(int folder, const char *name, const char *wanted, size_t length)
{
    char line[256];
    return read_line(folder, name, line, sizeof(line)) == 0 && strlen(line) == length &&
           strncmp(line, wanted, length) == 0;
}

static bool number_of(int folder, const char *name, int64_t *number)
{
    char line[32];
    return read_line(folder, name, line, sizeof(line)) == 0 && number_parse(line, number) == 0;
}

/* Interfaces of devices stand in the same folder and have no vendor. */
static void look_at_usb(const struct finding *finding, int folder)
{
    const char *wanted = finding->device->usb, *serial = wanted[9] ? wanted + 10 : NULL;
    int64_t bus, number;
    if (attribute_is(folder, "idVendor", wanted, 4) && attribute_is(folder, "idProduct", wanted + 5, 4) &&
        (!serial || attribute_is(folder, "serial", serial, strlen(serial))) &&
        number_of(folder, "busnum", &bus) && number_of(folder, "devnum", &number))
        add(finding,
            arena_printf(finding->arena, "/dev/bus/usb/%03lld/%03lld", (long long)bus, (long long)number));
}

static void find_usb(const struct finding *finding)
{
    DIR *devices = open_folder(finding, USB_FOLDER);
    for (struct dirent *entry; devices && (entry = readdir(devices));) {
        _cleanup_close_ int folder =
            *entry->d_name == '.' ? -1
                                  : openat(dirfd(devices), entry->d_name, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (folder >= 0)
            look_at_usb(finding, folder);
    }
    if (devices)
        closedir(devices);
    if (finding->out->count > 1) {
        finding->out->count = 0;
        finding->out->trouble = "several are plugged in, which a serial number would tell apart,";
    }
}

/* ---- graphics processors ---- */

struct drm_node {
    const char *name; /* "card0", "renderD128" */
    const char *bus;  /* the device that it is a face of */
};

static bool is_numbered(const char *name, const char *start)
{
    size_t length = strlen(start);
    return strncmp(name, start, length) == 0 && name[length] &&
           strspn(name + length, "0123456789") == strlen(name + length);
}

static int by_bus(const void *left, const void *right)
{
    const struct drm_node *a = left, *b = right;
    int order = strcmp(a->bus, b->bus);
    return order ? order : strcmp(a->name, b->name);
}

static size_t read_drm(const struct finding *finding, struct drm_node **nodes)
{
    size_t count = 0;
    DIR *folder = open_folder(finding, DRM_FOLDER);
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        char bus[PATH_MAX];
        if (!is_numbered(entry->d_name, "card") && !is_numbered(entry->d_name, "renderD"))
            continue;
        ssize_t length = readlinkat(dirfd(folder), arena_printf(finding->arena, "%s/device", entry->d_name),
                                    bus, sizeof(bus) - 1);
        if (length <= 0)
            continue; /* a processor that is no device of the host's: vgem, vkms */
        bus[length] = '\0';
        *(struct drm_node *)arena_append(finding->arena, *nodes, count) =
            (struct drm_node){arena_strdup(finding->arena, entry->d_name), arena_strdup(finding->arena, bus)};
    }
    if (folder)
        closedir(folder);
    if (count)
        qsort(*nodes, count, sizeof(**nodes), by_bus);
    return count;
}

/* NVIDIA's own driver has a node for each and some for all of them. */
static void find_nvidia(const struct finding *finding, const char *number)
{
    DIR *folder = open_folder(finding, "/dev");
    for (struct dirent *entry; folder && (entry = readdir(folder));) {
        const char *rest = strncmp(entry->d_name, "nvidia", 6) == 0 ? entry->d_name + 6 : NULL;
        bool one = rest && is_numbered(entry->d_name, "nvidia");
        bool shared = rest && (strcmp(rest, "ctl") == 0 || strcmp(rest, "-uvm") == 0 ||
                               strcmp(rest, "-uvm-tools") == 0 || strcmp(rest, "-modeset") == 0);
        if (shared || (one && (!number || strcmp(rest, number) == 0)))
            add(finding, arena_printf(finding->arena, "/dev/%s", entry->d_name));
    }
    if (folder)
        closedir(folder);
}

static void find_gpu(const struct finding *finding)
{
    struct drm_node *nodes = NULL;
    const size_t count = read_drm(finding, &nodes);
    const bool all = strcmp(finding->device->gpu, "all") == 0;
    const long wanted = all ? 0 : strtol(finding->device->gpu, NULL, 10);
    long index = -1;
    for (size_t i = 0; i < count; i++) {
        index += i == 0 || strcmp(nodes[i].bus, nodes[i - 1].bus) != 0;
        if (all || index == wanted)
            add(finding, arena_printf(finding->arena, "/dev/dri/%s", nodes[i].name));
    }
    find_nvidia(finding, all ? NULL : finding->device->gpu);
}

void container_find_devices(const struct paths *paths, const struct device *device, struct arena *arena,
                            struct found_devices *out)
{
    const char *folder = device->usb ? USB_FOLDER : DRM_FOLDER;
    const bool own =
        strcmp(paths->root, "/") != 0 && access(arena_printf(arena, "%s%s", paths->root, folder), F_OK) == 0;
    *out = (struct found_devices){0};
    const struct finding finding = {
        .arena = arena, .base = own ? paths->root : "", .device = device, .out = out};
    if (device->usb)
        find_usb(&finding);
    else
        find_gpu(&finding);
    if (!out->count && !out->trouble)
        out->trouble = "it is not there";
}
