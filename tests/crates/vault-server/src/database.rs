//! The database engine over a real PostgreSQL: users that come and go.

use std::time::Duration;

use serde_json::{Value as Json, json};
use vaultrs::api::database::requests::{
    PostgreSQLConnectionRequest, SetRoleRequest, SetStaticRoleRequest,
};
use vaultrs::database::{connection, role, static_role};
use vaultrs::sys;
use whimbrel_postgres_server::PostgresServer;

use crate::VaultServer;

/// What a server calls the connection; every mount has one.
const CONNECTION: &str = "shop";

/// Names of users that the engine makes begin so.
const USERS: &str = "lent-";

/// A mounted database engine.
#[derive(Debug)]
pub struct Database<'a> {
    vault: &'a VaultServer,
    /// Where it is mounted.
    pub mount: String,
}

/// Credentials that were lent.
#[derive(Clone, Debug)]
pub struct Lent {
    /// The lease's name.
    pub lease: String,
    /// For how long.
    pub time_to_live: Duration,
    /// The user.
    pub username: String,
    /// The password.
    pub password: String,
}

impl VaultServer {
    /// Mounts a database engine that makes users of a PostgreSQL server, as one who may do everything there. That server
    /// asks for passwords: see [`PostgresServer::start_with_passwords`].
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn database(&self, postgres: &PostgresServer, database: &str) -> Database<'_> {
        let (client, mount) = (self.client(), Self::unique("database"));
        sys::mount::enable(&client, &mount, "database", None)
            .await
            .expect("a mount");
        let mut request = PostgreSQLConnectionRequest::builder();
        request
            .plugin_name("postgresql-database-plugin")
            .connection_url(postgres.url(database))
            .allowed_roles(vec!["*".to_owned()])
            .username_template(format!("{USERS}{{{{random 16 | lowercase}}}}"));
        connection::postgres(&client, &mount, CONNECTION, Some(&mut request))
            .await
            .expect("a connection");
        Database { vault: self, mount }
    }
}

impl Database<'_> {
    /// Makes a dynamic role: each reader gets a user of its own who is in `group`, for so long, such as `3s`.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn dynamic_role(&self, name: &str, group: &str, time_to_live: &str, at_most: &str) {
        let create = format!(
            "CREATE ROLE \"{{{{name}}}}\" LOGIN PASSWORD '{{{{password}}}}' VALID UNTIL '{{{{expiration}}}}' IN ROLE \"{group}\";"
        );
        // Whoever owns something can't be dropped; a migration's user must own nothing, and this would tell.
        let revoke = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{{name}}'; \
                      DROP ROLE IF EXISTS \"{{name}}\";";
        let mut request = SetRoleRequest::builder();
        request
            .db_name(CONNECTION)
            .creation_statements(vec![create])
            .revocation_statements(vec![revoke.to_owned()])
            .default_ttl(time_to_live)
            .max_ttl(at_most);
        role::set(&self.vault.client(), &self.mount, name, Some(&mut request))
            .await
            .expect("a role");
    }

    /// Makes a static role of a user that exists, with a new password now and after each period of at least `5s`.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn static_role(&self, name: &str, user: &str, period: &str) {
        let mut request = SetStaticRoleRequest::builder();
        request
            .db_name(CONNECTION)
            .username(user)
            .rotation_period(period)
            .rotation_statements(vec![
                "ALTER ROLE \"{{name}}\" PASSWORD '{{password}}'".to_owned(),
            ]);
        static_role::set(&self.vault.client(), &self.mount, name, Some(&mut request))
            .await
            .expect("a static role");
    }

    /// Reads a dynamic role: a new user.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn lend(&self, role: &str) -> Lent {
        let answer = self
            .vault
            .call(&format!("{}/creds/{role}", self.mount), None)
            .await
            .expect("credentials");
        let text = |pointer: &str| {
            let text = answer.pointer(pointer).and_then(Json::as_str);
            text.unwrap_or_default().to_owned()
        };
        let seconds = answer.pointer("/lease_duration").and_then(Json::as_u64);
        Lent {
            lease: text("/lease_id"),
            time_to_live: Duration::from_secs(seconds.unwrap_or_default()),
            username: text("/data/username"),
            password: text("/data/password"),
        }
    }

    /// The names of the leases of a role that hold now.
    pub async fn leases(&self, role: &str) -> Vec<String> {
        let path = format!("sys/leases/lookup/{}/creds/{role}?list=true", self.mount);
        let answer = self.vault.call(&path, None).await.unwrap_or_default();
        let keys = answer.pointer("/data/keys").and_then(Json::as_array);
        let keys = keys.into_iter().flatten().filter_map(Json::as_str);
        keys.map(|key| format!("{}/creds/{role}/{key}", self.mount))
            .collect()
    }

    /// Ends a lease, and returns when its user is gone.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn revoke(&self, lease: &str) {
        let body = json!({ "lease_id": lease, "sync": true });
        self.vault
            .call("sys/leases/revoke", Some(&body))
            .await
            .expect("revoked");
    }
}
