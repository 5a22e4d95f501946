/* Quantities: what is read, what is refused, and that printing is the inverse. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/units.h"

struct sample {
    const char *text;
    int result;
    int64_t value;
    const char *printed; /* NULL: as `text` */
};

static void check(const struct sample *samples, size_t count, int (*parse)(const char *, int64_t *),
                  void (*print)(int64_t, char *))
{
    for (size_t i = 0; i < count; i++) {
        int64_t value = -7, again;
        int result = parse(samples[i].text, &value);
        if (result != samples[i].result || (result == 0 && value != samples[i].value))
            fail_msg("'%s': result %d, value %lld", samples[i].text, result, (long long)value);
        if (result < 0 || !print)
            continue;
        char text[UNITS_TEXT_SIZE];
        print(value, text);
        assert_string_equal(text, samples[i].printed ? samples[i].printed : samples[i].text);
        assert_int_equal(parse(text, &again), 0);
        assert_int_equal(again, value);
    }
}
#define CHECK(samples, parse, print) check(samples, sizeof(samples) / sizeof(*(samples)), parse, print)

static void sizes(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"0", 0, 0, NULL},
        {"4097", 0, 4097, NULL},
        {"4096", 0, 4096, "4KiB"},
        {"512MiB", 0, 512 << 20, NULL},
        {"512M", 0, 512 << 20, "512MiB"},
        {"1gB", 0, 1 << 30, "1GiB"},
        {"1024MiB", 0, 1 << 30, "1GiB"},
        {"100B", 0, 100, "100"},
        {"8191P", 0, 8191ll << 50, "8191PiB"},
        {"8192P", -ERANGE, 0, NULL},
        {"99999999999999999999", -ERANGE, 0, NULL},
        {"", -EINVAL, 0, NULL},
        {"M", -EINVAL, 0, NULL},
        {"-1", -EINVAL, 0, NULL},
        {"1.5G", -EINVAL, 0, NULL},
        {"1 G", -EINVAL, 0, NULL},
        {"1Gi", -EINVAL, 0, NULL},
        {"1X", -EINVAL, 0, NULL},
    };
    CHECK(samples, size_parse, size_print);
}

static void limits(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"unlimited", 0, INT64_MAX, "unlimited"},
        {"9223372036854775807", 0, INT64_MAX, "unlimited"},
        {"64M", 0, 64 << 20, "64MiB"},
        {"Unlimited", -EINVAL, 0, NULL},
    };
    CHECK(samples, limit_parse, limit_print);
}

static void durations(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"0", 0, 0, NULL},
        {"30s", 0, 30000, NULL},
        {"1m30s", 0, 90000, NULL},
        {"90s", 0, 90000, "1m30s"},
        {"1d2h3m4s5ms", 0, 93784005, NULL},
        {"1500ms", 0, 1500, "1s500ms"},
        {"7d", 0, 604800000, NULL},
        {"30", -EINVAL, 0, NULL},
        {"", -EINVAL, 0, NULL},
        {"s", -EINVAL, 0, NULL},
        {"1s1m", -EINVAL, 0, NULL},
        {"1s1s", -EINVAL, 0, NULL},
        {"1.5s", -EINVAL, 0, NULL},
        {"-1s", -EINVAL, 0, NULL},
        {"200000000000d", -ERANGE, 0, NULL},
    };
    CHECK(samples, duration_parse, duration_print);
}

static void cpus(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"1", 0, 1000, NULL},      {"1.5", 0, 1500, NULL},       {"0.125", 0, 125, NULL},
        {"2.500", 0, 2500, "2.5"}, {"1.2345", -EINVAL, 0, NULL}, {"1.", -EINVAL, 0, NULL},
        {".5", -EINVAL, 0, NULL},  {"x", -EINVAL, 0, NULL},      {"9999999999999999", -ERANGE, 0, NULL},
    };
    CHECK(samples, cpus_parse, cpus_print);
}

static void numbers(void **state)
{
    (void)state;
    static const struct sample samples[] = {
        {"0", 0, 0, NULL},         {"-5", 0, -5, NULL},       {"8192", 0, 8192, NULL},
        {"010", -EINVAL, 0, NULL}, {"0x7", -EINVAL, 0, NULL}, {"1e3", -EINVAL, 0, NULL},
        {"", -EINVAL, 0, NULL},    {"-", -EINVAL, 0, NULL},
    };
    CHECK(samples, number_parse, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes), cmocka_unit_test(limits),  cmocka_unit_test(durations),
        cmocka_unit_test(cpus),  cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests_name("units", tests, NULL, NULL);
}
