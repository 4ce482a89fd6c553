//! What the generator makes of `wit/`: one trait per imported interface, one typed handle per exported world.

#![allow(
    missing_docs,
    unsafe_code,
    clippy::all,
    clippy::pedantic,
    clippy::restriction
)]

/// Every interface that a plugin can import, of all worlds together: what isn't part of a call answers `denied`.
pub mod imports {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package whimbrel:host;
            world everything {
                import whimbrel:observe/log@0.1.0;
                import whimbrel:observe/metrics@0.1.0;
                import whimbrel:observe/call@0.1.0;
                import whimbrel:sql/database@0.1.0;
                import whimbrel:sql/sources@0.1.0;
                import whimbrel:ambient/clock@0.1.0;
                import whimbrel:ambient/random@0.1.0;
                import whimbrel:ambient/environment@0.1.0;
                import whimbrel:ambient/files@0.1.0;
                import whimbrel:http/client@0.1.0;
                import whimbrel:secrets/session@0.1.0;
                import whimbrel:secrets/verify@0.1.0;
                import whimbrel:resources/engine@0.1.0;
            }
        ",
        imports: {
            "whimbrel:sql/database@0.1.0.query": async | trappable,
            "whimbrel:sql/database@0.1.0.execute": async | trappable,
            "whimbrel:sql/database@0.1.0.commit": async | trappable,
            "whimbrel:sql/database@0.1.0.rollback": async | trappable,
            "whimbrel:sql/database@0.1.0.insert": async | trappable,
            "whimbrel:observe/call@0.1.0.pause": async | trappable,
            "whimbrel:http/client@0.1.0.send": async | trappable,
            "whimbrel:ambient/files@0.1.0.read": async | trappable,
            "whimbrel:resources/engine@0.1.0.plan": async | trappable,
            "whimbrel:resources/engine@0.1.0.apply": async | trappable,
            "whimbrel:resources/engine@0.1.0.revert": async | trappable,
            "whimbrel:resources/engine@0.1.0.status": async | trappable,
            default: trappable,
        },
    });
}

/// The exports of the world `migration-step`.
pub mod step {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package whimbrel:host;
            world step {
                export whimbrel:step/step@0.1.0;
            }
        ",
        exports: { default: async },
        with: {
            "whimbrel:types/types@0.1.0": crate::bindings::imports::whimbrel::types::types,
        },
    });
}

/// The exports of the world `secret-store`.
pub mod store {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package whimbrel:host;
            world store {
                export whimbrel:secrets/backend@0.1.0;
            }
        ",
        exports: { default: async },
        with: {
            "whimbrel:types/types@0.1.0": crate::bindings::imports::whimbrel::types::types,
        },
    });
}

/// The exports of the world `git-webhook`.
pub mod webhook {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package whimbrel:host;
            world webhook {
                export whimbrel:git/webhook@0.1.0;
            }
        ",
        exports: { default: async },
        with: {
            "whimbrel:types/types@0.1.0": crate::bindings::imports::whimbrel::types::types,
        },
    });
}

/// The exports of the world `git-reporter`.
pub mod reporter {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package whimbrel:host;
            world reporter {
                export whimbrel:git/reporter@0.1.0;
            }
        ",
        exports: { default: async },
        with: {
            "whimbrel:types/types@0.1.0": crate::bindings::imports::whimbrel::types::types,
        },
    });
}

/// The exports of the world `resource-provider`.
pub mod provider {
    wasmtime::component::bindgen!({
        path: "../../wit",
        inline: "
            package whimbrel:host;
            world provider {
                export whimbrel:resources/provider@0.1.0;
            }
        ",
        exports: { default: async },
        with: {
            "whimbrel:types/types@0.1.0": crate::bindings::imports::whimbrel::types::types,
        },
    });
}
