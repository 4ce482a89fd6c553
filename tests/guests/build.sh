#!/bin/sh
# Builds the guests that aren't written in Rust into OUT: step-python.wasm. Again only when something changed.
# usage: tests/guests/build.sh OUT
set -eu
out=${1:?usage: tests/guests/build.sh OUT}
here=$(cd "$(dirname "$0")" && pwd)
wit=$here/../../wit
version=0.25.1
mkdir -p "$out"
out=$(cd "$out" && pwd)

# One build at a time: several tests may ask at once.
if command -v flock >/dev/null 2>&1 && [ -z "${WHIMBREL_GUESTS_LOCKED:-}" ]; then
    WHIMBREL_GUESTS_LOCKED=1 exec flock "$out/lock" "$0" "$out"
fi

stamp=$( { echo "$version"; cat "$0" "$here"/python/*.py; find "$wit" -name '*.wit' | sort | xargs cat; } | sha256sum | cut -d' ' -f1)
[ -f "$out/step-python.wasm" ] && [ "$(cat "$out/stamp" 2>/dev/null)" = "$stamp" ] && exit 0

tool=$out/venv/bin/componentize-py
if [ "$("$tool" --version 2>/dev/null)" != "componentize-py $version" ]; then
    # A bare Debian has python3 without venv's pip; uv needs neither.
    rm -rf "$out/venv"
    if command -v uv >/dev/null 2>&1; then
        uv venv -q "$out/venv"
        uv pip install -q --python "$out/venv/bin/python" "componentize-py==$version"
    else
        python3 -m venv "$out/venv"
        "$out/venv/bin/pip" install -q --disable-pip-version-check "componentize-py==$version"
    fi
fi
cd "$here/python"
"$tool" -d "$wit" -w migration-step componentize app -o "$out/step-python.wasm.new"
mv "$out/step-python.wasm.new" "$out/step-python.wasm"
echo "$stamp" > "$out/stamp"
