//! Ways to log in: AppRole, JWT, Kubernetes.

use serde_json::{Value as Json, json};
use vaultrs::api::auth::approle::requests::SetAppRoleRequest;
use vaultrs::api::auth::kubernetes::requests::CreateKubernetesRoleRequest;
use vaultrs::api::auth::oidc::requests::{SetConfigurationRequest, SetRoleRequest};
use vaultrs::auth::{approle, kubernetes, oidc};
use vaultrs::sys;

use crate::{ServiceAccount, TokenReviewer, VaultServer};

/// The audience that tokens of service accounts are made for.
const AUDIENCE: &str = "vault";

/// An AppRole.
#[derive(Clone, Debug)]
pub struct AppRole {
    /// Where its engine is mounted, below `auth/`.
    pub mount: String,
    /// The role's name.
    pub name: String,
    /// The role's id.
    pub role_id: String,
    /// One secret id of it.
    pub secret_id: String,
}

/// A login by a token of elsewhere.
#[derive(Clone, Debug)]
pub struct TokenLogin {
    /// Where its engine is mounted, below `auth/`.
    pub mount: String,
    /// The role's name.
    pub role: String,
    /// The token that is let in.
    pub jwt: String,
}

impl VaultServer {
    async fn auth(&self, kind: &str) -> String {
        let mount = Self::unique(kind);
        sys::auth::enable(&self.client(), &mount, kind, None)
            .await
            .expect("a mount");
        mount
    }

    /// Makes an AppRole with a policy; its tokens live so long, such as `5s`, and can be renewed up to twice of it.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn app_role(&self, policy: &str, time_to_live: &str) -> AppRole {
        let (client, mount, name) = (self.client(), self.auth("approle").await, "shop");
        let mut role = SetAppRoleRequest::builder();
        role.token_policies(vec![policy.to_owned()])
            .token_ttl(time_to_live);
        approle::role::set(&client, &mount, name, Some(&mut role))
            .await
            .expect("a role");
        let id = approle::role::read_id(&client, &mount, name).await;
        let secret = approle::role::secret::generate(&client, &mount, name, None).await;
        AppRole {
            role_id: id.expect("a role's id").role_id,
            secret_id: secret.expect("a secret id").secret_id,
            name: name.to_owned(),
            mount,
        }
    }

    /// Makes a new secret id of an AppRole, wrapped: gives the token that unwraps it once, within a minute.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn wrapped_secret_id(&self, role: &AppRole) -> String {
        let client = self.client();
        let url = format!(
            "{}/v1/auth/{}/role/{}/secret-id",
            self.address(),
            role.mount,
            role.name
        );
        let request = client.http.http.post(url).body("{}");
        let answer = request
            .header("x-vault-token", self.root_token())
            .header("x-vault-wrap-ttl", "60s")
            .send();
        let text = answer.await.expect("an answer").text().await;
        let answer: Json = serde_json::from_str(&text.expect("a body")).expect("JSON");
        let token = answer.pointer("/wrap_info/token").and_then(Json::as_str);
        token.expect("a wrapping token").to_owned()
    }

    /// Lets in tokens that a service account's cluster signed, by the cluster's public key.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn jwt(
        &self,
        account: &ServiceAccount,
        policy: &str,
        time_to_live: &str,
    ) -> TokenLogin {
        let (client, mount, name) = (self.client(), self.auth("jwt").await, "shop");
        let mut configuration = SetConfigurationRequest::builder();
        configuration.jwt_validation_pubkeys(vec![account.public_key()]);
        oidc::config::set(&client, &mount, Some(&mut configuration))
            .await
            .expect("a configuration");
        let mut role = SetRoleRequest::builder();
        role.role_type("jwt")
            .bound_audiences(vec![AUDIENCE.to_owned()])
            .token_policies(vec![policy.to_owned()])
            .token_ttl(time_to_live);
        oidc::role::set(&client, &mount, name, "sub", vec![], Some(&mut role))
            .await
            .expect("a role");
        TokenLogin {
            mount,
            role: name.to_owned(),
            jwt: account.token(AUDIENCE),
        }
    }

    /// Lets in a service account whose tokens a cluster vouches for when it is asked.
    ///
    /// # Panics
    ///
    /// The server refuses.
    pub async fn kubernetes(
        &self,
        reviewer: &TokenReviewer,
        account: &ServiceAccount,
        policy: &str,
        time_to_live: &str,
    ) -> TokenLogin {
        let (client, mount, name) = (self.client(), self.auth("kubernetes").await, "shop");
        let jwt = account.token(AUDIENCE);
        reviewer.vouch(&jwt, account);
        let configuration = json!({
            "kubernetes_host": reviewer.address(),
            "kubernetes_ca_cert": reviewer.certificate(),
            "token_reviewer_jwt": "whoever-may-review",
            "disable_local_ca_jwt": true,
        });
        self.call(&format!("auth/{mount}/config"), Some(&configuration))
            .await
            .expect("a configuration");
        let mut role = CreateKubernetesRoleRequest::builder();
        role.bound_service_account_names(vec![account.name.clone()])
            .bound_service_account_namespaces(vec![account.namespace.clone()])
            .audience(AUDIENCE)
            .token_policies(vec![policy.to_owned()])
            .token_ttl(time_to_live);
        kubernetes::role::create(&client, &mount, name, Some(&mut role))
            .await
            .expect("a role");
        TokenLogin {
            mount,
            role: name.to_owned(),
            jwt,
        }
    }
}
