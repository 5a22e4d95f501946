#include "reconciler/cli/report.h"

#include "lib/error.h"
#include "lib/json.h"

static void add_outcomes(struct json *actions, const struct plan *plan, const struct execution_result *result,
                         bool expanded)
{
    for (size_t i = 0; i < plan->count; i++) {
        struct json *action = json_at(actions, i);
        const struct executed done =
            result ? result->items[i] : (struct executed){.outcome = OUTCOME_PENDING};
        json_set(action, "outcome", json_new_text(outcome_name(done.outcome)));
        if (done.message)
            json_set(action, "message", json_new_text(done.message));
        if (expanded)
            json_set(action, "expanded", json_new_bool(true));
    }
}

/* What somebody waited for, and did not become healthy in time. */
static void add_unmet(struct json *document, const struct execution_result *result)
{
    if (!result || !result->gate_count)
        return;
    struct json *unmet = json_get(document, "unmet");
    if (!unmet)
        unmet = json_set(document, "unmet", json_new_array());
    for (size_t i = 0; i < result->gate_count; i++)
        json_append(unmet, json_new_text(result->gates[i]));
}

static void append_all(struct json *to, const struct json *from)
{
    for (size_t i = 0; i < json_length(from); i++)
        json_append(to, json_clone(json_at(from, i)));
}

void report_add(const struct options *options, struct json **report, const struct plan *plan,
                const struct execution_result *result)
{
    if (!report || options->output != OUTPUT_DATA)
        return;
    struct json *document = plan_to_json(plan);
    add_outcomes(json_get(document, "actions"), plan, result, *report);
    add_unmet(*report ? *report : document, result);
    if (!*report) {
        *report = document;
        return;
    }
    append_all(json_get(*report, "actions"), json_get(document, "actions"));
    append_all(json_get(*report, "warnings"), json_get(document, "warnings"));
    json_set(*report, "held", json_clone(json_get(document, "held")));
    json_free(document);
}

int report_fail(const struct options *options, struct json **report, const struct error *error,
                enum exit_code code)
{
    if (!report || !*report)
        return fail(options, error, code);
    json_set(*report, "error", json_new_text(error->text));
    json_set(*report, "code", json_new_number(code));
    return code;
}

int report_invalid(const struct options *options, struct json **report, const struct problems *problems)
{
    if (!report || !*report)
        return fail_invalid(options, problems);
    _cleanup_json_ struct json *document = problems_to_json(problems);
    json_set(*report, "errors", json_clone(json_get(document, "errors")));
    json_set(*report, "code", json_new_number(EXIT_INVALID));
    return EXIT_INVALID;
}

void report_end(const struct options *options, struct json **report)
{
    if (*report)
        print_data(options, *report);
    *report = NULL;
}
