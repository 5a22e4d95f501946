#!/bin/bash
# The property test with the seeds of `make test`; more by hand: SEEDS=2000 FIRST=1000 tests/property/run.sh
exec "${FPSYNC_BUILD:?}/tests/property/property" "${FIRST:-1}" "${SEEDS:-50}"
