/* silent-fuse PID PLACE: a file system whose server takes what it is asked and never answers, mounted at PLACE in the mount
 * namespace of PID. Prints "up" once it is there; ends with it. */
#include <fcntl.h>
#include <linux/fuse.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

static void die(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void mount_at(const char *pid, const char *place, int server)
{
    char path[64], options[128];
    snprintf(path, sizeof(path), "/proc/%s/ns/mnt", pid);
    snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0,allow_other", server);
    int namespace = open(path, O_RDONLY | O_CLOEXEC);
    if (namespace < 0 || setns(namespace, CLONE_NEWNS) < 0)
        die(path);
    if (mount("silent", place, "fuse", 0, options) < 0)
        die(place);
}

int main(int argc, char **argv)
{
    static union {
        struct fuse_in_header header;
        char bytes[1 << 17];
    } request;
    struct {
        struct fuse_out_header header;
        struct fuse_init_out init;
    } answer = {.header.len = sizeof(answer), .init = {.major = 7, .minor = 31, .max_write = 4096}};
    if (argc != 3)
        return 2;
    int server = open("/dev/fuse", O_RDWR | O_CLOEXEC);
    if (server < 0)
        die("/dev/fuse");
    mount_at(argv[1], argv[2], server);
    if (read(server, request.bytes, sizeof(request.bytes)) < 0)
        die("read");
    answer.header.unique = request.header.unique;
    if (write(server, &answer, sizeof(answer)) != sizeof(answer))
        die("write");
    puts("up");
    fflush(stdout);
    while (read(server, request.bytes, sizeof(request.bytes)) > 0)
        ;
    return EXIT_SUCCESS;
}
