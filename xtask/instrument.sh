#!/usr/bin/env bash
# RUSTC_WORKSPACE_WRAPPER of the test build: counts the lines of the project's own crates and leaves every
# dependency as the plain build made it, so that both builds share them (docs/decisions/0002). Bash, because dash drops
# variables such as CARGO_BIN_EXE_whimbrel-postgres-server on the way to the compiler.
case " $* " in
*" build_script_build "*) exec "$@" ;;
*" --crate-name "*) exec "$@" -Cinstrument-coverage ;;
*) exec "$@" ;;
esac
