//! The words that labels take: closed lists, so that they can't grow a series each.

use serde::Serialize;
use whimbrel_core::history::MigrationState;

macro_rules! words {
    ($($(#[$about:meta])* $name:ident { $($(#[$what:meta])* $variant:ident = $word:literal,)* })*) => {
        $(
            $(#[$about])*
            #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
            pub enum $name {
                $($(#[$what])* #[serde(rename = $word)] $variant,)*
            }

            impl $name {
                /// All of them.
                pub const ALL: &[Self] = &[$(Self::$variant,)*];

                /// The label's value.
                #[must_use]
                pub const fn as_str(self) -> &'static str {
                    match self {
                        $(Self::$variant => $word,)*
                    }
                }
            }
        )*
    };
}

words! {
    /// How a run ended.
    RunResult {
        /// Every database came to its end.
        Succeeded = "succeeded",
        /// One at least did not.
        Failed = "failed",
    }

    /// Where migrations stand on a database.
    Standing {
        /// Not begun, and to be applied.
        Pending = "pending",
        /// Begun.
        Applying = "applying",
        /// Done.
        Applied = "applied",
        /// Stopped by an error.
        Failed = "failed",
        /// Its revert has begun.
        Reverting = "reverting",
        /// Adopted without being run.
        Baselined = "baselined",
    }

    /// What a step is made of.
    StepKind {
        /// Statements.
        Sql = "sql",
        /// A plugin's work.
        Plugin = "plugin",
    }

    /// Why a database's run ended early.
    ErrorClass {
        /// The plan can't be run.
        Blocked = "blocked",
        /// It isn't the plan that was approved.
        PlanChanged = "plan-changed",
        /// A gate said no.
        Refused = "refused",
        /// Somebody else holds the lock.
        Locked = "locked",
        /// Another run took over.
        Fenced = "fenced",
        /// It was asked to end.
        Interrupted = "interrupted",
        /// Nobody can tell whether a statement took effect.
        Unknown = "unknown",
        /// A migration failed.
        Migration = "migration",
        /// What it depends on was not applied.
        Dependency = "dependency",
        /// Credentials couldn't be had, or ended.
        Credentials = "credentials",
        /// The database can't be reached.
        Connection = "connection",
        /// The database refused the program's own work, or its history can't be read.
        Database = "database",
        /// It can't be planned.
        Plan = "plan",
    }

    /// How a fetch ended.
    FetchResult {
        /// Something new came.
        Changed = "changed",
        /// Nothing new.
        Unchanged = "unchanged",
        /// It failed.
        Failed = "failed",
    }

    /// Who sends webhooks.
    Provider {
        /// GitHub.
        GitHub = "github",
        /// GitLab.
        GitLab = "gitlab",
        /// Bitbucket Cloud.
        BitbucketCloud = "bitbucket-cloud",
        /// Bitbucket Data Center.
        BitbucketDataCenter = "bitbucket-data-center",
        /// Gitea or Forgejo.
        Gitea = "gitea",
        /// Nobody who is known.
        Unknown = "unknown",
    }

    /// What became of a webhook's delivery.
    WebhookResult {
        /// It rang the bell.
        Accepted = "accepted",
        /// It was delivered before.
        Duplicate = "duplicate",
        /// It is about something that nothing follows.
        Ignored = "ignored",
        /// It isn't signed, or wrongly.
        Unverified = "unverified",
        /// It can't be read, or is too big.
        Malformed = "malformed",
        /// There was no room for it.
        Overloaded = "overloaded",
    }

    /// What a secret store is asked for.
    SecretOperation {
        /// To read a secret.
        Read = "read",
        /// To tell what it is without its value.
        Shape = "shape",
        /// To lengthen a lease.
        Renew = "renew",
        /// To end a lease.
        Revoke = "revoke",
    }

    /// What a secret store answered.
    SecretResult {
        /// What was asked for.
        Ok = "ok",
        /// It isn't there.
        NotFound = "not-found",
        /// It isn't permitted.
        Denied = "denied",
        /// It can't be reached, or is slow.
        Unavailable = "unavailable",
        /// Anything else.
        Failed = "failed",
    }

    /// How a plugin's call ended.
    PluginResult {
        /// With an answer.
        Ok = "ok",
        /// With a fault that it said.
        Fault = "fault",
        /// It trapped.
        Trap = "trap",
        /// Its time was over.
        Timeout = "timeout",
        /// It was asked to stop, and didn't.
        Stopped = "stopped",
        /// Anything else.
        Failed = "failed",
    }

    /// Why something that was measured isn't shown, or not under its own labels.
    Dropped {
        /// There were too many series.
        SeriesBudget = "series-budget",
        /// A plugin had too many series.
        PluginBudget = "plugin-budget",
        /// A name breaks the rules.
        Name = "name",
        /// Labels break the rules, or are others than the metric's.
        Labels = "labels",
        /// The metric is of another kind.
        Kind = "kind",
        /// The value is no number, or a counter would go back.
        Value = "value",
        /// A gateway didn't take them.
        Push = "push",
        /// A file couldn't be written.
        Textfile = "textfile",
    }
}

impl From<MigrationState> for Standing {
    fn from(state: MigrationState) -> Self {
        match state {
            MigrationState::Applying => Self::Applying,
            MigrationState::Applied => Self::Applied,
            MigrationState::Failed => Self::Failed,
            MigrationState::Reverting => Self::Reverting,
            MigrationState::Baselined => Self::Baselined,
        }
    }
}
