/* The word `get`: reads the request, enters the sandbox, takes up what the file holds already, and tries. */
#include <curl/curl.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "drivers/image/fetch/fetch.h"
#include "drivers/image/fetch/get.h"
#include "lib/error.h"
#include "lib/json.h"

#define FIRST_WAIT 500 /* milliseconds before the second try; doubled each time */
#define LONGEST    ((int64_t)30000)

/* What cannot be compared with what the server has now is worth nothing. */
static int take_up(struct getting *getting, struct error *error)
{
    const char *validator = getting->request->validator;
    bool known = validator && *validator && strlen(validator) < sizeof(getting->validator);
    if (!known && ftruncate(TARGET_FD, 0) < 0)
        return error_errno(error, -errno, "cannot empty the file");
    getting->stored = lseek(TARGET_FD, 0, SEEK_END);
    if (getting->stored < 0)
        return error_errno(error, -errno, "the file");
    snprintf(getting->validator, sizeof(getting->validator), "%s", known ? validator : "");
    getting->hashing = hashing_start(TARGET_FD, error);
    if (!getting->hashing)
        return error->code;
    hashing_follow(getting->hashing, getting->stored);
    return getting->stored > getting->request->limit
               ? error_set(error, -ESTALE, "the file holds more than it may")
               : 0;
}

/* Between half and all of it, so that many who failed together do not come back together. */
static int64_t jittered(int64_t wait)
{
    uint32_t random = 0;
    if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
        random = (uint32_t)getpid();
    return wait / 2 + (int64_t)random % (wait / 2 + 1);
}

static void wait_before_try(const struct getting *getting, int64_t try, const char *reason)
{
    char text[ERROR_TEXT_SIZE + 64];
    int64_t wait = LONGEST;
    if (try < 6 && FIRST_WAIT << try < LONGEST)
        wait = FIRST_WAIT << try;
    wait = getting->wait > wait ? getting->wait : jittered(wait);
    snprintf(text, sizeof(text), "%s; trying again in %lld.%lld s", reason, (long long)(wait / 1000),
             (long long)(wait % 1000 / 100));
    say_text("note", text);
    poll(NULL, 0, (int)wait);
}

static int try_all(struct getting *getting, struct error *error)
{
    struct transfer *transfer = transfer_new(getting, error);
    int64_t held = getting->stored;
    int result = transfer ? 0 : -ENOMEM;
    for (int64_t try = 0; transfer; try++) {
        bool passing;
        result = transfer_run(transfer, &passing, error);
        if (result == 0 || !passing)
            break;
        if (getting->stored > held + (1 << 20)) /* it comes, if slowly: what counts are failures in a row */
            try = 0;
        held = getting->stored;
        if (try >= getting->request->tries)
            break;
        wait_before_try(getting, try, error->text);
    }
    transfer_free(transfer);
    return result;
}

static int say_end(struct getting *getting, int result, struct error *error)
{
    struct json *line = json_new_object();
    char digest[DIGEST_TEXT_SIZE];
    if (result == 0)
        result = hashing_end(TAKE_PTR(getting->hashing), digest, error);
    if (result == 0) {
        json_set(line, "done", json_new_bool(true));
        json_set(line, "bytes", json_new_number(getting->stored));
        json_set(line, "sha256", json_new_text(digest));
        json_set(line, "type", json_new_text(getting->type));
        json_set(line, "version", json_new_text(getting->version));
        json_set(line, "public", json_new_bool(getting->is_public));
        json_set(line, "resumed", json_new_bool(getting->resumed));
    } else {
        json_set(line, "error", json_new_text(error->text));
        json_set(line, "code", json_new_number(-result));
        json_set(line, "challenge", json_new_text(getting->challenge));
    }
    json_set(line, "status", json_new_number(getting->status));
    say_object(line);
    return result;
}

int get_main(void)
{
    _cleanup_arena_ struct arena *arena = arena_new();
    struct error error = {0};
    struct get_request request;
    struct getting getting = {.request = &request, .total = -1};
    struct stat status;
    if (fstat(TARGET_FD, &status) < 0 || !S_ISREG(status.st_mode)) {
        fputs("fpsync-fetch is run by fpsync\n", stderr);
        return 2;
    }
    signal(SIGXFSZ, SIG_IGN);
    signal(SIGPIPE, SIG_IGN);
    int result = get_request_read(STDIN_FILENO, arena, &request, &error);
    if (result == 0 && curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        result = error_set(&error, -ENOMEM, "cannot begin to speak to servers");
    if (result == 0)
        result = get_sandbox_enter(&request, &error);
    if (result == 0)
        result = take_up(&getting, &error);
    if (result == 0)
        result = try_all(&getting, &error);
    _exit(say_end(&getting, result, &error) < 0);
}
