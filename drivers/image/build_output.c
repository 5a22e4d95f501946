#include "drivers/image/build_output.h"

#include <stdio.h>
#include <string.h>

#include "drivers/lines.h"

void build_output_hear(void *context, const char *line)
{
    struct build_output *output = context;
    char shown[LINE_SIZE];
    if (output->environment && output->environment->secret_count) {
        build_environment_mask(output->environment, line, shown, sizeof(shown));
        line = shown;
    }
    build_log_line(&output->log, line);
    char *last = output->last[output->count++ % OUTPUT_LAST];
    snprintf(last, sizeof(output->last[0]), "%.*s", (int)sizeof(output->last[0]) - 1, line);
    if (output->call->progress)
        output->call->progress(output->call->context, line);
}

void build_output_last(const struct build_output *output, struct buffer *text)
{
    const size_t first = output->count > OUTPUT_LAST ? output->count - OUTPUT_LAST : 0;
    buffer_text(text, "");
    for (size_t i = first; i < output->count; i++)
        buffer_printf(text, "%s%s", i == first ? ": " : " | ", output->last[i % OUTPUT_LAST]);
}
