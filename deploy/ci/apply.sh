#!/bin/sh
# Brings the databases to the commit. Arguments go to `whimbrel apply`.
# With WHIMBREL_PLAN set, as plan.sh tells it, only if the plan is still that one. Leaves apply.json and apply.junit.xml.
set -eu
stage=apply
. "$(dirname "$0")/surroundings.sh"

if [ -n "${WHIMBREL_PLAN:-}" ]; then
    set -- --plan "$WHIMBREL_PLAN" "$@"
fi
# In place of this shell, so that a signal to the job ends whimbrel at a safe point.
exec "$whimbrel" apply --report "json=$artifacts/apply.json" --report "junit=$artifacts/apply.junit.xml" "$@"
