/* What goes with an image that no spec lists: the network that its RUN had, once nobody uses that. */
#include "lib/error.h"
#include "lib/json.h"
#include "reconciler/cli/image.h"

int image_drop_networks(struct session *session)
{
    const struct execution_request request = {.stop_timeout = -1, .report = &(struct json *){NULL}};
    struct error error = {0};
    struct plan plan;
    if (session_load_policy(session, &error) < 0)
        return fail_invalid(session->options, &session->problems);
    if (session_read(session, &error) < 0 || session_look(session, &error) < 0)
        return fail(session->options, &error, EXIT_ERROR);
    session_plan_needless(session, &plan);
    const int code = plan.count ? execute_and_report(session, &plan, &request) : EXIT_IN_SYNC;
    json_free(*request.report);
    return code;
}
