/* A probe over the guest's own network: a connection, and over it a GET.
 *
 * The child enters the container's network namespace, and nothing else of it, becomes nobody, and once it is connected may
 * only read, write and end: what a guest answers is read by a process that can do nothing with it. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/close_range.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "drivers/container/http_reply.h"
#include "drivers/container/probe.h"

#define NOBODY      65534
#define VERDICT_FD  0
#define INIT_FD     1
#define PAGE_SIZE   2048 /* bytes of a request; a path has half of it at most */
#define LOCALHOST   "127.0.0.1"
#define LOCALHOST_6 "::1"

/* Nothing of the worker's is open but these two. */
static void keep_two(int verdict, int init)
{
    if (dup2(verdict, VERDICT_FD) < 0 || dup2(init, INIT_FD) < 0 || close_range(INIT_FD + 1, ~0U, 0) < 0)
        _exit(EXIT_FAILURE);
}

static int become_nobody(void)
{
    static const struct rlimit none = {0}, one = {.rlim_cur = VERDICT_FD + 2, .rlim_max = VERDICT_FD + 2};
    close(INIT_FD);
    if (setgroups(0, NULL) < 0 || setresgid(NOBODY, NOBODY, NOBODY) < 0 ||
        setresuid(NOBODY, NOBODY, NOBODY) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 ||
        setrlimit(RLIMIT_NPROC, &none) < 0 || setrlimit(RLIMIT_FSIZE, &none) < 0 ||
        setrlimit(RLIMIT_CORE, &none) < 0 || setrlimit(RLIMIT_NOFILE, &one) < 0)
        return -errno;
    return 0;
}

/* A socket, or -errno. */
static int connect_to(const char *address, int64_t port)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    const bool is_four = inet_pton(AF_INET, address, &four.sin_addr) == 1;
    if (!is_four && inet_pton(AF_INET6, address, &six.sin6_addr) != 1)
        return -EINVAL;
    int fd = socket(is_four ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    const int result = is_four ? connect(fd, (struct sockaddr *)&four, sizeof(four))
                               : connect(fd, (struct sockaddr *)&six, sizeof(six));
    if (result == 0)
        return fd;
    const int code = -errno;
    close(fd);
    return code;
}

/* Who listens on one of its addresses only does not on the others. What is told is how it went at the first. */
static int connect_anywhere(const struct container_probe *request)
{
    const int first = connect_to(LOCALHOST, request->port);
    int fd = first < 0 ? connect_to(LOCALHOST_6, request->port) : first;
    for (size_t i = 0; fd < 0 && i < request->addresses.count; i++)
        fd = connect_to(request->addresses.items[i], request->port);
    return fd < 0 ? first : fd;
}

static int ask(int fd, const struct container_probe *request)
{
    char text[PAGE_SIZE];
    const int length = snprintf(text, sizeof(text),
                                "GET %s HTTP/1.1\r\nHost: localhost:%d\r\nUser-Agent: fpsync\r\n"
                                "Accept: */*\r\nConnection: close\r\n\r\n",
                                request->page, (int)request->port);
    if (length < 0 || (size_t)length >= sizeof(text))
        return -E2BIG;
    for (ssize_t sent = 0, more; sent < length; sent += more) {
        more = write(fd, text + sent, (size_t)(length - sent));
        if (more < 0)
            return -errno;
    }
    return 0;
}

/* The kernel ends whoever asks it for more than this. Its exit is not the C library's, which is another call. */
_Noreturn static void read_reply(int fd)
{
    struct verdict verdict = {.code = -EPROTO};
    struct http_reply reply = {0};
    char bytes[1024];
    ssize_t got;
    int status = 0;
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) < 0)
        probe_tell(VERDICT_FD, -errno, "");
    while (!status && (got = read(fd, bytes, sizeof(bytes))) > 0)
        status = http_reply_take(&reply, bytes, (size_t)got);
    if (status > 0)
        verdict.code = status;
    if (write(VERDICT_FD, &verdict, sizeof(verdict)) < 0) {
        /* Who waited waits no more. */
    }
    for (;;)
        syscall(SYS_exit, 0);
}

_Noreturn void probe_network(const struct probing *probing, int verdict)
{
    const struct container_probe *request = probing->request;
    keep_two(verdict, probing->init);
    int result = setns(INIT_FD, CLONE_NEWNET) < 0 ? -errno : become_nobody();
    int fd = result < 0 ? result : connect_anywhere(request);
    result = fd < 0 || !request->page ? fd : ask(fd, request);
    if (result < 0)
        probe_tell(VERDICT_FD, result, "");
    if (request->page)
        read_reply(fd);
    probe_tell(VERDICT_FD, 0, "");
}
