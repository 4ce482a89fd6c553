//! Secret backends that an environment configures as plugins: each sees its own configuration, and no other
//! environment's.

use std::path::PathBuf;

use crate::support::{Shop, plugins};
use secrecy::ExposeSecret;
use serde_json::json;
use whimbrel_core::digest::Digest;
use whimbrel_core::environment::SecretReference;
use whimbrel_project::{OpenProject, resolver};
use whimbrel_secrets::Resolver;
use whimbrel_signal::Scrubber;

/// The secret store that does as the path of a reference says.
fn component() -> Vec<u8> {
    let variable = std::env::var_os("WHIMBREL_TEST_COMPONENTS");
    let folder = variable.map_or_else(
        || PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("../test-components"),
        PathBuf::from,
    );
    std::fs::read(folder.join("hostile_store.wasm")).unwrap()
}

const HEAD: &str = "apiVersion: whimbrel.dev/v1alpha1\nkind: ";

/// A project with two environments that configure one plugin.
fn project() -> Shop {
    let folder = Shop::new();
    let bytes = component();
    let digest = Digest::of(&bytes);
    std::fs::create_dir_all(folder.path().join("plugins")).unwrap();
    std::fs::write(folder.path().join("plugins/store.wasm"), bytes).unwrap();
    folder.write(
        "whimbrel.yaml",
        &format!("{HEAD}Project\nmetadata: {{ name: shop }}\nspec:\n  plugins:\n    store: {{ path: plugins/store.wasm, digest: \"{digest}\" }}\n"),
    );
    for (name, token) in [("dev", "of-dev"), ("prod", "of-prod")] {
        folder.write(
            &format!("environments/{name}.yaml"),
            &format!("{HEAD}Environment\nmetadata: {{ name: {name} }}\nspec:\n  databases: {{ shop: {{ url: \"sqlite:{name}.db\" }} }}\n  secrets:\n    one: {{ plugin: store, with: {{ token: \"secret://file/{name}.token\" }} }}\n    two: {{ plugin: store, with: {{ inner: \"secret://one/value-of-one\" }} }}\n    three: {{ plugin: store, with: {{ inner: {{ secret: one, path: config }} }} }}\n"),
        );
        folder.write(&format!("{name}.token"), token);
    }
    folder
}

fn of(project: &OpenProject, environment: &str, scrubber: &Scrubber) -> Resolver {
    let environment = project.environment(environment).unwrap();
    resolver(&plugins(project), environment, scrubber, &[], None)
}

fn reference(backend: &str, path: &str) -> SecretReference {
    serde_json::from_value(json!({ "secret": backend, "path": path })).unwrap()
}

#[tokio::test]
async fn a_backend_sees_its_own_configuration_and_no_other_environments() {
    let folder = project();
    let project = folder.open();
    for (name, other) in [("dev", "of-prod"), ("prod", "of-dev")] {
        let scrubber = Scrubber::default();
        let resolver = of(&project, name, &scrubber);
        let seen = resolver.resolve(&reference("one", "config")).await.unwrap();
        assert_eq!(seen.expose_secret(), format!(r#"{{"token":"of-{name}"}}"#));
        assert_eq!(scrubber.scrub(&format!("of-{name}")), "[redacted]");
        assert_eq!(
            scrubber.scrub(other),
            other,
            "another environment's secret was read"
        );
        // What one backend needs of another is resolved by the host, and is all that it sees of it.
        let seen = resolver
            .resolve(&reference("three", "config"))
            .await
            .unwrap();
        let inner = json!({ "inner": format!(r#"{{"token":"of-{name}"}}"#) });
        assert_eq!(seen.expose_secret(), inner.to_string());
    }
}

#[tokio::test]
async fn what_goes_wrong_says_which_backend_and_what_to_do() {
    let folder = project();
    let project = folder.open();
    let resolver = of(&project, "dev", &Scrubber::default());
    // The deed that the inner reference names doesn't exist.
    let error = resolver
        .resolve(&reference("two", "config"))
        .await
        .err()
        .unwrap();
    assert!(
        error.to_string().contains("secret://one/value-of-one"),
        "{error}"
    );
    let error = resolver
        .resolve(&reference("one", "panic"))
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("trapped"), "{error}");
    // Another component than the one that was pinned.
    std::fs::write(folder.path().join("plugins/store.wasm"), b"other").unwrap();
    let project = folder.open();
    let resolver = of(&project, "dev", &Scrubber::default());
    let error = resolver
        .resolve(&reference("one", "config"))
        .await
        .err()
        .unwrap();
    assert!(error.to_string().contains("pins"), "{error}");
    assert!(error.hint().unwrap().contains("pin it"), "{error:?}");
}
