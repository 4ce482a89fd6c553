//! Values that aren't secret though a backend keeps them: what is written into statements, and shown.

use secrecy::ExposeSecret as _;
use whimbrel_core::environment::SecretReference;

use crate::field::select;
use crate::readings::whole;
use crate::{Resolver, SecretError};

impl Resolver {
    /// The value of a parameter, which everybody may see. The scrubber isn't told.
    ///
    /// # Errors
    /// As [`Resolver::resolve`], or its backend doesn't say that it is no secret.
    pub async fn parameter(&self, reference: &SecretReference) -> Result<String, SecretError> {
        let reading = self.read(reference, &whole(reference), 0).await?;
        if reading.secret.is_sensitive() {
            return Err(SecretError::Sensitive {
                reference: Box::new(reference.clone()),
            });
        }
        let value = select(reference, &reading.secret)?;
        Ok(value.expose_secret().to_owned())
    }
}
