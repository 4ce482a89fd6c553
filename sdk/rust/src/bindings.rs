//! What the generator makes of `wit/`. Not for plugins: the modules above it are.

#![allow(
    unsafe_code,
    missing_docs,
    clippy::all,
    clippy::pedantic,
    clippy::restriction
)]

wit_bindgen::generate!({
    path: "../../wit",
    world: "whimbrel:plugin/migration-step",
    generate_all,
    pub_export_macro: true,
    default_bindings_module: "whimbrel_sdk::bindings",
    additional_derives: [PartialEq, serde::Serialize, serde::Deserialize],
});
