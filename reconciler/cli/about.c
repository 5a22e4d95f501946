/* explain, schema, version: what needs neither root nor record. */
#include <errno.h>
#include <stdio.h>

#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/cli.h"

int run_explain(const struct options *options)
{
    _cleanup_buffer_ struct buffer text = {0};
    struct error error = {0};
    const char *field = options->argument_count ? options->arguments[0] : "";
    if (specs_explain(field, &text, &error) < 0)
        return fail(options, &error, EXIT_ERROR);
    if (options->output == OUTPUT_DATA) {
        struct json *object = json_new_object();
        json_set(object, "schema", json_new_number(1));
        json_set(object, "field", json_new_text(field));
        json_set(object, "text", json_new_text(text.length ? text.bytes : ""));
        print_data(options, object);
        return EXIT_IN_SYNC;
    }
    print_out(&text);
    return EXIT_IN_SYNC;
}

int run_schema(const struct options *options)
{
    print_data(options, specs_schema());
    return EXIT_IN_SYNC;
}

int run_version(const struct options *options)
{
    if (options->output == OUTPUT_DATA) {
        struct json *object = json_new_object();
        json_set(object, "schema", json_new_number(1));
        json_set(object, "version", json_new_text(FPSYNC_VERSION));
        json_set(object, "state_format", json_new_number(STATE_FORMAT));
        print_data(options, object);
        return EXIT_IN_SYNC;
    }
    printf("fpsync %s (state format %u)\n", FPSYNC_VERSION, STATE_FORMAT);
    return EXIT_IN_SYNC;
}
