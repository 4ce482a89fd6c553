//! The macro that makes a component of a step, with its manifest.

/// Exports a [`crate::MigrationStep`] as a component of the world `migration-step`.
///
/// The component's manifest takes id and version from the crate's. What the step can't work without is said here:
/// `export_step!(Step, needs: ["clock"])`; it is refused at load unless `whimbrel.yaml` grants it. What it can do
/// without, and uses where it is granted, is said after it: `uses: ["metrics"]`.
#[macro_export]
macro_rules! export_step {
    ($step:ty) => {
        $crate::export_step!($step, needs: []);
    };
    ($step:ty, needs: [$($need:literal),* $(,)?] $(, uses: [$($use:literal),* $(,)?])?) => {
        #[doc(hidden)]
        pub type WhimbrelExport = $crate::Exported<$step>;

        $crate::export_manifest!([$($need),*], [$($($use),*)?]);

        #[cfg(target_arch = "wasm32")]
        $crate::bindings::export!(WhimbrelExport with_types_in $crate::bindings);
    };
}

/// Exports a [`crate::SecretStore`] as a component of the world `secret-store`; the rest as for [`export_step!`].
#[macro_export]
macro_rules! export_store {
    ($store:ty) => {
        $crate::export_store!($store, needs: []);
    };
    ($store:ty, needs: [$($need:literal),* $(,)?] $(, uses: [$($use:literal),* $(,)?])?) => {
        #[doc(hidden)]
        pub type WhimbrelExport = $crate::ExportedStore<$store>;

        $crate::export_manifest!([$($need),*], [$($($use),*)?]);

        #[cfg(target_arch = "wasm32")]
        $crate::bindings::store::export_store!(WhimbrelExport with_types_in $crate::bindings::store);
    };
}

/// Exports a [`crate::WebhookReceiver`] as a component of the world `git-webhook`. It can be granted nothing: what it
/// reads is hostile.
#[macro_export]
macro_rules! export_webhook {
    ($receiver:ty) => {
        #[doc(hidden)]
        pub type WhimbrelExport = $crate::ExportedWebhook<$receiver>;

        $crate::export_manifest!([], []);

        #[cfg(target_arch = "wasm32")]
        $crate::bindings::webhook::export_webhook!(WhimbrelExport with_types_in $crate::bindings::webhook);
    };
}

/// Exports a [`crate::GitReporter`] as a component of the world `git-reporter`, which needs `http`.
#[macro_export]
macro_rules! export_reporter {
    ($reporter:ty) => {
        #[doc(hidden)]
        pub type WhimbrelExport = $crate::ExportedReporter<$reporter>;

        $crate::export_manifest!(["http"], []);

        #[cfg(target_arch = "wasm32")]
        $crate::bindings::reporter::export_reporter!(WhimbrelExport with_types_in $crate::bindings::reporter);
    };
}

/// Exports a [`crate::ResourceProvider`] as a component of the world `resource-provider`. It can be granted nothing: what it
/// does, it asks of the engine.
#[macro_export]
macro_rules! export_provider {
    ($provider:ty) => {
        #[doc(hidden)]
        pub type WhimbrelExport = $crate::ExportedProvider<$provider>;

        $crate::export_manifest!([], []);

        #[cfg(target_arch = "wasm32")]
        $crate::bindings::provider::export_provider!(WhimbrelExport with_types_in $crate::bindings::provider);
    };
}

/// The manifest as a custom section of the component.
#[doc(hidden)]
#[macro_export]
macro_rules! export_manifest {
    ([$($need:literal),*], [$($use:literal),*]) => {
        #[doc(hidden)]
        pub const WHIMBREL_MANIFEST: &str = concat!(
            "{\"id\":\"",
            env!("CARGO_PKG_NAME"),
            "\",\"version\":\"",
            env!("CARGO_PKG_VERSION"),
            "\",\"needs\":",
            stringify!([$($need),*]),
            ",\"uses\":",
            stringify!([$($use),*]),
            "}"
        );

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[used]
            #[unsafe(link_section = "whimbrel:manifest")]
            static MANIFEST: [u8; WHIMBREL_MANIFEST.len()] = $crate::manifest(WHIMBREL_MANIFEST);
        };
    };
}

/// The manifest's bytes, as a static of a custom section needs them.
#[must_use]
pub const fn manifest<const N: usize>(text: &str) -> [u8; N] {
    let mut bytes = [0; N];
    bytes.copy_from_slice(text.as_bytes());
    bytes
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_manifest_keeps_its_bytes() {
        assert_eq!(super::manifest::<2>("{}"), *b"{}");
    }
}
