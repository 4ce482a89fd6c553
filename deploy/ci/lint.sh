#!/bin/sh
# Looks at everything that needs no database. Arguments go to `whimbrel lint`.
# Leaves lint.sarif for the code host and lint.junit.xml for the pipeline. Ends as `whimbrel lint` does: 3 means findings.
set -eu
stage=lint
. "$(dirname "$0")/surroundings.sh"

if [ -n "$target" ]; then
    # What is on the branch already must not have been edited.
    set -- --base "origin/$target" "$@"
fi
exec "$whimbrel" lint --report "sarif=$artifacts/lint.sarif" --report "junit=$artifacts/lint.junit.xml" "$@"
