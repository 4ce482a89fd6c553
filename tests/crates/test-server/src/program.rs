//! Finds the programs of real parts, and ports for them.

use std::env;
use std::net::TcpListener;
use std::path::PathBuf;

/// A program: the one that a variable names, the one that `cargo xtask tools` installed, or one on `PATH`.
///
/// # Panics
///
/// It is nowhere.
#[must_use]
pub fn program(variable: &str, name: &str) -> PathBuf {
    if let Some(given) = env::var_os(variable) {
        return PathBuf::from(given);
    }
    let home = env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/whimbrel"));
    let cache = env::var_os("WHIMBREL_CACHE").map(PathBuf::from).or(home);
    let tools = cache.map(|cache| cache.join("tools/bin"));
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders = tools.into_iter().chain(env::split_paths(&path));
    folders
        .find_map(|folder| Some(folder.join(name)).filter(|program| program.is_file()))
        .unwrap_or_else(|| {
            panic!("`{name}` is nowhere: `cargo xtask tools` installs it, {variable} says where another one is")
        })
}

/// A port of 127.0.0.1 that nobody listened on a moment ago.
///
/// # Panics
///
/// None is free.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    listener.expect("a free port").port()
}
