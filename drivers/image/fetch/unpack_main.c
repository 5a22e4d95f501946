/* The words `unpack`, `context`, `layer` and `check`: from the first step of the sandbox to the last line. */
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/fetch/fetch.h"
#include "lib/error.h"

/* Lines go out by write(2) in one piece each. */
static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void say(const char *format, ...)
{
    char line[ERROR_TEXT_SIZE + 64];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (length < 0 || write(STDOUT_FILENO, line, (size_t)length) != length)
        _exit(1); /* nobody listens any more */
}

static void say_progress(int percent)
{
    static int64_t told;
    if (say_is_due(&told))
        say("progress %d\n", percent);
}

static int run(enum unpack_what what, struct unpacked *unpacked, struct error *error)
{
    int result = sandbox_enter(TARGET_FD, what == UNPACK_CHECK, NULL, error);
    close(TARGET_FD); /* it would lead out */
    if (result < 0)
        return result;
    int root = openat(AT_FDCWD, "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return error_errno(error, -errno, "target");
    struct unpacking *unpacking = unpack_begin(STDIN_FILENO, what, error);
    if (!unpacking)
        return error->code;
    result = sandbox_close(error);
    /* It is not given back: the process ends. */
    return result < 0 ? result : unpack(unpacking, root, say_progress, unpacked, error);
}

static int run_word(enum unpack_what what)
{
    const bool layer = what == UNPACK_LAYER;
    struct error error = {0};
    struct unpacked unpacked = {0};
    struct stat status;
    if (fstat(TARGET_FD, &status) < 0 || !S_ISDIR(status.st_mode)) {
        fputs("fpsync-fetch is run by fpsync\n", stderr);
        return 2;
    }
    /* Names in pax headers are UTF-8, and the archive library converts them to the locale's bytes. */
    setlocale(LC_CTYPE, "C.UTF-8");
    signal(SIGXFSZ, SIG_IGN);
    umask(0);
    int result = run(what, &unpacked, &error);
    if (result < 0)
        say("%s %s\n", result == -EMEDIUMTYPE ? "foreign" : "error", error.text);
    else
        say("done %lld %lld %lld%s%s%s%s\n", (long long)unpacked.entries, (long long)unpacked.bytes,
            (long long)unpacked.skipped, layer ? " " : "", unpacked.read, layer ? " " : "", unpacked.decoded);
    _exit(result < 0);
}

int unpack_main(void)
{
    return run_word(UNPACK_ROOT);
}

int layer_main(void)
{
    return run_word(UNPACK_LAYER);
}

int context_main(void)
{
    return run_word(UNPACK_CONTEXT);
}

int check_main(void)
{
    return run_word(UNPACK_CHECK);
}
