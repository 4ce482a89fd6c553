//! Whether the secrets of an environment can be had, without having them.

use std::collections::BTreeMap;

use futures::{StreamExt as _, stream};
use whimbrel_core::environment::{Environment, SecretReference, ValueSource};
use whimbrel_secrets::{Resolver, SecretError, Shape};

/// How many secrets are asked about at once; each backend has its own bound below that.
const AT_ONCE: usize = 16;

/// How the place of a parameter begins.
const PARAMETERS: &str = "parameters.";

/// A reference of an environment, and what is known of its secret.
pub struct CheckedSecret {
    /// Where the environment refers to it, such as `databases.shop.password`.
    pub place: String,
    /// The reference.
    pub reference: SecretReference,
    /// What its backend is, for a person.
    pub backend: Option<String>,
    /// The secret's shape, or why it can't be had.
    pub shape: Result<Shape, SecretError>,
}

/// Asks for the shape of every secret that an environment's parameters and databases refer to, once for each secret. No value is read
/// where a backend can tell without.
pub async fn check_secrets(environment: &Environment, resolver: &Resolver) -> Vec<CheckedSecret> {
    let mut secrets: BTreeMap<String, Vec<(String, SecretReference)>> = BTreeMap::new();
    for (place, reference) in references(environment) {
        let whole = SecretReference {
            key: None,
            ..reference.clone()
        };
        // The options aren't shown, and tell secrets apart all the same.
        let name = format!("{whole} {}", whole.options);
        secrets
            .entry(name)
            .or_default()
            .push((place, reference.clone()));
    }
    let checked: Vec<_> = stream::iter(secrets.into_values())
        .map(|uses| check(resolver, uses))
        .buffer_unordered(AT_ONCE)
        .collect()
        .await;
    let mut checked: Vec<_> = checked.into_iter().flatten().collect();
    checked.sort_by(|one, other| one.place.cmp(&other.place));
    checked
}

/// Each use of one secret.
async fn check(resolver: &Resolver, uses: Vec<(String, SecretReference)>) -> Vec<CheckedSecret> {
    let mut checked = Vec::new();
    let mut known: Option<Shape> = None;
    for (place, reference) in uses {
        let shape = match &known {
            Some(shape) => Ok(shape.clone()),
            None => resolver.shape(&reference).await,
        };
        if let Ok(shape) = &shape {
            known = Some(shape.clone());
        }
        let shape = shape.and_then(|shape| {
            if place.starts_with(PARAMETERS) && shape.is_sensitive() {
                let reference = Box::new(reference.clone());
                return Err(SecretError::Sensitive { reference });
            }
            shape.fits(&reference).map(|()| shape)
        });
        checked.push(CheckedSecret {
            place,
            backend: resolver.describe(&reference).ok(),
            reference,
            shape,
        });
    }
    checked
}

/// Every reference of the parameters and the databases, with its place.
fn references(environment: &Environment) -> Vec<(String, &SecretReference)> {
    let parameters = environment.parameter_references.iter();
    let mut found: Vec<_> = parameters
        .map(|(name, reference)| (format!("{PARAMETERS}{name}"), reference))
        .collect();
    for (name, database) in &environment.databases {
        for (key, value) in [
            ("url", Some(&database.url)),
            ("username", database.username.as_ref()),
            ("password", database.password.as_ref()),
        ] {
            if let Some(ValueSource::Secret(reference)) = value {
                found.push((format!("databases.{name}.{key}"), reference));
            }
        }
    }
    found
}
