#!/bin/sh
# Shows where every migration stands. Arguments go to `whimbrel status`. Leaves status.json.
set -eu
stage=status
. "$(dirname "$0")/surroundings.sh"

exec "$whimbrel" status --report "json=$artifacts/status.json" "$@"
