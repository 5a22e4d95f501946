/* fpsync-init: the first process of a `command:` container.
 *
 * Runs one program as its only child, hands signals on to it, reaps what is orphaned, and at the program's end
 * writes its status, as waitpid() tells it (code, or 128 + signal), to a file that the host keeps; where the program could
 * not be run at all, the reason is on its second line. Static, and nothing but libc: it runs in any image, mounted
 * read-only at /.fpsync/init.
 *
 * The program's words come from /dev/.fpsync/argv, each ended by a NUL; words on the command line win. Beside them may
 * lie `user` and `directory`: who it runs as, and where. This process stays root, since it hands on signals. An empty word
 * is no program: it runs nothing, reaps, and ends by SIGTERM, for a build whose commands come in from outside. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "drivers/container/init/account.h"
#include "drivers/container/init/complain.h"

#define WORDS_FILE     "/dev/.fpsync/argv"
#define USER_FILE      "/dev/.fpsync/user"
#define DIRECTORY_FILE "/dev/.fpsync/directory"
#define STATUS_FILE    "/dev/.fpsync/exit"
#define WORDS_LIMIT    (1024 * 1024) /* bytes */
#define NOT_FOUND      127
#define NOT_RUNNABLE   126
#define NOBODY         0 /* instead of a child */

static volatile sig_atomic_t arrived[NSIG];

static char **read_words(void);
static void catch_signals(sigset_t *before);
static pid_t run(char **words, const sigset_t *mask, int *refusal);
static bool settle(void);
static int execute(char **words);
static void complain_of(const char *program, int reason);
static void await_exec(int refusal, char reason[static COMPLAINT_SIZE]);
static int supervise(pid_t child, const sigset_t *mask);
static void write_status(int file, int status, const char *reason);

int main(int count, char **arguments)
{
    /* Opened early: the program may mount something over /dev. */
    int file = open(STATUS_FILE, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
    char **words = count > 1 ? arguments + 1 : read_words();
    if (!words) {
        write_status(file, NOT_FOUND, complaint());
        return NOT_FOUND;
    }
    sigset_t before;
    int refusal = -1;
    char reason[COMPLAINT_SIZE] = "";
    catch_signals(&before);
    pid_t child = *words[0] ? run(words, &before, &refusal) : NOBODY;
    if (child > 0)
        await_exec(refusal, reason);
    int status = child < 0 ? NOT_RUNNABLE : supervise(child, &before);
    write_status(file, status, child < 0 ? complaint() : reason);
    return status;
}

/* NULL after a message. */
static char **read_words(void)
{
    static char bytes[WORDS_LIMIT + 1];
    size_t length = 0, count = 0;
    int file = open(WORDS_FILE, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    for (ssize_t got = 1; file >= 0 && got > 0 && length<WORDS_LIMIT; length += got> 0 ? (size_t)got : 0)
        got = read(file, bytes + length, WORDS_LIMIT - length);
    if (file >= 0)
        close(file);
    for (size_t i = 0; i < length; i++)
        count += bytes[i] == '\0';
    char **words = calloc(count + 1, sizeof(*words));
    if (!words || !count || length == WORDS_LIMIT || bytes[length - 1] != '\0') {
        complain("%s holds no command", WORDS_FILE);
        return NULL;
    }
    char *at = bytes;
    for (size_t i = 0; i < count; i++, at += strlen(at) + 1)
        words[i] = at;
    return words;
}

static void note(int number)
{
    arrived[number] = 1;
}

/* Handlers, not a blocked mask: what the first process of a namespace does not catch never reaches it, and who stops
 * containers looks for caught signals. All stay blocked but during sigsuspend(), so none is lost. */
static void catch_signals(sigset_t *before)
{
    static const int left_alone[] = {SIGKILL, SIGSTOP, SIGSEGV, SIGBUS, SIGFPE,
                                     SIGILL,  SIGTRAP, SIGABRT, SIGSYS};
    sigset_t all;
    sigfillset(&all);
    for (size_t i = 0; i < sizeof(left_alone) / sizeof(*left_alone); i++)
        sigdelset(&all, left_alone[i]);
    sigprocmask(SIG_BLOCK, &all, before);
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action = {.sa_handler = note};
        if (number == SIGTTIN || number == SIGTTOU)
            action.sa_handler = SIG_IGN; /* the terminal belongs to the program */
        if (sigismember(&all, number) == 1)
            sigaction(number, &action, NULL);
    }
}

/* `refusal`: where the child says why there is no program; it ends without a word with the exec, or with the child. */
static pid_t run(char **words, const sigset_t *mask, int *refusal)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) {
        complain("cannot make a pipe: %s", strerror(errno));
        return -1;
    }
    *refusal = ends[0];
    pid_t child = fork();
    if (child < 0)
        complain("cannot fork: %s", strerror(errno));
    if (child != 0) {
        close(ends[1]);
        return child;
    }
    /* Handlers go with exec; what is ignored would stay, be it by us or by whoever started us. The kernel is asked,
     * since the C library refuses to touch the two signals (32 and 33) that it keeps for its threads. */
    static const unsigned long standard[8]; /* a kernel sigaction, larger than any: SIG_DFL and no flags */
    for (int number = 1; number < NSIG; number++)
        syscall(SYS_rt_sigaction, number, standard, NULL, (size_t)((NSIG - 1) / 8));
    setsid();
    sigprocmask(SIG_SETMASK, mask, NULL);
    setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", 0);
    int status = NOT_RUNNABLE;
    if (settle()) {
        int reason = execute(words);
        complain_of(words[0], reason);
        status = reason == ENOENT ? NOT_FOUND : NOT_RUNNABLE;
    }
    if (write(ends[1], complaint(), strlen(complaint())) < 0)
        complain("cannot hand on why: %s", strerror(errno));
    _exit(status);
}

static void complain_of(const char *program, int reason)
{
    const char *more = "";
    if (reason == ENOENT && !strchr(program, '/'))
        more = ": none of PATH has it";
    else if (reason == ENOENT && access(program, F_OK) == 0)
        more = ": the file is there, but not the interpreter or the loader that it names";
    complain("cannot run %s: %s%s", program, strerror(reason), more);
}

static void await_exec(int refusal, char reason[static COMPLAINT_SIZE])
{
    ssize_t length = read(refusal, reason, COMPLAINT_SIZE - 1);
    reason[length > 0 ? length : 0] = '\0';
    close(refusal);
}

/* What one of the small files says; NULL: there is none. */
static const char *said_in(const char *path, char text[static PATH_MAX])
{
    int file = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t length = file < 0 ? -1 : read(file, text, PATH_MAX - 1);
    if (file >= 0)
        close(file);
    if (length <= 0)
        return NULL;
    text[length] = '\0';
    return text;
}

/* A folder that is missing is made, as docker does. */
static bool enter(const char *directory)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/", directory);
    for (char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(path, 0755) < 0 && errno != EEXIST)
            break; /* what is the matter chdir() will say */
        *slash = '/';
    }
    if (chdir(directory) == 0)
        return true;
    complain("cannot enter %s: %s", directory, strerror(errno));
    return false;
}

/* Where and as whom: the folder first, which root may enter in any case. */
static bool settle(void)
{
    char text[PATH_MAX];
    struct account account;
    const char *directory = said_in(DIRECTORY_FILE, text);
    if (directory && !enter(directory))
        return false;
    const char *user = said_in(USER_FILE, text);
    if (user && (!account_find(user, &account) || !account_take(&account)))
        return false;
    setenv("HOME", !user ? "/root" : account.home && *account.home ? account.home : "/", 0);
    return true;
}

/* As the C library searches PATH, but a file that is no program is not handed to a shell. Returns the reason of its
 * failure: that of a program that was found weighs more than that of the places where it was not. */
static int execute(char **words)
{
    char path[PATH_MAX];
    if (strchr(words[0], '/')) {
        execve(words[0], words, environ);
        return errno;
    }
    int reason = ENOENT;
    for (const char *at = getenv("PATH"); at && *at;) {
        size_t length = strcspn(at, ":");
        int needed = snprintf(path, sizeof(path), "%.*s/%s", (int)length, at, words[0]);
        if (length && needed < (int)sizeof(path)) {
            execve(path, words, environ);
            if (errno != ENOENT && errno != ENOTDIR)
                reason = errno;
        }
        at += length + (at[length] == ':');
    }
    return reason;
}

static void hand_on(pid_t child)
{
    for (int number = 1; number < NSIG; number++) {
        if (!arrived[number])
            continue;
        arrived[number] = 0;
        if (number != SIGCHLD)
            kill(child, number);
    }
}

/* Until the program ends; its descendants end with this process, the kernel sees to that. */
static int supervise(pid_t child, const sigset_t *mask)
{
    for (;;) {
        int status;
        for (pid_t ended = waitpid(-1, &status, WNOHANG); ended > 0; ended = waitpid(-1, &status, WNOHANG))
            if (ended == child)
                return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        sigsuspend(mask);
        if (child == NOBODY && arrived[SIGTERM])
            return 0;
        if (child != NOBODY)
            hand_on(child);
    }
}

static void write_status(int file, int status, const char *reason)
{
    char text[16 + COMPLAINT_SIZE];
    int length = snprintf(text, sizeof(text), *reason ? "%d\n%s\n" : "%d\n", status, reason);
    if (file < 0 || ftruncate(file, 0) < 0 || pwrite(file, text, (size_t)length, 0) != length)
        complain("cannot write %s: %s", STATUS_FILE, strerror(errno));
}
