/* The lines of the answer. */
#include <time.h>
#include <unistd.h>

#include "drivers/image/fetch/fetch.h"
#include "lib/buffer.h"
#include "lib/json.h"

#define PROGRESS_EVERY 200 /* milliseconds */

bool say_is_due(int64_t *told)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    const int64_t time = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    if (*told && time - *told < PROGRESS_EVERY)
        return false;
    *told = time;
    return true;
}

void say_object(struct json *line)
{
    _cleanup_buffer_ struct buffer text = {0};
    json_print(line, false, &text);
    json_free(line);
    buffer_text(&text, "\n");
    if (bytes_write(STDOUT_FILENO, text.bytes, text.length) < 0)
        _exit(1);
}

void say_text(const char *key, const char *text)
{
    struct json *line = json_new_object();
    json_set(line, key, json_new_text(text));
    say_object(line);
}
