//! Who asks: tokens that are compared in constant time and read again now and then.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock};

use secrecy::ExposeSecret as _;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use whimbrel_secrets::Resolver;
use whimbrel_signal::Scrubber;

use crate::error::ServeError;
use crate::settings::{Access, Grants, Token};

/// The fewest characters of a token.
const SHORTEST: usize = 16;

/// Somebody who was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Caller {
    pub(crate) name: String,
    pub(crate) access: Access,
    pub(crate) grants: Grants,
}

/// The digests of all tokens. Clones share them.
#[derive(Clone)]
pub(crate) struct Tokens {
    resolver: Resolver,
    settings: Arc<[Token]>,
    known: Arc<RwLock<Vec<Known>>>,
}

struct Known {
    digest: [u8; 32],
    caller: Caller,
}

impl Tokens {
    /// Reads all of them.
    pub(crate) async fn read(
        settings: &[Token],
        folder: &Path,
        scrubber: Scrubber,
    ) -> Result<Self, ServeError> {
        let tokens = Self {
            resolver: Resolver::new(folder, scrubber),
            settings: settings.into(),
            known: Arc::default(),
        };
        tokens.refresh().await?;
        Ok(tokens)
    }

    /// Whether anybody needs one.
    pub(crate) fn is_empty(&self) -> bool {
        self.settings.is_empty()
    }

    /// Reads all of them again. When one can't be read, those that were known go on counting.
    pub(crate) async fn refresh(&self) -> Result<(), ServeError> {
        let mut known = Vec::with_capacity(self.settings.len());
        for token in self.settings.iter() {
            let value = self.resolver.resolve(&token.secret).await;
            let value = value.map_err(|source| ServeError::Token {
                name: token.name.clone(),
                source: Box::new(source),
            })?;
            let text = value.expose_secret().trim_end();
            if text.len() < SHORTEST {
                return Err(ServeError::ShortToken(token.name.clone()));
            }
            known.push(Known {
                digest: Sha256::digest(text).into(),
                caller: Caller {
                    name: token.name.clone(),
                    access: token.access,
                    grants: token.grants,
                },
            });
        }
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = known;
        Ok(())
    }

    /// Whose token this is. Takes as long for every wrong one.
    pub(crate) fn whose(&self, said: &str) -> Option<Caller> {
        let digest: [u8; 32] = Sha256::digest(said).into();
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let mut found = None;
        for one in known.iter() {
            if bool::from(one.digest.ct_eq(&digest)) {
                found = Some(&one.caller);
            }
        }
        found.cloned()
    }
}

#[cfg(test)]
mod tests {
    use whimbrel_signal::Scrubber;

    use super::Tokens;
    use crate::settings::{Access, Grants, Token};

    #[tokio::test]
    async fn a_token_is_read_again_and_says_who_asks() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "a-token-of-the-test\n").unwrap();
        let token = Token {
            name: "ann".to_owned(),
            secret: "secret://file/token".parse().unwrap(),
            access: Access::Read,
            grants: Grants::default(),
        };
        let settings = std::slice::from_ref(&token);
        let tokens = Tokens::read(settings, folder.path(), Scrubber::default())
            .await
            .unwrap();
        assert!(!tokens.is_empty());
        assert_eq!(tokens.whose("a-token-of-the-test").unwrap().name, "ann");
        assert_eq!(tokens.whose("a-token-of-the-tes"), None);
        std::fs::write(&file, "another-one-of-the-test").unwrap();
        tokens.refresh().await.unwrap();
        assert!(tokens.whose("another-one-of-the-test").is_some());
        assert_eq!(tokens.whose("a-token-of-the-test"), None);
        std::fs::write(&file, "short").unwrap();
        assert!(tokens.refresh().await.is_err());
        assert!(tokens.whose("another-one-of-the-test").is_some());
    }
}
