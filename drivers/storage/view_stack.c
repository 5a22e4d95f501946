#include "drivers/storage/view_stack.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "lib/buffer.h"
#include "lib/digest.h"
#include "lib/error.h"
#include "lib/units.h"

#define NOTE_LIMIT ((size_t)64 * 1024)

static bool is_number(const char *text)
{
    size_t length = strlen(text);
    return length > 0 && length < 10 && strspn(text, "0123456789") == length;
}

static bool is_digest(const char *text)
{
    return strlen(text) == DIGEST_TEXT_SIZE - 1 && strspn(text, "0123456789abcdef") == DIGEST_TEXT_SIZE - 1;
}

static bool take_line(const char *key, char *value, struct arena *arena, struct stack *stack)
{
    if (strcmp(key, "token") == 0)
        stack->token = value;
    else if (strcmp(key, "image") == 0 && is_digest(value))
        stack->image = value;
    else if (strcmp(key, "made") == 0)
        return number_parse(value, &stack->made) == 0;
    else if (strcmp(key, "kept") == 0)
        stack->kept = strcmp(value, "1") == 0;
    else if (strcmp(key, "whole") == 0)
        stack->whole = strcmp(value, "1") == 0;
    else if (strcmp(key, "frozen") == 0 && is_number(value))
        *arena_append(arena, stack->frozen.items, stack->frozen.count) = value;
    else
        return false;
    return true;
}

int stack_read(int folder, const char *note, struct arena *arena, struct stack *stack, struct error *error)
{
    struct stack read = {0};
    _cleanup_buffer_ struct buffer text = {0};
    int result = buffer_read_file(&text, folder, note, NOTE_LIMIT, error);
    if (result < 0 && result != -ENOENT)
        return result;
    char *copy = arena_strndup(arena, result < 0 ? "" : text.bytes, text.length), *save = NULL;
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
        char *value = strchr(line, ' ');
        if (value)
            *value++ = '\0';
        if (!value || !take_line(line, value, arena, &read))
            return error_set(error, -EBADMSG, "%s: damaged: \"%s\"", note, line);
    }
    *stack = read;
    return 0;
}

bool stack_exists(int folder, const char *note)
{
    return faccessat(folder, note, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

bool stack_holds(const struct stack *stack, const char *number)
{
    for (size_t i = 0; i < stack->frozen.count; i++)
        if (strcmp(stack->frozen.items[i], number) == 0)
            return true;
    return false;
}
