//! Parameters that backends keep. Their values are written into statements, and with these into plans and histories, so that
//! only what a backend says to be no secret is one.

use futures::future::join_all;
use whimbrel_core::environment::Environment;
use whimbrel_secrets::Resolver;

use crate::ProjectError;

/// The environment with the values of its parameters that weren't read yet.
///
/// # Errors
/// A value can't be had, or is a secret.
pub(crate) async fn read_parameters(
    environment: &Environment,
    resolver: &Resolver,
) -> Result<Environment, ProjectError> {
    let mut read = environment.clone();
    let unread = environment
        .parameter_references
        .iter()
        .filter(|(name, _)| !environment.parameters.contains_key(*name));
    let asked =
        unread.map(|(name, reference)| async move { (name, resolver.parameter(reference).await) });
    for (name, value) in join_all(asked).await {
        let value = value.map_err(|source| ProjectError::Parameter {
            name: name.clone(),
            source: Box::new(source),
        })?;
        read.parameters.insert(name.clone(), value);
    }
    Ok(read)
}
