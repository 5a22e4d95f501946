/* The config of an image: what others write, what is refused of it, and that one config has one text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "lib/error.h"
#include "lib/json.h"
#include "specs/image_config.h"

static struct arena *arena;

static int begin(void **state)
{
    (void)state;
    arena = arena_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    arena_free(arena);
    return 0;
}

static struct image_config *parsed(const char *text)
{
    struct image_config *config = NULL;
    struct error error = {0};
    if (image_config_parse(arena, text, &config, &error) < 0)
        fail_msg("%s: %s", text, error.text);
    return config;
}

static void check_text(const char *text, const char *canonical)
{
    const char *printed = image_config_to_text(arena, parsed(text));
    if (!canonical) {
        assert_null(printed);
        return;
    }
    assert_string_equal(printed, canonical);
    assert_string_equal(image_config_to_text(arena, parsed(printed)), canonical);
}

/* image-spec, config.md, "Example" */
static void example_of_oci(void **state)
{
    (void)state;
    struct image_config *config = parsed(
        "{\"User\": \"alice\", \"ExposedPorts\": {\"8080/tcp\": {}}, \"Env\": "
        "[\"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\", "
        "\"FOO=oci_is_a\", \"BAR=well_written_spec\"], \"Entrypoint\": [\"/bin/my-app-binary\"], "
        "\"Cmd\": [\"--foreground\", \"--config\", \"/etc/my-app.d/default.cfg\"], \"Volumes\": "
        "{\"/var/job-result-data\": {}, \"/var/log/my-app-logs\": {}}, \"WorkingDir\": \"/home/alice\", "
        "\"Labels\": {\"com.example.project.git.url\": \"https://example.com/project.git\", "
        "\"com.example.project.git.commit\": \"45a939b2999782a3f005621a8d0f29aa387e1d6b\"}}");
    assert_string_equal(config->user, "alice");
    assert_int_equal(config->env.count, 3);
    assert_string_equal(config->env.items[0].key, "BAR");
    assert_string_equal(config->env.items[0].value, "well_written_spec");
    assert_string_equal(config->entrypoint.items[0], "/bin/my-app-binary");
    assert_int_equal(config->command.count, 3);
    assert_string_equal(config->exposed.items[0], "8080/tcp");
    assert_int_equal(config->volumes.count, 2);
    assert_string_equal(((struct image_volume *)config->volumes.items[1])->path, "/var/log/my-app-logs");
    assert_null(((struct image_volume *)config->volumes.items[1])->name);
    assert_string_equal(config->directory, "/home/alice");
    assert_int_equal(config->labels.count, 2);
}

/* What `docker build` writes: nulls, empty texts, keys of its own, durations in nanoseconds. */
static void shapes_of_docker(void **state)
{
    (void)state;
    check_text(
        "{\"Hostname\":\"\",\"Domainname\":\"\",\"User\":\"\",\"AttachStdin\":false,\"Tty\":false,"
        "\"Env\":null,\"Cmd\":null,\"Image\":\"\",\"Volumes\":null,\"WorkingDir\":\"\",\"Entrypoint\":null,"
        "\"OnBuild\":null,\"Labels\":null}",
        NULL);
    check_text("{\"ArgsEscaped\":true,\"Env\":[\"A=1\",\"B=2\",\"A=3\"],\"StopSignal\":\"15\",\"WorkingDir\":"
               "\"/a//b/../c/\","
               "\"Healthcheck\":{\"Test\":[\"CMD-SHELL\",\"curl -f http://localhost/ || exit 1\"],"
               "\"Interval\":30000000000,\"Timeout\":3000000000,\"StartPeriod\":500000,\"Retries\":3}}",
               "{\"Env\":[\"A=3\",\"B=2\"],\"Healthcheck\":{\"Interval\":30000000000,\"Retries\":3,"
               "\"StartPeriod\":1000000,"
               "\"Test\":[\"CMD-SHELL\",\"curl -f http://localhost/ || exit 1\"],\"Timeout\":3000000000},"
               "\"StopSignal\":\"SIGTERM\",\"WorkingDir\":\"/a/c\"}");
    check_text("{\"Healthcheck\":{\"Test\":[\"NONE\"]}}", "{\"Healthcheck\":{\"Test\":[\"NONE\"]}}");
    check_text("{\"ExposedPorts\":{\"90\":{},\"80/tcp\":{},\"8000-8010/udp\":{}}}",
               "{\"ExposedPorts\":{\"80/tcp\":{},\"8000-8010/udp\":{},\"90/tcp\":{}}}");
    check_text("{\"StopSignal\":\"37\"}", "{\"StopSignal\":\"SIGRTMIN+3\"}");
    check_text("{\"Shell\":[\"/bin/bash\",\"-c\"],\"User\":\"1000:0\"}",
               "{\"Shell\":[\"/bin/bash\",\"-c\"],\"User\":\"1000:0\"}");
    struct image_config *config =
        parsed("{\"Healthcheck\":{\"Test\":[\"CMD\",\"true\"],\"StartInterval\":5000000000}}");
    assert_int_equal(config->health->start_interval, 5000);
    assert_false(config->health->none);
}

/* What has no key in OCI goes through a label and comes back. */
static void our_labels(void **state)
{
    (void)state;
    struct image_config *config = image_config_new(arena);
    *arena_append(arena, config->ports.items, config->ports.count) = image_port_parse(arena, "80");
    *arena_append(arena, config->ports.items, config->ports.count) =
        image_port_parse(arena, "127.0.0.1:8000-8001:9000-9001/udp");
    *arena_append(arena, config->volumes.items, config->volumes.count) =
        image_volume_parse(arena, "data:/srv/data");
    *arena_append(arena, config->volumes.items, config->volumes.count) =
        image_volume_parse(arena, "/var/cache/");
    *arena_append(arena, config->databases.items, config->databases.count) =
        image_database_parse(arena, "mysql:blog");
    *arena_append(arena, config->databases.items, config->databases.count) =
        image_database_parse(arena, "postgresql");
    *arena_append(arena, config->labels.items, config->labels.count) =
        (struct pair){.key = "a", .value = "two\nlines"};
    image_config_settle(arena, config);
    const char *text = image_config_to_text(arena, config);
    assert_string_equal(text,
                        "{\"Labels\":{\"a\":\"two\\nlines\",\"org.fpsync.databases\":\"[\\\"mariadb:blog\\\","
                        "\\\"postgres\\\"]\","
                        "\"org.fpsync.ports\":\"[\\\"127.0.0.1:8000-8001:9000-9001/udp\\\",\\\"80\\\"]\","
                        "\"org.fpsync.volumes\":\"[\\\"data:/srv/data\\\"]\"},"
                        "\"Volumes\":{\"/srv/data\":{},\"/var/cache\":{}}}");
    struct image_config *again = parsed(text);
    struct changes changes = {0};
    fields_diff(&image_config_table, config, again, arena, &changes);
    assert_int_equal(changes.count, 0);
    assert_string_equal(((struct image_volume *)again->volumes.items[0])->name, "data");
    assert_int_equal(again->labels.count, 1);
    check_text("{\"Labels\":{\"org.fpsync.later\":\"x\"}}", NULL);
}

static void differences(void **state)
{
    (void)state;
    struct changes changes = {0};
    fields_diff(&image_config_table, parsed("{\"Env\":[\"A=1\"],\"Cmd\":[\"a\"]}"),
                parsed("{\"Env\":[\"A=2\"],\"Cmd\":[\"a\"],\"User\":\"www\"}"), arena, &changes);
    assert_int_equal(changes.count, 2);
    assert_string_equal(changes.items[0].field, "env.A");
    assert_string_equal(changes.items[1].field, "user");
}

static void values(void **state)
{
    (void)state;
    static const char *const users[] = {"root",         "www-data", "0",     "65534:65534",
                                        "_apt:nogroup", "Admin",    "a.b:c", "samba$"};
    static const char *const no_users[] = {"",    ":",    "a:",         ":b", "a:b:c", "-a",
                                           "a b", "../a", "4294967295", "01", "a\n",   "$"};
    for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++)
        if (!image_user_is_valid(users[i]))
            fail_msg("user '%s' refused", users[i]);
    for (size_t i = 0; i < sizeof(no_users) / sizeof(*no_users); i++)
        if (image_user_is_valid(no_users[i]))
            fail_msg("user '%s' taken", no_users[i]);
    static const struct {
        const char *text, *listen;
        int64_t guest;
    } ports[] = {{"80", "80/tcp", 80},
                 {"53/udp", "53/udp", 53},
                 {"8080:80", "8080/tcp", 80},
                 {"[::1]:8080:80/tcp+udp", "[::1]:8080/tcp+udp", 80},
                 {"0.0.0.0:8080:80", "8080/tcp", 80},
                 {"8000-8009:80-89", "8000-8009/tcp", 80}};
    for (size_t i = 0; i < sizeof(ports) / sizeof(*ports); i++) {
        struct port *port = image_port_parse(arena, ports[i].text);
        if (!port)
            fail_msg("port '%s' refused", ports[i].text);
        assert_string_equal(port->listen, ports[i].listen);
        assert_int_equal(port->guest, ports[i].guest);
    }
    static const char *const no_ports[] = {"",      "0",     "65536",      "80/sctp",     "80/",
                                           "a",     ":80",   "80:",        "::1:8080:80", "1.2.3:80:80",
                                           "8-9:8", "80-79", "1.2.3.4:80", "80;reboot",   "080"};
    for (size_t i = 0; i < sizeof(no_ports) / sizeof(*no_ports); i++)
        if (image_port_parse(arena, no_ports[i]))
            fail_msg("port '%s' taken", no_ports[i]);
    static const char *const no_volumes[] = {"",      "data",   "Data:/srv",   ":/srv", "/",
                                             "/proc", "/dev/x", "/srv/../sys", "a:srv", "/a\nb"};
    for (size_t i = 0; i < sizeof(no_volumes) / sizeof(*no_volumes); i++)
        if (image_volume_parse(arena, no_volumes[i]))
            fail_msg("volume '%s' taken", no_volumes[i]);
    assert_string_equal(image_volume_parse(arena, "/with: colon")->path, "/with: colon");
    assert_string_equal(image_directory_parse(arena, "app/"), "/app");
    assert_null(image_database_parse(arena, "oracle"));
    assert_null(image_database_parse(arena, "mysql:"));
    assert_null(image_signal_parse(arena, "0"));
    assert_null(image_signal_parse(arena, "33"));
    assert_null(image_signal_parse(arena, "SIGNOPE"));
}

/* What an attacker, or a broken program, writes. */
static void refused(void **state)
{
    (void)state;
    static const struct {
        const char *text, *says;
    } samples[] = {
        {"[]", "not a JSON object"},
        {"{", "JSON line 1"},
        {"{\"User\":\"a\",\"User\":\"b\"}", "JSON"},
        {"{\"Env\":{}}", "config: Env: expected a list"},
        {"{\"Env\":[\"A\"]}", "config: Env: expected NAME=VALUE"},
        {"{\"Env\":[\"=x\"]}", "NAME=VALUE"},
        {"{\"Env\":[\"A B=x\"]}", "NAME=VALUE"},
        {"{\"Env\":[\"A=x\\nlxc.hook.start=/bin/sh\"]}", "a value of one line, found \"A\""},
        {"{\"Env\":[\"A=\\u0000\"]}", "JSON"},
        {"{\"Env\":[1]}", "config: Env: expected a text"},
        {"{\"Cmd\":\"sh\"}", "config: Cmd: expected a list"},
        {"{\"Cmd\":[\"\\u001b[2J\"]}", "without control characters"},
        {"{\"Cmd\":[\"\\u009b2J\"]}", "without control characters"},
        {"{\"User\":\"../../etc\"}", "config: User: expected USER[:GROUP]"},
        {"{\"User\":7}", "config: User: expected a text"},
        {"{\"WorkingDir\":\"/a\\nb\"}", "config: WorkingDir: expected a path"},
        {"{\"Volumes\":[\"/a\"]}", "config: Volumes: expected an object"},
        {"{\"Volumes\":{\"/proc/sys\":{}}}", "config: Volumes: expected"},
        {"{\"Volumes\":{\"data:/srv\":{}}}", "config: Volumes: expected an absolute path"},
        {"{\"ExposedPorts\":{\"80/tcp; drop table\":{}}}", "config: ExposedPorts: expected PORT/PROTOCOL"},
        {"{\"StopSignal\":\"SIGBOGUS\"}", "config: StopSignal: expected a signal"},
        {"{\"Healthcheck\":[]}", "config: Healthcheck: expected an object"},
        {"{\"Healthcheck\":{\"Interval\":-1}}", "config: Healthcheck.Interval: expected nanoseconds"},
        {"{\"Healthcheck\":{\"Interval\":\"30s\"}}", "config: Healthcheck.Interval: expected nanoseconds"},
        {"{\"Healthcheck\":{\"Test\":[\"EXEC\",\"a\"]}}", "config: Healthcheck: expected NONE"},
        {"{\"Healthcheck\":{\"Retries\":1000000}}", "config: Healthcheck: expected Retries"},
        {"{\"Labels\":{\"a\":1}}", "config: Labels: expected a text"},
        {"{\"Labels\":{\"org.fpsync.ports\":\"80\"}}", "config: org.fpsync.ports: expected a list"},
        {"{\"Labels\":{\"org.fpsync.ports\":\"[\\\"80;x\\\"]\"}}", "config: org.fpsync.ports: expected [["},
        {"{\"Labels\":{\"org.fpsync.volumes\":\"[\\\"../x:/a\\\"]\"}}",
         "config: org.fpsync.volumes: expected"},
        {"{\"Labels\":{\"org.fpsync.databases\":\"[\\\"mysql:A\\\"]\"}}",
         "config: org.fpsync.databases: expected"},
    };
    for (size_t i = 0; i < sizeof(samples) / sizeof(*samples); i++) {
        struct image_config *config = NULL;
        struct error error = {0};
        if (image_config_parse(arena, samples[i].text, &config, &error) >= 0)
            fail_msg("taken: %s", samples[i].text);
        assert_null(config);
        if (!strstr(error.text, samples[i].says))
            fail_msg("%s: '%s' does not say '%s'", samples[i].text, error.text, samples[i].says);
    }
}

static void bounds(void **state)
{
    (void)state;
    struct image_config *config = NULL;
    struct error error = {0};
    _cleanup_buffer_ struct buffer text = {0};
    buffer_text(&text, "{\"Cmd\":[");
    for (int i = 0; i < 1025; i++)
        buffer_printf(&text, "%s\"\"", i ? "," : "");
    buffer_text(&text, "]}");
    assert_int_equal(image_config_parse(arena, text.bytes, &config, &error), -EINVAL);
    buffer_clear(&text);
    buffer_text(&text, "{\"Volumes\":{");
    for (int i = 0; i < 65; i++)
        buffer_printf(&text, "%s\"/v%d\":{}", i ? "," : "", i);
    buffer_text(&text, "}}");
    assert_int_equal(image_config_parse(arena, text.bytes, &config, &error), -EINVAL);
    buffer_clear(&text);
    buffer_text(&text, "{\"User\":\"");
    for (int i = 0; i < 200 * 1024; i++)
        buffer_text(&text, "a");
    buffer_text(&text, "\"}");
    assert_int_equal(image_config_parse(arena, text.bytes, &config, &error), -EINVAL);
    for (int i = 0; i < IMAGE_CONFIG_SIZE; i++)
        buffer_text(&text, " ");
    assert_int_equal(image_config_parse(arena, text.bytes, &config, &error), -EFBIG);
    assert_null(config);
    assert_null(image_config_to_text(arena, parsed("")));
    assert_null(image_config_to_text(arena, parsed(NULL)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(example_of_oci, begin, end),
        cmocka_unit_test_setup_teardown(shapes_of_docker, begin, end),
        cmocka_unit_test_setup_teardown(our_labels, begin, end),
        cmocka_unit_test_setup_teardown(differences, begin, end),
        cmocka_unit_test_setup_teardown(values, begin, end),
        cmocka_unit_test_setup_teardown(refused, begin, end),
        cmocka_unit_test_setup_teardown(bounds, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
