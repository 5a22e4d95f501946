#include "reconciler/cli/confirm.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/plan_file.h"

/* `building`: that is what was asked for. */
static bool is_disruptive(const struct plan *plan, bool building)
{
    for (size_t i = 0; i < plan->count; i++) {
        enum verb verb = plan->actions[i]->verb;
        if (verb == VERB_DELETE || verb == VERB_RECREATE || verb == VERB_RESTART || verb == VERB_STOP ||
            (verb == VERB_BUILD && !building) ||
            (verb == VERB_RENAME && plan->actions[i]->kind == KIND_CONTAINER))
            return true;
    }
    return false;
}

static bool may_ask(const struct options *options)
{
    return !options->yes && !options->automatic && isatty(STDIN_FILENO) && isatty(STDOUT_FILENO);
}

static bool says_yes(void)
{
    printf("Do it? [y/N] (-y answers) ");
    fflush(stdout);
    char answer[16] = "";
    return fgets(answer, sizeof(answer), stdin) && (*answer == 'y' || *answer == 'Y');
}

/* Whether the plan is another one now: `difference` says what, NULL where it is the same. 0, or an exit code. */
static int look_again(struct session *session, struct plan *plan, plan_again *again, const char **difference)
{
    _cleanup_json_ struct json *shown = plan_document(plan, &session->set);
    int code = again(session, plan);
    if (code)
        return code;
    _cleanup_json_ struct json *now = plan_document(plan, &session->set);
    *difference = plan_difference(shown, now, session->arena);
    return 0;
}

static int refuse(const struct session *session, const char *difference)
{
    struct error error;
    error_set(&error, -EPERM, "the plan is not the one that was shown any more: %s", difference);
    return fail(session->options, &error, EXIT_REFUSED);
}

int confirm_plan(struct session *session, struct plan *plan, plan_again *again)
{
    const struct options *options = session->options;
    bool asks = may_ask(options) && is_disruptive(plan, options->build);
    if (!asks && !options->exact)
        return 0;
    for (;;) {
        const char *difference = NULL;
        if (asks && !says_yes()) {
            printf("Nothing was done.\n");
            return EXIT_PENDING;
        }
        int code = look_again(session, plan, again, &difference);
        if (code || !difference)
            return code;
        if (options->exact)
            return refuse(session, difference);
        printf("The plan is not the one that was shown any more: %s\n", difference);
        show_plan(options, plan);
        if (!plan->count)
            return 0;
    }
}
