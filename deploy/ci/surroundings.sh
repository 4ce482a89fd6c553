# What a CI system says of itself, as whimbrel takes it. Read by every stage; not for running by itself.
#
# Variables that a job may set:
#   WHIMBREL_BIN           the program                                default: whimbrel
#   WHIMBREL_ARTIFACTS     the folder that reports go to              default: whimbrel-artifacts
#   WHIMBREL_ENVIRONMENT, WHIMBREL_PROJECT, WHIMBREL_CONTROL_REF, WHIMBREL_ACTOR   as `whimbrel --help` has them
# One that is empty, as systems pass on what nobody gave, is none.

whimbrel=${WHIMBREL_BIN:-whimbrel}
artifacts=${WHIMBREL_ARTIFACTS:-whimbrel-artifacts}
mkdir -p "$artifacts"

# Which branch a change wants to go to (nothing unless it is one), and who runs this.
if [ -n "${GITHUB_ACTIONS:-}" ]; then
    target=${GITHUB_BASE_REF:-}
    actor="${GITHUB_ACTOR:-github} ($GITHUB_SERVER_URL/$GITHUB_REPOSITORY/actions/runs/$GITHUB_RUN_ID)"
elif [ -n "${GITLAB_CI:-}" ]; then
    target=${CI_MERGE_REQUEST_TARGET_BRANCH_NAME:-}
    actor="${GITLAB_USER_LOGIN:-gitlab} ($CI_JOB_URL)"
elif [ -n "${JENKINS_URL:-}" ]; then
    target=${CHANGE_TARGET:-}
    actor="${BUILD_USER_ID:-${CHANGE_AUTHOR:-jenkins}} ($BUILD_URL)"
else
    target=
    actor=
fi

if [ -n "$actor" ] && [ -z "${WHIMBREL_ACTOR:-}" ]; then
    export WHIMBREL_ACTOR="$actor"
fi

# A change decides on its migrations; where they run, and with which plugins, the branch decides that it goes to.
if [ -n "$target" ] && [ -z "${WHIMBREL_CONTROL_REF:-}" ]; then
    export WHIMBREL_CONTROL_REF="origin/$target"
fi

# Tells later jobs: as an output of the step on GitHub, and in a file of NAME=VALUE lines that GitLab and Jenkins read.
tell() {
    printf 'WHIMBREL_%s=%s\n' "$1" "$2" >>"$artifacts/$stage.env"
    if [ -n "${GITHUB_OUTPUT:-}" ]; then
        printf '%s=%s\n' "$(echo "$1" | tr 'A-Z_' 'a-z-')" "$2" >>"$GITHUB_OUTPUT"
    fi
}
