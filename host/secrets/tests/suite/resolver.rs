//! References to values, through every built-in backend and one of our own.

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
    let password = reference("secret://env/PASSWORD");
    assert_eq!(
        resolver.describe(&password).unwrap(),
        "environment variables"
    );
    assert_eq!(resolver.shape(&password).await.unwrap().fields, ["value"]);
    assert_eq!(scrubber.scrub("correct horse"), "correct horse");
    assert!(resolver.resolve(&password).await.is_ok());
    assert_eq!(scrubber.scrub("it is correct horse!"), "it is [redacted]!");
    assert!(!format!("{resolver:?}").contains("horse"));
    resolver.keep_secret(&SecretString::from("from elsewhere"));
    assert_eq!(scrubber.scrub("from elsewhere"), "[redacted]");
    assert!(
        resolver
            .shape(&reference("secret://file/none"))
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
        resolver.describe(&reference("secret://odd/good")).unwrap(),
        "an indiscreet backend"
    );
    let good = resolver.resolve(&reference("secret://odd/good")).await;
    assert!(good.is_ok());
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

#[test]
fn a_shape_tells_whether_a_reference_fits() {
    let shape = |fields: &[&str]| Shape {
        fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        ..Shape::default()
    };
    let two = ["password", "user"];
    for (text, fields, fits) in [
        ("secret://a/b", &[] as &[&str], true),
        ("secret://a/b#password", &[], true),
        ("secret://a/b", &["value"], true),
        ("secret://a/b#inside", &["value"], true),
        ("secret://a/b#/a/b", &["document"], true),
        ("secret://a/b", &two, false),
        ("secret://a/b#user", &two, true),
        ("secret://a/b#/user/name", &two, true),
        ("secret://a/b#/usr/name", &two, false),
        ("secret://a/b#usr", &two, false),
        ("secret://a/b#usr", &["user"], false),
    ] {
        let found = shape(fields).fits(&reference(text)).is_ok();
        assert_eq!(found, fits, "{text} {fields:?}");
    }
}

/// What is kept for one environment isn't given to another, whatever both call their backends.
#[tokio::test]
async fn nothing_is_shared_between_environments() {
    let backends = |plugin: &str| {
        let backend = SecretBackend {
            plugin: plugin.parse().unwrap(),
            with: serde_json::Value::Null,
        };
        BTreeMap::from([("store".to_owned(), backend)])
    };
    let store = |value: &'static str| -> Arc<dyn Backend> { Arc::new(Keeper(value)) };
    let staging = Resolver::new(Path::new("/"), Scrubber::default())
        .for_environment(&backends("vault"))
        .with_backend("store", store("of-staging"));
    let password = reference("secret://store/password");
    let value = staging.resolve(&password).await.unwrap();
    assert_eq!(value.expose_secret(), "of-staging");
    let production = staging.clone().for_environment(&backends("other"));
    assert!(matches!(
        production.resolve(&password).await,
        Err(SecretError::NoPlugin { .. })
    ));
    let production = production.with_backend("store", store("of-production"));
    let value = production.resolve(&password).await.unwrap();
    assert_eq!(value.expose_secret(), "of-production");
    let value = staging.resolve(&password).await.unwrap();
    assert_eq!(value.expose_secret(), "of-staging");
}

/// Keeps one value of one version.
struct Keeper(&'static str);

#[async_trait]
impl Backend for Keeper {
    fn describe(&self) -> String {
        "a keeper".to_owned()
    }

    async fn read(&self, _: &SecretReference) -> Result<Secret, Fault> {
        let secret = Secret::of_value(self.0.as_bytes().to_vec());
        Ok(secret
            .with_version("1")
            .with_expires(1)
            .with_details(true.into()))
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        Ok(Shape::of(&self.read(reference).await?))
    }
}

/// Whether a type has a trait: the constant of its own is nearer than the one that everything has.
macro_rules! has {
    ($type:ty: $trait:path) => {{
        #[allow(dead_code)]
        trait Anything {
            const IT: bool = false;
        }
        impl<T: ?Sized> Anything for T {}
        struct Probe<T: ?Sized>(std::marker::PhantomData<T>);
        #[allow(dead_code)]
        impl<T: ?Sized + $trait> Probe<T> {
            const IT: bool = true;
        }
        <Probe<$type>>::IT
    }};
}

#[test]
fn what_holds_values_can_t_be_shown() {
    assert!(has!(Shape: std::fmt::Debug), "the test can tell");
    assert!(!has!(Secret: std::fmt::Debug));
    assert!(!has!(Secret: std::fmt::Display));
    assert!(!has!(Secret: serde::Serialize));
    assert!(!has!(whimbrel_secrets::Readings: std::fmt::Debug));
    assert!(!has!(whimbrel_secrets::Readings: serde::Serialize));
    assert!(!has!(SecretString: std::fmt::Display));
    assert!(!has!(SecretString: serde::Serialize));
}
