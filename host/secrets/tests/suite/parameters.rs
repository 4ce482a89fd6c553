//! Values that a backend keeps and says to be no secrets.

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::Fault;
use whimbrel_secrets::{Backend, Resolver, Secret, SecretError, Shape};
use whimbrel_signal::Scrubber;

fn reference(text: &str) -> SecretReference {
    text.parse().unwrap()
}

/// Keeps what is no secret, and what is.
struct Outputs;

#[async_trait]
impl Backend for Outputs {
    fn describe(&self) -> String {
        "outputs".to_owned()
    }

    async fn read(&self, reference: &SecretReference) -> Result<Secret, Fault> {
        let details = serde_json::json!({ "sensitive": reference.path != "open" });
        let value = format!("value of {}", reference.path).into_bytes();
        Ok(Secret::of_value(value).with_details(details))
    }

    async fn shape(&self, reference: &SecretReference) -> Result<Shape, Fault> {
        Ok(Shape::of(&self.read(reference).await?))
    }
}

#[tokio::test]
async fn a_parameter_is_what_is_no_secret() {
    let scrubber = Scrubber::default();
    let resolver =
        Resolver::new(Path::new("/"), scrubber.clone()).with_backend("outputs", Arc::new(Outputs));
    let open = reference("secret://outputs/open");
    assert_eq!(resolver.parameter(&open).await.unwrap(), "value of open");
    assert_eq!(scrubber.scrub("the value of open"), "the value of open");
    // Who connects with it has a secret all the same.
    resolver.resolve(&open).await.unwrap();
    assert_eq!(scrubber.scrub("the value of open"), "the [redacted]");
    for text in ["secret://outputs/closed", "secret://env/PATH"] {
        let error = resolver.parameter(&reference(text)).await.unwrap_err();
        assert!(matches!(error, SecretError::Sensitive { .. }), "{error}");
        assert!(!error.is_temporary() && error.hint().is_some());
    }
}
