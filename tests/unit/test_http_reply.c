/* The head of an HTTP reply, whole and in pieces, and what is none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/container/http_reply.h"

static int status_of(const char *text, size_t size, size_t piece)
{
    struct http_reply reply = {0};
    int status = 0;
    for (size_t at = 0; at < size && !status; at += piece)
        status = http_reply_take(&reply, text + at, size - at < piece ? size - at : piece);
    return status;
}

static void check(const char *text, size_t size, int wanted)
{
    for (size_t piece = 1; piece <= size + 1; piece += piece < 4 ? 1 : size)
        if (status_of(text, size, piece) != wanted)
            fail_msg("\"%.*s\" in pieces of %zu is %d, not %d", (int)size, text, piece,
                     status_of(text, size, piece), wanted);
}

static void whole_heads(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int status;
    } cases[] = {
        {"HTTP/1.1 200 OK\r\nServer: x\r\n\r\nbody", 200},
        {"HTTP/1.0 404 Not Found\r\n\r\n", 404},
        {"HTTP/1.1 301\r\n\r\n", 301},
        {"HTTP/1.1 599 \r\n\r\n", 599},
        {"HTTP/1.1 204 No Content\n\n", 204}, /* line feeds alone: RFC 9112, 2.2 */
        {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 200},
        {"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 503 No\r\nA: b\r\n\r\n", 503},
        {"HTTP/1.1 200 OK\r\nX: \x80\xff\t\x01\r\n\r\n",
         200}, /* what stands in a field is nobody's business */
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check(cases[i].text, strlen(cases[i].text), cases[i].status);
}

static void not_yet(void **state)
{
    (void)state;
    static const char *const cases[] = {"H",
                                        "HTTP/1.1 200 OK",
                                        "HTTP/1.1 200 OK\r\n",
                                        "HTTP/1.1 200 OK\r\nA: b\r\n",
                                        "HTTP/1.1 200 OK\r\n\r",
                                        "HTTP/1.1 100 Continue\r\n\r\n"};
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check(cases[i], strlen(cases[i]), 0);
}

static void no_http(void **state)
{
    (void)state;
    static const char *const cases[] = {
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\r\nHTTP/1.1 200 OK\r\n\r\n",
        "http/1.1 200 OK\r\n\r\n",
        "HTTP/2.0 200 OK\r\n\r\n",
        "HTTP/1.10 200 OK\r\n\r\n",
        "HTTP/1.1  200 OK\r\n\r\n",
        "HTTP/1.1\t200 OK\r\n\r\n",
        "HTTP/1.1 20 OK\r\n\r\n",
        "HTTP/1.1 2000 OK\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/1.1 600 OK\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/1.1 2\r\n\r\n",
        "HTTP/1.1 200 O\rK\r\n\r\n",
        "HTTP/1.1 200 OK\r\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rc\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\nnonsense\r\n",
        "\x16\x03\x01\x02",
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
        check(cases[i], strlen(cases[i]), -1);
    static const char nul[] = "HTTP/1.1 200 O\0K\r\n\r\n";
    check(nul, sizeof(nul) - 1, -1);
}

/* Bounds: of a head without an end, and of interim heads. */
static void without_end(void **state)
{
    (void)state;
    static char text[2 * HTTP_REPLY_SIZE];
    static const char first[] = "HTTP/1.1 200 OK\r\nA: ", interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    memset(text, 'x', sizeof(text));
    memcpy(text, first, sizeof(first) - 1);
    assert_int_equal(status_of(text, HTTP_REPLY_SIZE, 1000), 0);
    assert_int_equal(status_of(text, HTTP_REPLY_SIZE + 1, 1000), -1);
    size_t size = 0;
    for (int i = 0; i < HTTP_REPLY_INTERIM; i++, size += sizeof(interim) - 1)
        memcpy(text + size, interim, sizeof(interim) - 1);
    assert_int_equal(status_of(text, size, 7), 0);
    memcpy(text + size, interim, sizeof(interim) - 1);
    assert_int_equal(status_of(text, size + sizeof(interim) - 1, 7), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_heads),
        cmocka_unit_test(not_yet),
        cmocka_unit_test(no_http),
        cmocka_unit_test(without_end),
    };
    return cmocka_run_group_tests_name("http_reply", tests, NULL, NULL);
}
