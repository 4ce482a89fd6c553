#!/bin/sh
# Builds the first-party components into OUT, and the tests' guests (misbehaving ones, and the examples of
# third parties) into the folder test-components beside it.
# usage: plugins/build.sh OUT
set -eu
out=${1:?usage: plugins/build.sh OUT}
mkdir -p "$out" "$(dirname "$out")/test-components"
out=$(cd "$out" && pwd)
test_out=$(cd "$out/../test-components" && pwd)
cd "$(dirname "$0")"
CARGO_TARGET_DIR=${WHIMBREL_PLUGINS_TARGET:-$PWD/target}
export CARGO_TARGET_DIR
cargo build --release --locked --target wasm32-unknown-unknown
for example in strongbox lookup-table; do
    (cd "../examples/plugins/$example" && cargo build --release --locked --target wasm32-unknown-unknown)
done
built=$CARGO_TARGET_DIR/wasm32-unknown-unknown/release

# Copied only when changed, so that whoever embeds it isn't rebuilt for nothing; renamed, so that nobody reads half of it.
place() {
    cmp -s "$1" "$2" && return
    cp "$1" "$2.$$" && mv "$2.$$" "$2"
}
# Cargo writes an underscore where a package's name has a hyphen.
for plugin in aws-secrets-manager azure-key-vault backfill gcp-secret-manager git-reporter git-webhook kubernetes sops terraform terraform-state vault; do
    place "$built/$(echo "$plugin" | tr - _).wasm" "$out/$plugin.wasm"
done
for guest in hostile everything hostile_store hostile_provider strongbox lookup_table; do
    place "$built/$guest.wasm" "$test_out/$guest.wasm"
done
