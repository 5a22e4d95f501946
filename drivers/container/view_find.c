/* Devices that are named by what they are: found in sysfs, by what it says of USB devices and of graphics processors.
 *
 * A root other than / that has a sysfs of its own, or what looks like one, is asked instead of the host's; its nodes
 * and what its proc says of drivers lie below it, too. */
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

/* ---- NVIDIA's own driver: a node for each processor, by a number of its own, and some for all of them ---- */

#define NVIDIA_FOLDER "/proc/driver/nvidia/gpus"

static bool add_if_there(const struct finding *finding, const char *place)
{
    if (access(arena_printf(finding->arena, "%s%s", finding->base, place), F_OK) < 0)
        return false;
    add(finding, place);
    return true;
}

static bool add_nvidia(const struct finding *finding, long minor)
{
    return minor >= 0 && add_if_there(finding, arena_printf(finding->arena, "/dev/nvidia%ld", minor));
}

static bool add_each_nvidia(const struct finding *finding)
{
    bool any = false;
    DIR *folder = open_folder(finding, "/dev");
    for (struct dirent *entry; folder && (entry = readdir(folder));)
        if (is_numbered(entry->d_name, "nvidia"))
            any |= add_if_there(finding, arena_printf(finding->arena, "/dev/%s", entry->d_name));
    if (folder)
        closedir(folder);
    return any;
}

/* -1: it is none of NVIDIA's. `bus` ends in the address: ../../../0000:03:00.0 */
static long nvidia_minor(const struct finding *finding, const char *bus)
{
    static const char key[] = "Device Minor:";
    const char *address = strrchr(bus, '/');
    char line[256];
    long minor = -1;
    FILE *file = fopen(arena_printf(finding->arena, "%s" NVIDIA_FOLDER "/%s/information", finding->base,
                                    address ? address + 1 : bus),
                       "re");
    while (file && minor < 0 && fgets(line, sizeof(line), file)) {
        char *end;
        const long number = strncmp(line, key, strlen(key)) == 0 ? strtol(line + strlen(key), &end, 10) : -1;
        minor = number >= 0 && end > line + strlen(key) ? number : -1;
    }
    if (file)
        fclose(file);
    return minor;
}

/* They are of no use without one of the processors, which they would pass for. */
static void add_shared_nvidia(const struct finding *finding)
{
    static const char *const shared[] = {"/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia-uvm-tools",
                                         "/dev/nvidia-modeset"};
    for (size_t i = 0; i < sizeof(shared) / sizeof(*shared); i++)
        add_if_there(finding, shared[i]);
}

static void find_gpu(const struct finding *finding)
{
    struct drm_node *nodes = NULL;
    const size_t count = read_drm(finding, &nodes);
    const bool all = strcmp(finding->device->gpu, "all") == 0;
    const long wanted = all ? -1 : strtol(finding->device->gpu, NULL, 10);
    long index = -1, minor = count ? -1 : wanted;
    for (size_t i = 0; i < count; i++) {
        const bool next = i == 0 || strcmp(nodes[i].bus, nodes[i - 1].bus) != 0;
        index += next;
        if (all || index == wanted)
            add(finding, arena_printf(finding->arena, "/dev/dri/%s", nodes[i].name));
        if (next && index == wanted)
            minor = nvidia_minor(finding, nodes[i].bus);
    }
    if (all ? add_each_nvidia(finding) : add_nvidia(finding, minor))
        add_shared_nvidia(finding);
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
