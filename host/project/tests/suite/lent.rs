//! Credentials that are lent for a connection: read together, given back when they are refused or done with.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::Shop;
use async_trait::async_trait;
use secrecy::SecretSlice;
use whimbrel_core::environment::SecretReference;
use whimbrel_core::fault::Fault;
use whimbrel_postgres_server::PostgresServer;
use whimbrel_project::{Targets, check_secrets};
use whimbrel_secrets::{Backend, Lease, LeaseId, LeaseState, Resolver, Secret, SecretError, Shape};
use whimbrel_signal::Scrubber;

/// Lends another user at each reading; the first one isn't known to the server yet.
#[derive(Default)]
struct Lender(Mutex<Vec<String>>);

impl Lender {
    fn note(&self, what: &str) -> usize {
        let mut done = self.0.lock().unwrap();
        done.push(what.to_owned());
        done.iter().filter(|one| *one == "read").count()
    }

    fn done(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }
}

#[async_trait]
impl Backend for Lender {
    fn describe(&self) -> String {
        "a lender".to_owned()
    }

    async fn read(&self, _: &SecretReference) -> Result<Secret, Fault> {
        let number = self.note("read");
        let field =
            |name: &str, text: String| (name.to_owned(), SecretSlice::from(text.into_bytes()));
        let fields = BTreeMap::from([
            field("username", format!("lent_user_{number}")),
            field("password", format!("lent-password-{number}")),
        ]);
        Ok(Secret::new(fields).with_lease(Lease {
            id: LeaseId(number.to_string()),
            renewable: true,
            time_to_live: Duration::from_secs(60),
        }))
    }

    async fn shape(&self, _: &SecretReference) -> Result<Shape, Fault> {
        self.note("shape");
        Ok(Shape {
            fields: vec!["password".to_owned(), "username".to_owned()],
            time_to_live: Some(Duration::from_secs(60)),
            ..Shape::default()
        })
    }

    async fn revoke(&self, lease: &LeaseId) -> Result<(), Fault> {
        self.note(&format!("revoke {}", lease.0));
        Ok(())
    }
}

const CREDENTIALS: &str = "      username: { secret: env, path: creds, key: username }\n      password: secret://env/creds#password\n";

fn shop(url: &str, credentials: &str) -> Shop {
    let shop = Shop::new();
    shop.write(
        "environments/dev.yaml",
        &format!(
            "apiVersion: whimbrel.dev/v1alpha1\nkind: Environment\nmetadata: {{ name: dev }}\nspec:\n  databases:\n    shop:\n      url: \"{url}\"\n{credentials}"
        ),
    );
    shop
}

#[tokio::test]
async fn what_is_lent_is_one_reading_and_given_back_when_it_is_refused() {
    let server = PostgresServer::shared();
    let url = server.database("lent");
    let name = url.split(['/', '?']).nth(3).unwrap();
    let query = url.split_once('?').unwrap().1;
    server.psql(name, "CREATE ROLE lent_user_2 LOGIN");
    let shop = shop(&format!("postgres:///{name}?{query}"), CREDENTIALS);
    let project = shop.open();
    let lender = Arc::new(Lender::default());
    let resolver = Resolver::new(project.folder(), Scrubber::default())
        .with_backend("env", Arc::clone(&lender) as Arc<dyn Backend>);
    let environment = project.environment("dev").unwrap();
    let targets = Targets::list(environment, project.folder(), resolver, &[]).await;
    let targets = targets.unwrap();
    assert!(lender.done().is_empty(), "listing asks for no password");
    let connected = targets.connect_lent(&crate::support::shop()).await.unwrap();
    assert_eq!(lender.done(), ["read", "revoke 1", "read"]);
    assert_eq!(connected.lent.state(), LeaseState::Held);
    let records = connected.lent.records();
    assert_eq!(records.len(), 1);
    assert_eq!(
        (records[0].backend.as_str(), records[0].lease.as_str()),
        ("env", "2")
    );
    assert!(connected.lent.end().await.is_empty());
    // The next user is unknown again, and so is the one after: nothing lent stays behind.
    assert!(targets.connect(&crate::support::shop()).await.is_err());
    assert_eq!(
        lender.done()[3..],
        ["revoke 2", "read", "revoke 3", "read", "revoke 4"]
    );
    assert!(targets.resolver().leases().is_empty());
}

#[tokio::test]
async fn each_secret_is_asked_about_once_and_read_never() {
    let shop = shop(
        "sqlite:shop.db",
        &CREDENTIALS.replace("#password", "#pasword"),
    );
    let project = shop.open();
    let lender = Arc::new(Lender::default());
    let resolver = Resolver::new(project.folder(), Scrubber::default())
        .with_backend("env", Arc::clone(&lender) as Arc<dyn Backend>);
    let checked = check_secrets(project.environment("dev").unwrap(), &resolver).await;
    assert_eq!(lender.done(), ["shape"]);
    let places: Vec<_> = checked.iter().map(|secret| secret.place.as_str()).collect();
    assert_eq!(
        places,
        ["databases.shop.password", "databases.shop.username"]
    );
    assert!(matches!(checked[0].shape, Err(SecretError::NoField { .. })));
    let shape = checked[1].shape.as_ref().unwrap();
    assert_eq!(shape.time_to_live, Some(Duration::from_secs(60)));
    assert_eq!(checked[1].backend.as_deref(), Some("a lender"));
}
