#!/usr/bin/env bash
# RUSTC_WORKSPACE_WRAPPER of CI's test build: as instrument.sh, by the compiler that clippy is, with warnings as errors
# (docs/decisions/0019). What cargo asks of a compiler before it compiles has no warnings.
case " $* " in
*" --crate-name "*) exec "$(dirname "$0")/instrument.sh" clippy-driver "$@" -Dwarnings ;;
*) exec "$@" ;;
esac
