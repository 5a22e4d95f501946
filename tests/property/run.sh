#!/bin/bash
# The property test with the seeds of `make test`; more by hand: SEEDS=2000 FIRST=1000 tests/property/run.sh
# A run that need not decide decides all the same, and dies if it was wrong not to (reconciler/settled.h).
FPSYNC_FAKE_DOUBT=$(mktemp) || exit 1
trap 'rm -f "$FPSYNC_FAKE_DOUBT"' EXIT
export FPSYNC_FAKE_DOUBT
"${FPSYNC_BUILD:?}/tests/property/property" "${FIRST:-1}" "${SEEDS:-120}"
