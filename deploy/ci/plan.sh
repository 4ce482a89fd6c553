#!/bin/sh
# Shows what would run; writes to no database. Arguments go to `whimbrel plan`.
# Leaves plan.json, plan.md, plan.sarif and plan.junit.xml, and tells PLAN (its digest, for apply.sh) and PENDING.
# Ends with 0 whether or not something is pending, and otherwise as `whimbrel plan` does: with 4 or 6 where the plan can't be run.
set -eu
stage=plan
. "$(dirname "$0")/surroundings.sh"

: >"$artifacts/plan.env"
rm -f "$artifacts/plan.md"
code=0
"$whimbrel" plan --detailed-exitcode \
    --report "json=$artifacts/plan.json" --report "markdown=$artifacts/plan.md" \
    --report "sarif=$artifacts/plan.sarif" --report "junit=$artifacts/plan.junit.xml" "$@" || code=$?
# Also where it can't be run: what is in its way stands in it.
if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -e "$artifacts/plan.md" ]; then
    cat "$artifacts/plan.md" >>"$GITHUB_STEP_SUMMARY"
fi
case $code in
0) tell PENDING false ;;
2) tell PENDING true ;;
*) exit "$code" ;;
esac
tell PLAN "$(sed -n 's/^  "digest": "\(sha256:[0-9a-f]*\)".*/\1/p' "$artifacts/plan.json")"
