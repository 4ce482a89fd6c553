//! What the host adds to requests: certificates to trust, client certificates, credentials. Read anew for each request,
//! so that what was rotated is used at once; the guest never sees any of it.

use std::sync::Arc;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use whimbrel_core::digest::Digest;
use whimbrel_core::fault::{Fault, FaultClass};
use whimbrel_core::project::{HttpGrant, Material};
use zeroize::Zeroizing;

/// Bytes that are wiped when they are dropped.
pub type Bytes = Zeroizing<Vec<u8>>;

/// Reads files and secrets that the project file or an environment refers to.
#[async_trait]
pub trait Materials: Send + Sync {
    /// The bytes, as they are now, known to the scrubber if they are secret.
    ///
    /// # Errors
    /// They can't be had; the fault holds nothing of them.
    async fn read(&self, material: &Material) -> Result<Zeroizing<Vec<u8>>, Fault>;
}

/// Where nothing can be read: a grant without materials needs none.
pub struct NoMaterials;

#[async_trait]
impl Materials for NoMaterials {
    async fn read(&self, _: &Material) -> Result<Zeroizing<Vec<u8>>, Fault> {
        Err(Fault::new(
            FaultClass::Denied,
            "http.material",
            "files and secrets of grants can't be read here",
        ))
    }
}

/// What TLS with a place is made of.
#[derive(Default)]
pub struct TlsMaterial {
    ca: Option<Bytes>,
    client: Option<(Bytes, Bytes)>,
}

impl TlsMaterial {
    /// Reads what a grant refers to.
    pub async fn read(grant: &HttpGrant, materials: &dyn Materials) -> Result<Self, Fault> {
        let ca = match &grant.ca {
            Some(ca) => Some(materials.read(ca).await?),
            None => None,
        };
        let client = match (&grant.certificate, &grant.key) {
            (Some(certificate), Some(key)) => Some((
                materials.read(certificate).await?,
                materials.read(key).await?,
            )),
            (None, None) => None,
            _ => return Err(unusable("`certificate` and `key` go together")),
        };
        Ok(Self { ca, client })
    }

    /// The same for the same material.
    pub fn digest(&self) -> Digest {
        let mut all = Zeroizing::new(Vec::new());
        let client = self.client.iter().flat_map(|(one, other)| [one, other]);
        for part in self.ca.iter().chain(client) {
            all.extend(part.len().to_be_bytes());
            all.extend_from_slice(part);
        }
        all.push(u8::from(self.ca.is_some()));
        Digest::of(&all)
    }

    /// How to speak TLS with it.
    pub fn config(&self) -> Result<ClientConfig, Fault> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error.to_string()))?
            .with_root_certificates(self.roots()?);
        let mut config = match &self.client {
            None => builder.with_no_client_auth(),
            Some((certificate, key)) => {
                let key = PrivateKeyDer::from_pem_slice(key)
                    .map_err(|_| unusable("the client key is no PEM of a private key"))?;
                builder
                    .with_client_auth_cert(certificates(certificate, "client certificate")?, key)
                    .map_err(|error| unusable(&format!("the client certificate: {error}")))?
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(config)
    }

    fn roots(&self) -> Result<RootCertStore, Fault> {
        let mut roots = RootCertStore::empty();
        match &self.ca {
            None => {
                roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            }
            Some(ca) => {
                for certificate in certificates(ca, "ca")? {
                    roots
                        .add(certificate)
                        .map_err(|error| unusable(&format!("the ca: {error}")))?;
                }
            }
        }
        Ok(roots)
    }
}

fn certificates(pem: &[u8], what: &str) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let certificates: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match certificates {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => Err(unusable(&format!("the {what} is no PEM of certificates"))),
    }
}

/// The `Authorization` header that a grant adds.
pub async fn authorization(
    grant: &HttpGrant,
    materials: &dyn Materials,
) -> Result<Option<HeaderValue>, Fault> {
    let text = match (&grant.bearer, &grant.basic) {
        (None, None) => return Ok(None),
        (Some(_), Some(_)) => return Err(unusable("`bearer` and `basic` exclude each other")),
        (Some(bearer), None) => {
            let token = materials.read(bearer).await?;
            Zeroizing::new([b"Bearer ", trimmed(&token)].concat())
        }
        (None, Some(basic)) => {
            let username = materials.read(&basic.username).await?;
            let password = materials.read(&basic.password).await?;
            let pair = [trimmed(&username), b":", trimmed(&password)].concat();
            let encoded = Zeroizing::new(STANDARD.encode(Zeroizing::new(pair)));
            Zeroizing::new([b"Basic ", encoded.as_bytes()].concat())
        }
    };
    let mut value = HeaderValue::from_bytes(&text)
        .map_err(|_| unusable("the credentials have characters that no header can have"))?;
    value.set_sensitive(true);
    Ok(Some(value))
}

/// Files of tokens end with a newline that belongs to no token.
fn trimmed(bytes: &[u8]) -> &[u8] {
    bytes.trim_ascii_end()
}

fn unusable(reason: &str) -> Fault {
    Fault::new(FaultClass::Invalid, "http.material", reason)
        .with_hint("look at the plugin's `http` grant in whimbrel.yaml")
}

#[cfg(test)]
mod tests {
    use super::{Bytes, Materials, NoMaterials, TlsMaterial, authorization};
    use async_trait::async_trait;
    use serde_json::json;
    use whimbrel_core::fault::Fault;
    use whimbrel_core::project::{HttpGrant, Material};

    /// Gives each file's name as its content.
    struct Echo;

    #[async_trait]
    impl Materials for Echo {
        async fn read(&self, material: &Material) -> Result<Bytes, Fault> {
            match material {
                Material::File { file } => Ok(Bytes::new(file.clone().into_bytes())),
                Material::Secret(_) => NoMaterials.read(material).await,
            }
        }
    }

    fn grant(more: &serde_json::Value) -> HttpGrant {
        let mut grant = json!({ "to": "https://a.example" });
        whimbrel_core::environment::merge(&mut grant, more);
        serde_json::from_value(grant).unwrap()
    }

    #[allow(clippy::needless_pass_by_value)] // as `json!` gives it
    async fn header(more: serde_json::Value) -> Result<Option<String>, Fault> {
        let value = authorization(&grant(&more), &Echo).await?;
        Ok(value.map(|value| {
            assert!(value.is_sensitive());
            value.to_str().unwrap().to_owned()
        }))
    }

    #[tokio::test]
    async fn credentials_become_a_header() {
        assert_eq!(header(json!({})).await.unwrap(), None);
        let bearer = header(json!({ "bearer": { "file": "to-ken\n" } })).await;
        assert_eq!(bearer.unwrap().unwrap(), "Bearer to-ken");
        let basic =
            json!({ "basic": { "username": { "file": "ada" }, "password": { "file": "p\n" } } });
        assert_eq!(
            header(basic.clone()).await.unwrap().unwrap(),
            "Basic YWRhOnA="
        );
        let mut both = basic;
        both["bearer"] = json!({ "file": "x" });
        assert!(header(both).await.is_err());
        assert!(
            header(json!({ "bearer": { "file": "a\nb" } }))
                .await
                .is_err()
        );
        assert!(
            header(json!({ "bearer": "secret://vault/x" }))
                .await
                .is_err()
        );
    }

    #[tokio::test]
    async fn broken_material_is_told_apart_from_a_broken_connection() {
        for more in [
            json!({ "ca": { "file": "no pem" } }),
            json!({ "certificate": { "file": "x" }, "key": { "file": "y" } }),
        ] {
            let material = TlsMaterial::read(&grant(&more), &Echo).await.unwrap();
            assert_eq!(material.config().unwrap_err().code, "http.material");
        }
        let half = grant(&json!({ "key": { "file": "y" } }));
        assert!(TlsMaterial::read(&half, &Echo).await.is_err());
    }

    #[tokio::test]
    async fn other_material_has_another_digest() {
        let digest = async |more: serde_json::Value| {
            let material = TlsMaterial::read(&grant(&more), &Echo).await.unwrap();
            material.digest()
        };
        let ca = digest(json!({ "ca": { "file": "a" } })).await;
        assert_eq!(ca, digest(json!({ "ca": { "file": "a" } })).await);
        assert_ne!(ca, digest(json!({ "ca": { "file": "b" } })).await);
        assert_ne!(ca, digest(json!({})).await);
    }
}
