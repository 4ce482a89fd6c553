//! How the program is linked. On Linux with the GNU C library it has a fixed address, so that its start needn't write a hundred
//! thousand of them: docs/decisions/0020. Who wants the random place of the code back asks for the feature `position-independent`.

use std::env::{var, var_os};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let is = |part: &str, name: &str| {
        var(format!("CARGO_CFG_TARGET_{part}")).is_ok_and(|found| found == name)
    };
    let is_asked_otherwise = var_os("CARGO_FEATURE_POSITION_INDEPENDENT").is_some();
    if is("OS", "linux") && is("ENV", "gnu") && !is_asked_otherwise {
        println!("cargo::rustc-link-arg-bin=whimbrel=-no-pie");
    }
}
