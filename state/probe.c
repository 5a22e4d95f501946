/* Reading a doubtful database where it can do no harm: damage that LMDB answers with a signal kills a child. */
#include <errno.h>
#include <fcntl.h>
#include <lmdb.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "lib/error.h"
#include "state/internal.h"

#define PROBE_SECONDS 30 /* a scan takes 0.12 ms per 10,000 objects; damaged pages can point in circles */

struct verdict { /* through a pipe, in one write */
    int code;
    char text[ERROR_TEXT_SIZE];
};

static void __attribute__((noreturn)) run_probe(const char *folder, int answer);
static int understand(const char *folder, int status, ssize_t got, const struct verdict *verdict,
                      struct error *error);

int probe_database(const char *folder, struct error *error)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return error_errno(error, -errno, "cannot check the state in %s", folder);
    _cleanup_close_ int reading = ends[0];
    _cleanup_close_ int writing = ends[1];
    pid_t child = fork();
    if (child < 0)
        return error_errno(error, -errno, "cannot check the state in %s", folder);
    if (child == 0)
        run_probe(folder, writing);
    close(TAKE_FD(writing));
    struct verdict verdict = {0};
    ssize_t got;
    do
        got = read(reading, &verdict, sizeof(verdict));
    while (got < 0 && errno == EINTR);
    int status;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return error_errno(error, -errno, "cannot check the state in %s", folder);
    return understand(folder, status, got, &verdict, error);
}

static int understand(const char *folder, int status, ssize_t got, const struct verdict *verdict,
                      struct error *error)
{
    if (WIFSIGNALED(status))
        return error_set(error, -EBADMSG, "the state in %s is damaged: reading it ended with SIG%s", folder,
                         sigabbrev_np(WTERMSIG(status)) ?: "?");
    if (got != sizeof(*verdict))
        return error_set(error, -EIO, "the check of the state in %s ended without an answer", folder);
    return verdict->code ? error_set(error, verdict->code, "%.*s", ERROR_TEXT_SIZE - 1, verdict->text) : 0;
}

static void __attribute__((noreturn)) run_probe(const char *folder, int answer)
{
    static const int deadly[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL, SIGALRM, SIGTERM, SIGINT};
    for (size_t i = 0; i < sizeof(deadly) / sizeof(deadly[0]); i++)
        signal(deadly[i], SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    int nowhere = open("/dev/null", O_RDWR | O_CLOEXEC); /* LMDB prints its failed assertions */
    if (nowhere >= 0)
        dup2(nowhere, STDERR_FILENO);
    alarm(PROBE_SECONDS);

    struct error error = {0};
    struct state state = {.mode = STATE_READ, .folder = (char *)folder, .folder_fd = -1, .owner = getpid()};
    _cleanup_arena_ struct arena *arena = arena_new();
    int result = open_environment(&state, &error);
    if (result == 0)
        result = read_host(&state, &error);
    if (result == 0)
        result = state_read_everything(&state, arena, &error);
    struct verdict verdict = {.code = result};
    memcpy(verdict.text, error.text, sizeof(verdict.text));
    ssize_t put = write(answer, &verdict, sizeof(verdict));
    _exit(put == sizeof(verdict) ? 0 : 1);
}
