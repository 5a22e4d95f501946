#include "drivers/container/http_reply.h"

#define STATUS_COLUMN 9 /* behind "HTTP/1.1 " */

static bool is_digit(char byte)
{
    return byte >= '0' && byte <= '9';
}

/* "HTTP/1.x NNN", then the end of the line, or a blank and whatever. */
static bool take_status(struct http_reply *reply, char byte)
{
    static const char version[] = "HTTP/1.";
    const size_t at = reply->column;
    if (at < sizeof(version) - 1)
        return byte == version[at];
    if (at == sizeof(version) - 1)
        return is_digit(byte);
    if (at == STATUS_COLUMN - 1 || at == STATUS_COLUMN + 3)
        return byte == ' ';
    if (at < STATUS_COLUMN + 3 && is_digit(byte))
        reply->status = reply->status * 10 + (byte - '0');
    return at > STATUS_COLUMN + 3 || is_digit(byte);
}

static bool status_is_whole(const struct http_reply *reply)
{
    return reply->column >= STATUS_COLUMN + 3 && reply->status >= 100 && reply->status <= 599;
}

/* 1: the head is whole. 0: it goes on. -1: it is none. */
static int end_line(struct http_reply *reply)
{
    const bool empty = reply->in_fields && !reply->column;
    if (!reply->in_fields && !status_is_whole(reply))
        return -1;
    reply->in_fields = !empty;
    reply->column = 0;
    if (!empty)
        return 0;
    if (reply->status >= 200)
        return 1;
    reply->status = 0;
    return ++reply->interim > HTTP_REPLY_INTERIM ? -1 : 0;
}

/* As end_line(). A line ends with a line feed, of old alone, else behind a carriage return, which is nowhere else. */
static int take_byte(struct http_reply *reply, char byte)
{
    const bool returned = reply->returned;
    reply->returned = byte == '\r';
    if (byte == '\n')
        return end_line(reply);
    if (returned || !byte)
        return -1;
    if (byte == '\r')
        return 0;
    if (!reply->in_fields && !take_status(reply, byte))
        return -1;
    reply->column++;
    return 0;
}

int http_reply_take(struct http_reply *reply, const char *bytes, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const int result = ++reply->taken > HTTP_REPLY_SIZE ? -1 : take_byte(reply, bytes[i]);
        if (result)
            return result < 0 ? -1 : reply->status;
    }
    return 0;
}
