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

/// The world `secret-store`, over the same types where it shares interfaces with steps.
pub mod store {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "whimbrel:plugin/secret-store",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_store",
        default_bindings_module: "whimbrel_sdk::bindings::store",
        with: {
            "whimbrel:types/types@0.1.0": crate::bindings::whimbrel::types::types,
            "whimbrel:observe/log@0.1.0": crate::bindings::whimbrel::observe::log,
            "whimbrel:observe/call@0.1.0": crate::bindings::whimbrel::observe::call,
            "whimbrel:http/client@0.1.0": crate::bindings::whimbrel::http::client,
            "whimbrel:ambient/clock@0.1.0": crate::bindings::whimbrel::ambient::clock,
        },
    });
}

/// The world `git-webhook`.
pub mod webhook {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "whimbrel:plugin/git-webhook",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_webhook",
        default_bindings_module: "whimbrel_sdk::bindings::webhook",
        additional_derives: [PartialEq, Eq],
        with: {
            "whimbrel:types/types@0.1.0": crate::bindings::whimbrel::types::types,
            "whimbrel:observe/log@0.1.0": crate::bindings::whimbrel::observe::log,
        },
    });
}

/// The world `git-reporter`.
pub mod reporter {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "whimbrel:plugin/git-reporter",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_reporter",
        default_bindings_module: "whimbrel_sdk::bindings::reporter",
        additional_derives: [PartialEq, Eq],
        with: {
            "whimbrel:types/types@0.1.0": crate::bindings::whimbrel::types::types,
            "whimbrel:observe/log@0.1.0": crate::bindings::whimbrel::observe::log,
            "whimbrel:http/client@0.1.0": crate::bindings::whimbrel::http::client,
        },
    });
}

/// The world `resource-provider`.
pub mod provider {
    wit_bindgen::generate!({
        path: "../../wit",
        world: "whimbrel:plugin/resource-provider",
        generate_all,
        pub_export_macro: true,
        export_macro_name: "export_provider",
        default_bindings_module: "whimbrel_sdk::bindings::provider",
        with: {
            "whimbrel:types/types@0.1.0": crate::bindings::whimbrel::types::types,
            "whimbrel:observe/log@0.1.0": crate::bindings::whimbrel::observe::log,
            "whimbrel:observe/call@0.1.0": crate::bindings::whimbrel::observe::call,
        },
    });
}
