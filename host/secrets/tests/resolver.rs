//! References to values, through every built-in backend and one of our own.

#![allow(clippy::unwrap_used, clippy::panic)] // a test may panic

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use whimbrel_core::environment::{SecretBackend, SecretReference, ValueSource};
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_secrets::{Backend, Resolver, Secret, SecretError, Shape, Variables};
use whimbrel_signal::Scrubber;

fn reference(text: &str) -> SecretReference {
    text.parse().unwrap()
}

/// A folder with secret files and a resolver whose `env` knows two variables.
fn resolver(folder: &Path, scrubber: &Scrubber) -> Resolver {
    let variables = Variables::with_lookup(|name| match name {
        "PASSWORD" => Some(OsString::from("correct horse")),
        "DOCUMENT" => Some(OsString::from(r#"{"password": "battery", "port": 5432}"#)),
        "EMPTY" => Some(OsString::new()),
        _ => None,
    });
    Resolver::new(folder, scrubber.clone()).with_backend("env", Arc::new(variables))
}

async fn value(text: &str, folder: &Path) -> Result<String, SecretError> {
    resolver(folder, &Scrubber::default())
        .resolve(&reference(text))
        .await
        .map(|value| value.expose_secret().to_owned())
}

#[tokio::test]
async fn reads_variables_and_files_whole_or_by_field() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("plain", "staple\r\n");
    write("two-lines", "one\ntwo\n\n");
    write("fields.json", r#"{"user": {"name": "ada"}, "on": true}"#);
    let absolute = format!("secret://file/{}", folder.path().join("plain").display());
    for (text, expected) in [
        ("secret://env/PASSWORD", "correct horse"),
        ("secret://env/DOCUMENT#password", "battery"),
        ("secret://env/DOCUMENT#port", "5432"),
        ("secret://file/plain", "staple"),
        (&absolute, "staple"),
        ("secret://file/two-lines", "one\ntwo\n"),
        ("secret://file/fields.json#/user/name", "ada"),
        ("secret://file/fields.json#on", "true"),
    ] {
        assert_eq!(
            value(text, folder.path()).await.unwrap(),
            expected,
            "{text}"
        );
    }
}

#[tokio::test]
async fn a_mounted_secret_behind_symlinks_is_followed() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("..2026")).unwrap();
    std::fs::write(folder.path().join("..2026/password"), "mounted").unwrap();
    std::os::unix::fs::symlink("..2026", folder.path().join("..data")).unwrap();
    std::os::unix::fs::symlink("..data/password", folder.path().join("password")).unwrap();
    let found = value("secret://file/password", folder.path())
        .await
        .unwrap();
    assert_eq!(found, "mounted");
}

#[tokio::test]
async fn errors_name_the_reference_and_never_the_value() {
    let folder = tempfile::tempdir().unwrap();
    let canary = "canary-4711";
    let write = |name: &str, text: &[u8]| std::fs::write(folder.path().join(name), text).unwrap();
    write("plain", canary.as_bytes());
    write("latin1", b"canary-4711 \xe9");
    write("nested.json", br#"{"password": {"canary-4711": 1}}"#);
    write("empty", b"\n");
    write("large", &vec![b'x'; (1 << 20) + 1]);
    for (text, expected) in [
        (
            "secret://env/NOWHERE",
            "the environment variable NOWHERE is not set",
        ),
        ("secret://env/EMPTY", "the value is empty"),
        (
            "secret://env/PASSWORD?version=2",
            "this backend has no versions",
        ),
        ("secret://file/none", "there is no file"),
        ("secret://file/empty", "the value is empty"),
        ("secret://file/large", "it is larger than 1 MiB"),
        ("secret://file/.", "it is no regular file"),
        ("secret://file/latin1", "the value is not UTF-8"),
        ("secret://file/plain#password", "is not a JSON document"),
        ("secret://file/nested.json#user", "there is no field `user`"),
        ("secret://file/nested.json#password", "the field is no text"),
        ("secret://file/plain/below", "secret://file/plain/below: "),
    ] {
        let error = value(text, folder.path()).await.unwrap_err();
        let shown = error.to_string();
        assert!(shown.starts_with(text), "{shown}");
        assert!(shown.contains(expected), "{shown}");
        assert!(
            !format!("{error:?} {:?}", error.hint()).contains(canary),
            "{error:?}"
        );
        assert!(!error.is_temporary());
    }
    let unset = value("secret://env/NOWHERE", folder.path())
        .await
        .unwrap_err();
    assert!(
        unset
            .hint()
            .unwrap()
            .contains("set the environment variable NOWHERE")
    );
}

#[tokio::test]
async fn backends_that_are_not_there_are_told_apart() {
    let folder = tempfile::tempdir().unwrap();
    let configured = BTreeMap::from([(
        "vault".to_owned(),
        SecretBackend {
            plugin: "vault".parse().unwrap(),
            with: serde_json::Value::Null,
        },
    )]);
    let resolver = resolver(folder.path(), &Scrubber::default()).for_environment(&configured);
    let error = |text| {
        let resolver = &resolver;
        async move { resolver.resolve(&reference(text)).await.unwrap_err() }
    };
    let mistyped = error("secret://vualt/shop").await;
    assert_eq!(mistyped.hint().unwrap(), "did you mean `vault`?");
    let unknown = error("secret://somewhere/shop").await;
    assert!(unknown.hint().unwrap().contains("`env` and `file`"));
    let plugin = error("secret://vault/shop").await;
    assert!(
        plugin.to_string().contains("needs the plugin `vault`"),
        "{plugin}"
    );
    assert!(plugin.hint().is_some());
}

#[tokio::test]
async fn the_scrubber_knows_every_value_before_it_is_given_out() {
    let folder = tempfile::tempdir().unwrap();
    let scrubber = Scrubber::default();
    let resolver = resolver(folder.path(), &scrubber);
    assert_eq!(scrubber.scrub("correct horse"), "correct horse");
    let checked = resolver.check(&reference("secret://env/PASSWORD")).await;
    assert_eq!(checked.unwrap(), "environment variables");
    assert_eq!(scrubber.scrub("it is correct horse!"), "it is [redacted]!");
    assert!(!format!("{resolver:?}").contains("horse"));
    resolver.keep_secret(&SecretString::from("from elsewhere"));
    assert_eq!(scrubber.scrub("from elsewhere"), "[redacted]");
    assert!(
        resolver
            .check(&reference("secret://file/none"))
            .await
            .is_err()
    );
}

#[tokio::test]
async fn literals_are_no_secrets() {
    let scrubber = Scrubber::default();
    let resolver = Resolver::new(Path::new("/"), scrubber.clone());
    let literal = ValueSource::Literal("postgres".to_owned());
    let value = resolver.value(&literal).await.unwrap();
    assert_eq!(value.expose_secret(), "postgres");
    assert_eq!(scrubber.scrub("postgres"), "postgres");
    // The real process environment, by a variable that every test run has.
    let path = ValueSource::Secret(reference("secret://env/PATH"));
    assert!(resolver.value(&path).await.is_ok());
    let missing = ValueSource::Secret(reference("secret://file/whimbrel-nowhere"));
    assert!(matches!(
        resolver.value(&missing).await,
        Err(SecretError::Backend { fault, .. }) if fault.class == FaultClass::NotFound
    ));
}

/// A backend that answers once and then fails with a message that repeats what it gave.
struct Indiscreet;

#[async_trait]
impl Backend for Indiscreet {
    fn describe(&self) -> String {
        "an indiscreet backend".to_owned()
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        if reference.path == "many" {
            let field = |name: &str, text: &str| {
                let bytes = text.as_bytes().to_vec();
                (name.to_owned(), SecretSlice::from(bytes))
            };
            return Ok(Secret::new(BTreeMap::from([
                field("username", "ada"),
                field("password", "staple"),
                field("tls", r#"{"key": "pem"}"#),
            ])));
        }
        if reference.path == "good" {
            return Ok(Secret::of_value(b"hunter2!".to_vec()).with_version("7"));
        }
        let fault = Fault::new(FaultClass::Unavailable, "sealed", "hunter2! is gone");
        Err(fault.with_hint("ask for hunter2! later"))
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        Ok(Shape::of(&self.read(reference).await?))
    }
}

#[tokio::test]
async fn what_a_backend_says_is_scrubbed() {
    let resolver = Resolver::new(Path::new("/"), Scrubber::default())
        .with_backend("odd", Arc::new(Indiscreet));
    assert_eq!(
        resolver
            .check(&reference("secret://odd/good"))
            .await
            .unwrap(),
        "an indiscreet backend"
    );
    let error = resolver
        .resolve(&reference("secret://odd/bad"))
        .await
        .unwrap_err();
    assert!(error.is_temporary());
    assert_eq!(
        error.to_string(),
        "secret://odd/bad: [redacted] is gone (sealed)"
    );
    assert_eq!(error.hint().unwrap(), "ask for [redacted] later");
}

#[tokio::test]
async fn a_secret_of_several_fields_needs_a_key() {
    let resolver = Resolver::new(Path::new("/"), Scrubber::default())
        .with_backend("odd", Arc::new(Indiscreet));
    let read = async |text: &str| resolver.resolve(&reference(text)).await;
    for (text, expected) in [
        ("secret://odd/many#username", "ada"),
        ("secret://odd/many#/password", "staple"),
        ("secret://odd/many#/tls/key", "pem"),
        ("secret://odd/good#value", "hunter2!"),
    ] {
        let value = read(text).await;
        let value = value.map(|value| value.expose_secret().to_owned());
        assert_eq!(value.ok().as_deref(), Some(expected), "{text}");
    }
    let Err(none) = read("secret://odd/many").await else {
        panic!("a field was chosen");
    };
    assert_eq!(
        none.to_string(),
        "secret://odd/many: the secret has several fields: `password`, `tls`, `username`"
    );
    let hint = none.hint().unwrap();
    assert!(hint.contains("secret://odd/many#password"), "{hint}");
    let Err(mistyped) = read("secret://odd/many#pasword").await else {
        panic!("a field was chosen");
    };
    assert_eq!(mistyped.hint().unwrap(), "did you mean `password`?");
}
