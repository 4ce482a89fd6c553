//! The product's only unsafe operation: mapping code that was compiled before.

#![allow(unsafe_code)]

use std::path::Path;

use wasmtime::Engine;
use wasmtime::component::Component;

/// Maps a component's compiled code.
///
/// # Errors
/// It was compiled by another wasmtime or with other settings.
pub fn map(engine: &Engine, path: &Path) -> wasmtime::Result<Component> {
    // SAFETY: the file must be what `Component::serialize` gave, and must not change while it is mapped. The caller has
    // just compared its digest with the one that was written with it; the folder is writable by us alone; and files in
    // it are only ever renamed over or unlinked, which leaves a mapped one as it is.
    unsafe { Component::deserialize_file(engine, path) }
}
