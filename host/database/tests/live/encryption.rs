//! TLS as libpq has it: `require` encrypts, only the `verify` modes look at the certificate.

use std::fs;
use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use whimbrel_core::value::Value;
use whimbrel_database::{DatabaseError, Endpoint, SessionSettings, connect};
use whimbrel_postgres_server::PostgresServer;

use super::value;

fn authority(name: &str) -> CertifiedIssuer<'static, KeyPair> {
    let mut parameters = CertificateParams::new(vec![name.to_owned()]).unwrap();
    parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(parameters, KeyPair::generate().unwrap()).unwrap()
}

/// Whether a connection is encrypted; or why there is none.
async fn encrypted(
    host: &str,
    port: u16,
    query: &str,
    folder: &Path,
) -> Result<Value, DatabaseError> {
    let url = format!("postgres://postgres@{host}:{port}/postgres?{query}");
    let mut session = connect(
        &Endpoint::parse(&url, folder).unwrap(),
        &SessionSettings::default(),
    )
    .await?;
    Ok(value(
        session.as_mut(),
        "SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()",
    )
    .await)
}

#[tokio::test]
async fn modes_mean_what_libpq_means() {
    let ours = authority("ours");
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(vec!["localhost".to_owned()])
        .unwrap()
        .signed_by(&key, &ours)
        .unwrap();
    let (_server, port) = PostgresServer::start_with_tls(&certificate.pem(), &key.serialize_pem());
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("ours.pem"), ours.pem()).unwrap();
    fs::write(folder.path().join("other.pem"), authority("other").pem()).unwrap();
    fs::write(folder.path().join("empty.pem"), "").unwrap();
    for (host, query, expected) in [
        ("127.0.0.1", "sslmode=disable", Some(false)),
        ("127.0.0.1", "sslmode=prefer", Some(true)),
        ("127.0.0.1", "sslmode=require", Some(true)),
        (
            "127.0.0.1",
            "sslmode=verify-ca&sslrootcert=ours.pem",
            Some(true),
        ),
        ("127.0.0.1", "sslmode=verify-ca&sslrootcert=other.pem", None),
        (
            "127.0.0.1",
            "sslmode=verify-full&sslrootcert=ours.pem",
            None,
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=ours.pem",
            Some(true),
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=other.pem",
            None,
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=empty.pem",
            None,
        ),
        (
            "localhost",
            "sslmode=verify-full&sslrootcert=missing.pem",
            None,
        ),
    ] {
        let found = encrypted(host, port, query, folder.path()).await;
        match expected {
            Some(yes) => assert_eq!(found, Ok(Value::Boolean(yes)), "{host} {query}"),
            None => assert!(found.unwrap_err().is_connection_lost(), "{host} {query}"),
        }
    }
}
