//! The world `git-webhook`: a receiver of what a Git host sends.
//!
//! The bytes are an enemy's until the plugin found them genuine, so a call has nothing but them and the answer whether a live
//! secret fits: no network, no clock, no memory of another delivery. And nothing that is answered is authority: it says which
//! source to fetch sooner.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::Value as Json;
use tokio::sync::OnceCell;
use whimbrel_core::fault::{Fault, FaultClass, Retry};
use whimbrel_core::project::Material;

use crate::bindings::webhook::exports::whimbrel::git::webhook as wit;
use crate::call::config::Configuration;
use crate::call::fault::{fault, mismatched};
use crate::call::guard::guarded;
use crate::call::{Level, LogSink, StopFlag, traced};
use crate::egress::Materials;
use crate::error::PluginError;
use crate::instance::Scope;
use crate::live::LiveSecrets;
use crate::plugin::Plugin;
use crate::schema::Mismatch;

mod answer;

/// How a receiver is set up.
pub struct WebhookSettings {
    /// What the source is called.
    pub name: String,
    /// The plugin's `with:`. No secrets are in it.
    pub with: Json,
    /// The secrets that deliveries may be signed with: one, or two while one is replaced. Read anew for each delivery.
    pub secrets: Vec<Material>,
    /// Reads the secrets.
    pub materials: Arc<dyn Materials>,
    /// Takes its log lines; none means `tracing`.
    pub log: Option<LogSink>,
}

/// A genuine delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// The same for the same delivery sent again, and for no other. Begins with the kind of host and a colon.
    pub id: String,
    /// `owner/name`: only to choose among the configured sources. Empty when a hook of many repositories is tried.
    pub repository: String,
    /// What happened.
    pub event: GitEvent,
}

/// What happened on a Git host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum GitEvent {
    /// Somebody tries the hook.
    Ping,
    /// References changed.
    Push(Vec<Push>),
    /// A pull request was opened, changed or closed.
    PullRequest(PullRequest),
    /// Something that only the plugin knows.
    Other(Json),
    /// Nothing of interest; what it was.
    Ignored(String),
}

/// One changed reference.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Push {
    /// Its full name.
    pub reference: String,
    /// Where it was; none when it was made.
    pub before: Option<String>,
    /// Where it is; none when it was deleted.
    pub after: Option<String>,
    /// Whether the host says that it was forced. Some hosts never say: the fetch shows it.
    pub forced: bool,
}

/// A pull request as it is now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PullRequest {
    /// Its number.
    pub number: u64,
    /// The commit at its head; may be abbreviated.
    pub head_commit: String,
    /// What to fetch to get it.
    pub head_reference: String,
    /// The repository that it comes from, when that is another one.
    pub fork: Option<String>,
    /// The branch that it would go to.
    pub base_branch: String,
    /// Whether it is open.
    pub open: bool,
}

/// Why a delivery isn't taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Not a delivery of a host that the plugin knows, or that the source is of.
    #[error("no delivery of a known Git host")]
    Unknown,
    /// It carries no proof.
    #[error("the delivery isn't signed")]
    Unsigned,
    /// No live secret fits.
    #[error("the delivery's signature fits no secret of this source")]
    BadSignature,
    /// It is genuine and from another time.
    #[error("the delivery was signed at another time")]
    Stale,
    /// It is genuine and can't be read.
    #[error("the delivery can't be read: {0}")]
    Malformed(String),
    /// It is bigger than any delivery that is looked at.
    #[error("the delivery is too big")]
    TooBig,
    /// That is our trouble, not the sender's.
    #[error("the delivery can't be checked: {}", .0.message)]
    Failed(Box<Fault>),
}

impl Rejection {
    /// One word for it, as metrics say it.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Unsigned => "unsigned",
            Self::BadSignature => "bad_signature",
            Self::Stale => "stale",
            Self::Malformed(_) => "malformed",
            Self::TooBig => "too_big",
            Self::Failed(_) => "failed",
        }
    }
}

impl Verified {
    /// The kind of host, as the plugin calls it: `github`, `gitlab`.
    #[must_use]
    pub fn provider(&self) -> &str {
        self.id.split(':').next().unwrap_or_default()
    }
}

/// A configured plugin of the world `git-webhook`.
pub struct WebhookReceiver {
    plugin: Plugin,
    name: String,
    with: Configuration,
    text: String,
    secrets: Vec<Material>,
    materials: Arc<dyn Materials>,
    log: LogSink,
    /// Filled once `with:` was found to fit the schema.
    fits: OnceCell<()>,
}

impl WebhookReceiver {
    /// A receiver of this plugin. Nothing of the plugin runs before the first delivery.
    ///
    /// # Errors
    /// The plugin is of another world, or no secret is named, or too many are.
    pub fn new(plugin: Plugin, settings: WebhookSettings) -> Result<Self, Fault> {
        plugin.webhook().map_err(|error| fault(&error))?;
        let most = plugin.sandbox().limits().webhook_secrets;
        if settings.secrets.is_empty() || settings.secrets.len() > most {
            let message = format!(
                "{} secrets for the webhook of `{}`: between 1 and {most} can be live",
                settings.secrets.len(),
                settings.name
            );
            return Err(Fault::new(FaultClass::Invalid, "webhook.secrets", message));
        }
        let text = match &settings.with {
            Json::Null => "{}".to_owned(),
            with => with.to_string(),
        };
        Ok(Self {
            plugin,
            name: settings.name,
            with: Configuration::new(settings.with, Arc::clone(&settings.materials)),
            text,
            secrets: settings.secrets,
            materials: settings.materials,
            log: settings.log.unwrap_or_else(traced),
            fits: OnceCell::new(),
        })
    }

    /// The JSON Schema of its `with:`.
    ///
    /// # Errors
    /// The plugin misbehaves.
    pub async fn schema(&self) -> Result<Json, Fault> {
        let schema = self.plugin.webhook_schema().await;
        schema.map_err(|error| fault(&error))
    }

    /// What is wrong with its `with:` by that schema.
    ///
    /// # Errors
    /// The plugin misbehaves, or its schema can't be used.
    pub async fn mismatches(&self) -> Result<Vec<Mismatch>, Fault> {
        let limits = self.plugin.sandbox().limits();
        self.with
            .mismatches(&self.schema().await?, limits)
            .map_err(|error| Fault::new(FaultClass::Internal, "plugin.schema", error.to_string()))
    }

    /// Verifies a delivery and says what it is about. Changes nothing: whoever calls drops what has an id that was seen.
    ///
    /// # Errors
    /// It isn't genuine, can't be read, or there is no telling.
    pub async fn receive(
        &self,
        headers: &[(String, String)],
        body: &[u8],
        received: SystemTime,
    ) -> Result<Verified, Rejection> {
        self.bounded(headers, body)?;
        self.fits().await.map_err(failed)?;
        let live = self.live().await.map_err(failed)?;
        let delivery = wit::Delivery {
            headers: headers
                .iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value.clone()))
                .collect(),
            body: body.to_vec(),
            received: milliseconds(received),
        };
        let text = self.text.clone();
        let receiver = self
            .plugin
            .webhook()
            .map_err(|error| failed(fault(&error)))?;
        let receiver = receiver.clone();
        let limit = self.plugin.sandbox().limits().webhook_timeout;
        let scope = Scope::delivery("receive", Arc::clone(&self.log), live);
        let stop = StopFlag::new();
        let answer = guarded(&self.plugin, scope, limit, &stop, move |store| {
            Box::pin(async move {
                let exports = receiver.instantiate_async(&mut *store).await?;
                let webhook = exports.whimbrel_git_webhook();
                webhook.call_receive(store, &text, &delivery).await.map(Ok)
            })
        });
        let answer = answer.await.map_err(|error| failed(fault(&error)))?;
        let limits = self.plugin.sandbox().limits();
        answer::checked(answer, limits).map_err(|reason| {
            let error = self.plugin.unusable("receive", reason);
            failed(fault(&error))
        })?
    }

    fn bounded(&self, headers: &[(String, String)], body: &[u8]) -> Result<(), Rejection> {
        let limits = self.plugin.sandbox().limits();
        let size: usize = headers
            .iter()
            .map(|(name, value)| name.len() + value.len())
            .sum();
        let is_bounded = body.len() <= limits.webhook_body_bytes
            && headers.len() <= limits.webhook_headers
            && size <= limits.webhook_header_bytes;
        if is_bounded {
            Ok(())
        } else {
            Err(Rejection::TooBig)
        }
    }

    async fn fits(&self) -> Result<(), Fault> {
        let check = async || match mismatched(&self.mismatches().await?) {
            Some(fault) => Err(fault),
            None => Ok(()),
        };
        self.fits.get_or_try_init(check).await.copied()
    }

    /// The secrets as they are now. One that is gone already stops no delivery that another one fits.
    async fn live(&self) -> Result<LiveSecrets, Fault> {
        let mut read = Vec::new();
        let mut trouble = None;
        for secret in &self.secrets {
            match self.materials.read(secret).await {
                Ok(value) => read.push(value),
                Err(fault) => {
                    let fields = [
                        ("source".to_owned(), self.name.clone()),
                        ("fault".to_owned(), fault.message.clone()),
                    ];
                    (self.log)(Level::Warn, "a secret of a webhook can't be read", &fields);
                    trouble = Some(fault);
                }
            }
        }
        let live = LiveSecrets::new(read);
        if !live.is_empty() {
            return Ok(live);
        }
        Err(trouble.unwrap_or_else(|| {
            let message = format!("every secret of the webhook of `{}` is empty", self.name);
            Fault {
                retry: Retry::Never,
                ..Fault::new(FaultClass::Invalid, "webhook.empty-secret", message)
            }
        }))
    }
}

impl Plugin {
    async fn webhook_schema(&self) -> Result<Json, PluginError> {
        let receiver = self.webhook()?.clone();
        let scope = Scope::pure("schema", traced());
        let limit = self.sandbox().limits().pure_timeout;
        let stop = StopFlag::new();
        let text = guarded(self, scope, limit, &stop, move |store| {
            Box::pin(async move {
                let exports = receiver.instantiate_async(&mut *store).await?;
                let webhook = exports.whimbrel_git_webhook();
                webhook.call_schema(store).await.map(Ok)
            })
        });
        self.json("schema", &text.await?)
    }
}

fn failed(fault: Fault) -> Rejection {
    Rejection::Failed(Box::new(fault))
}

/// Since the Unix epoch.
fn milliseconds(time: SystemTime) -> u64 {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}
