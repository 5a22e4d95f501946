/* What a program says, in lines: whole, a byte at a time, and written over. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/lines.h"

static char heard[3 * LINE_SIZE];

static void hear(void *context, const char *line)
{
    const size_t length = strlen(heard);
    (void)context;
    snprintf(heard + length, sizeof(heard) - length, "[%s]", line);
}

static void says(const char *text, const char *wanted)
{
    for (size_t piece = 1; piece <= strlen(text); piece += piece < 3 ? 1 : strlen(text)) {
        struct lines lines = {.line = hear};
        *heard = '\0';
        for (size_t at = 0; at < strlen(text); at += piece)
            lines_take(&lines, text + at, strlen(text) - at < piece ? strlen(text) - at : piece);
        lines_end(&lines);
        if (strcmp(heard, wanted) != 0)
            fail_msg("\"%s\" in pieces of %zu is %s, not %s", text, piece, heard, wanted);
    }
}

static void whole_lines(void **state)
{
    (void)state;
    says("a\nb c\n", "[a][b c]");
    says("a\n\nb", "[a][b]");
    says("a\r\n\r\nb\r\n", "[a][b]");
    says("a\r\r\nb", "[a][b]");
    says("a\tb\x1b[1m\n   \n", "[a?b?[1m][   ]");
}

static void written_over(void **state)
{
    (void)state;
    says("Reading... 0%\rReading... 50%\rReading... Done\nBuilding... 0%\rBuilding... Done\n",
         "[Reading... Done][Building... Done]");
    says("0% [Working]\r            \rGet:1 http://x\n\r20% [1]\r        \r\nFetched\n",
         "[Get:1 http://x][Fetched]");
    says("99%\r100%", "[100%]");
    says("99%\r100%\r", "[100%]");
    says("\rbegin\n", "[begin]");
}

/* No line waits for the one behind it, and none but its end is waited for. */
static void at_once(void **state)
{
    (void)state;
    struct lines lines = {.line = hear};
    *heard = '\0';
    lines_take(&lines, "a\nb", 3);
    assert_string_equal(heard, "[a]");
    lines_take(&lines, "\r\n", 2);
    assert_string_equal(heard, "[a][b]");
    lines_take(&lines, "1\r2\r3\n", 6);
    assert_string_equal(heard, "[a][b][3]");
}

static void long_lines(void **state)
{
    (void)state;
    struct lines lines = {.line = hear};
    char part[101];
    memset(part, 'x', 100);
    part[100] = '\0';
    *heard = '\0';
    for (int i = 0; i < 100; i++)
        lines_take(&lines, part, 100);
    assert_int_equal(strlen(heard), LINE_SIZE - 1 + 2);
    lines_take(&lines, "\rend\n", 5);
    assert_int_equal(strlen(heard), LINE_SIZE - 1 + 2 + strlen("[end]"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_lines),
        cmocka_unit_test(written_over),
        cmocka_unit_test(at_once),
        cmocka_unit_test(long_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
