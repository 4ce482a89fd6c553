#!/bin/bash
# Usage: guest-toolchain.sh FOLDER [TARGET...]        (default target: wasm32-unknown-unknown)
#
# Makes a compiler for guests where rustup can't add the wasm target: from Debian's rustc-web packages, unpacked and
# not installed, with the standard library built from rust-web-src. Leaves FOLDER/guest-rustc. Needs apt's lists,
# dpkg, cargo and what cargo itself fetches.
set -euo pipefail
P=$(realpath -m "$1"); shift; TARGETS=${*:-wasm32-unknown-unknown}
W=$(mktemp -d); trap 'rm -rf "$W"' EXIT
if ! apt-cache show rustc-web >/dev/null 2>&1; then
  if [ "$(id -u)" = 0 ]; then apt-get update -q; else sudo apt-get update -q; fi
fi
mkdir -p "$W/debs" "$W/root"; cd "$W/debs"
apt-get download rustc-web libstd-rust-web-dev rust-web-src \
  $(apt-cache depends --recurse -i libstd-rust-web-dev | grep -oE '^(libstd-rust-web-[0-9.]+|libllvm[0-9]+)' | sort -u) 2>&1 | tail -1
for d in *.deb; do dpkg -x "$d" "$W/root"; done
U=$W/root/usr; L=$(echo "$U"/lib/*-linux-gnu); HOST=$(ls "$U/lib/rustlib" | grep linux-gnu)
RUSTUP_BIN=$(rustc --print sysroot)/lib/rustlib/$HOST/bin          # rust-lld, wasm-component-ld come with every rustup rustc
mkdir -p "$U/lib/rustlib/$HOST/bin"
for t in rust-lld gcc-ld wasm-component-ld; do ln -sfn "$RUSTUP_BIN/$t" "$U/lib/rustlib/$HOST/bin/$t"; done
printf '#!/bin/sh\nd=$(dirname "$(realpath "$0")")\nLD_LIBRARY_PATH="$d/usr/lib/%s" exec "$d/usr/bin/rustc" "$@"\n' "$(basename "$L")" > "$W/root/guest-rustc"
chmod +x "$W/root/guest-rustc"
mkdir -p "$W/seed/src"; : > "$W/seed/src/lib.rs"
printf '[package]\nname="stdseed"\nversion="0.0.0"\nedition="2021"\n[profile.release]\npanic="abort"\ncodegen-units=1\n[workspace]\n' > "$W/seed/Cargo.toml"
cd "$W/seed"
for T in $TARGETS; do
  D=$U/lib/rustlib/$T/lib; mkdir -p "$D"
  # embed-bitcode: otherwise guests with lto=true fail: "failed to get bitcode from object file for LTO (Can't find section .llvmbc)"
  RUSTC_BOOTSTRAP=1 RUSTC=$W/root/guest-rustc RUSTFLAGS="-Cembed-bitcode=yes -Cdebuginfo=0" CARGO_TARGET_DIR=$W/t \
    cargo build -q -Zbuild-std=std,panic_abort --target "$T" --release
  cp "$W/t/$T/release/deps/"*.rlib "$D/"; rm -f "$D"/libstdseed*
done
rm -rf "$U/src" "$U/lib/rustlib/src" "$U/share"
mkdir -p "$(dirname "$P")"; rm -rf "$P"; cp -a "$W/root" "$P"; du -sh "$P"
