/* What a run did, as data: one document, however many plans it took (SEMANTICS 26: what hung on images is planned once
 * those are there). */
#pragma once

#include "reconciler/cli/cli.h"

/* Adds the plan's actions, each with its outcome; `result` NULL: none of them was begun, and each is pending. What a second
 * plan adds says so by "expanded"; what is held is what the last one holds. `report` NULL, or text output: nothing. */
void report_add(const struct options *options, struct json **report, const struct plan *plan,
                const struct execution_result *result);
/* fail(), within the document where there is one already. */
int report_fail(const struct options *options, struct json **report, const struct error *error,
                enum exit_code code);
/* fail_invalid(), likewise: what was fetched can be wrong. */
int report_invalid(const struct options *options, struct json **report, const struct problems *problems);
/* Prints it, once, and frees it. */
void report_end(const struct options *options, struct json **report);
