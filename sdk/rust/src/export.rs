//! The macro that makes a component of a step, with its manifest.

/// Exports a [`crate::MigrationStep`] as a component of the world `migration-step`.
///
/// The component's manifest takes id and version from the crate's. What the step can't work without is said here:
/// `export_step!(Step, needs: ["clock"])`; it is refused at load unless `whimbrel.yaml` grants it.
#[macro_export]
macro_rules! export_step {
    ($step:ty) => {
        $crate::export_step!($step, needs: []);
    };
    ($step:ty, needs: [$($need:literal),* $(,)?]) => {
        #[doc(hidden)]
        pub type WhimbrelExport = $crate::Exported<$step>;

        #[doc(hidden)]
        pub const WHIMBREL_MANIFEST: &str = concat!(
            "{\"id\":\"",
            env!("CARGO_PKG_NAME"),
            "\",\"version\":\"",
            env!("CARGO_PKG_VERSION"),
            "\",\"needs\":",
            stringify!([$($need),*]),
            "}"
        );

        #[cfg(target_arch = "wasm32")]
        const _: () = {
            #[used]
            #[unsafe(link_section = "whimbrel:manifest")]
            static MANIFEST: [u8; WHIMBREL_MANIFEST.len()] = $crate::manifest(WHIMBREL_MANIFEST);
        };

        #[cfg(target_arch = "wasm32")]
        $crate::bindings::export!(WhimbrelExport with_types_in $crate::bindings);
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
