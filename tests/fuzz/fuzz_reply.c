/* The head of an HTTP reply: the same in pieces as at once, its status or nothing, never more than its bound. */
#include "drivers/container/http_reply.h"
#include "tests/fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct http_reply whole = {0}, parts = {0};
    const int at_once = http_reply_take(&whole, (const char *)data, size);
    int piecewise = 0;
    for (size_t at = 0, piece; at < size && !piecewise; at += piece) {
        piece = 1 + data[at] % 5;
        piece = piece > size - at ? size - at : piece;
        piecewise = http_reply_take(&parts, (const char *)data + at, piece);
    }
    MUST(at_once == piecewise);
    MUST(at_once == 0 || at_once == -1 || (at_once >= 200 && at_once <= 599));
    MUST(whole.taken <= HTTP_REPLY_SIZE + 1);
    return 0;
}
