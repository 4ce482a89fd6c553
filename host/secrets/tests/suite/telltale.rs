//! A backend that repeats what it gave: in its faults, in its name, and in how it is said to be doing.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_secrets::{Backend, Condition, Resolver, Secret, Shape};
use whimbrel_signal::Scrubber;

struct Telltale;

#[async_trait]
impl Backend for Telltale {
    fn describe(&self) -> String {
        "the store of hunter2!".to_owned()
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        if reference.path == "good" {
            return Ok(Secret::of_value(b"hunter2!".to_vec()));
        }
        let fault = Fault::new(FaultClass::Internal, "hunter2!.sealed", "hunter2! is gone");
        Err(Fault {
            pointer: Some("/hunter2!".to_owned()),
            ..fault.with_hint("ask for hunter2! later")
        })
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        Ok(Shape::of(&self.read(reference).await?))
    }
}

fn reference(text: &str) -> SecretReference {
    text.parse().unwrap()
}

/// A resolver whose scrubber knows what the backend gives.
async fn resolver() -> Resolver {
    let resolver = Resolver::new(Path::new("/"), Scrubber::default());
    let resolver = resolver.with_backend("tale", Arc::new(Telltale));
    resolver
        .resolve(&reference("secret://tale/good"))
        .await
        .unwrap();
    resolver
}

#[tokio::test]
async fn what_is_wrong_with_a_secret_is_told_without_another() {
    let resolver = resolver().await;
    let bad = reference("secret://tale/bad");
    for error in [
        resolver.resolve(&bad).await.err().unwrap(),
        resolver.shape(&bad).await.err().unwrap(),
    ] {
        assert_eq!(
            error.to_string(),
            "secret://tale/bad: [redacted] is gone ([redacted].sealed)"
        );
        assert_eq!(error.hint().unwrap(), "ask for [redacted] later");
        assert!(!format!("{error:?}").contains("hunter2!"), "{error:?}");
    }
}

#[tokio::test]
async fn how_a_backend_is_doing_is_told_without_secrets() {
    let resolver = resolver().await;
    assert!(
        resolver
            .resolve(&reference("secret://tale/bad"))
            .await
            .is_err()
    );
    let health = resolver.health();
    let found = health.iter().find(|health| health.backend == "tale");
    let Condition::Unavailable { fault, .. } = &found.unwrap().condition else {
        panic!("{found:?}");
    };
    assert_eq!(fault.message, "[redacted] is gone");
    assert!(!format!("{fault:?}").contains("hunter2!"), "{fault:?}");
}

#[tokio::test]
async fn what_a_backend_is_called_holds_no_secret() {
    let described = resolver().await.describe(&reference("secret://tale/good"));
    assert_eq!(described.unwrap(), "the store of [redacted]");
}
