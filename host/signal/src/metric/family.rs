//! The catalogue: every metric with its name, its kind, its labels and its meaning.

/// What a metric is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// Only grows.
    Counter,
    /// Goes up and down.
    Gauge(Folding),
    /// How often values were below each bound.
    Histogram(&'static [f64]),
}

impl Kind {
    /// The word of the exposition format.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge(_) => "gauge",
            Self::Histogram(_) => "histogram",
        }
    }

    /// How many series one set of label values makes.
    pub(super) const fn lines(self) -> usize {
        match self {
            Self::Counter | Self::Gauge(_) => 1,
            // A bucket for each bound, one without, the sum and the count.
            Self::Histogram(bounds) => bounds.len() + 3,
        }
    }
}

/// What becomes of gauges for which there is no room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Folding {
    /// Their sum means something: they share a series.
    Sum,
    /// It doesn't: they aren't shown.
    Drop,
}

/// A label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Label {
    /// One of a closed list of words.
    Word(&'static str),
    /// A name that somebody chose: what gives way when there are too many series.
    Open(&'static str),
}

impl Label {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Word(name) | Self::Open(name) => name,
        }
    }
}

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Family {
    /// With prefix and unit.
    pub name: &'static str,
    /// What it is.
    pub kind: Kind,
    /// In the order in which their values are given.
    pub labels: &'static [Label],
    /// What it says, for people.
    pub help: &'static str,
    /// Whether its series are capped apart from the others', as many as [`crate::metric::Meter`] allows for single
    /// migrations.
    pub(super) is_of_a_migration: bool,
}

const COUNTER: Kind = Kind::Counter;
const SUM: Kind = Kind::Gauge(Folding::Sum);
const ALONE: Kind = Kind::Gauge(Folding::Drop);

/// From a statement on an empty table to a backfill of hours.
const STEPS: Kind = Kind::Histogram(&[
    0.001, 0.005, 0.025, 0.1, 0.5, 1.0, 5.0, 30.0, 120.0, 600.0, 3_600.0, 21_600.0,
]);
/// A lock is free at once, or held for as long as a run takes.
const WAITS: Kind = Kind::Histogram(&[0.005, 0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0]);
/// From nothing to do to a night's work.
const RUNS: Kind = Kind::Histogram(&[
    0.05, 0.25, 1.0, 5.0, 15.0, 60.0, 300.0, 1_800.0, 7_200.0, 28_800.0,
]);
/// From a plan to a backfill.
const CALLS: Kind = Kind::Histogram(&[0.001, 0.01, 0.1, 1.0, 10.0, 60.0, 600.0, 3_600.0]);

const ENVIRONMENT: Label = Label::Open("environment");
const DATABASE: Label = Label::Open("database");

macro_rules! catalogue {
    ($($name:ident: $text:literal, $kind:expr, [$($label:expr),*], $migration:literal, $help:literal;)*) => {
        /// Names a metric of the catalogue.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Name {
            $(#[doc = $help] $name,)*
        }

        impl Name {
            /// All of them, in the order of the catalogue.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// What it names.
            #[must_use]
            pub const fn family(self) -> Family {
                match self {
                    $(Self::$name => Family {
                        name: concat!("whimbrel_", $text),
                        kind: $kind,
                        labels: &[$($label),*],
                        help: $help,
                        is_of_a_migration: $migration,
                    },)*
                }
            }
        }
    };
}

catalogue! {
    Migrations: "migrations", SUM, [ENVIRONMENT, DATABASE, Label::Word("state")], false,
        "Migrations of a database by where they stand.";
    MigrationProgress: "migration_progress_ratio", ALONE, [ENVIRONMENT, DATABASE, Label::Open("migration")], true,
        "How far a migration is that runs and knows how much it has to do.";
    MigrationFailed: "migration_failed", SUM, [ENVIRONMENT, DATABASE, Label::Open("migration")], true,
        "1 while a migration has failed and hasn't been mended.";
    Runs: "runs_total", COUNTER, [ENVIRONMENT, Label::Word("result")], false,
        "Runs that ended.";
    RunDuration: "run_duration_seconds", RUNS, [ENVIRONMENT], false,
        "How long runs took.";
    LastSuccess: "last_success_timestamp_seconds", ALONE, [ENVIRONMENT], false,
        "When every database of the environment was last brought, or found, to be as defined.";
    StepDuration: "step_duration_seconds", STEPS, [Label::Word("kind"), Label::Word("dialect")], false,
        "How long steps took.";
    Rows: "rows_total", COUNTER, [ENVIRONMENT, DATABASE], false,
        "Rows that steps of plugins committed.";
    Errors: "errors_total", COUNTER, [ENVIRONMENT, Label::Word("class")], false,
        "Databases whose work ended early, by reason.";
    Retries: "retries_total", COUNTER, [ENVIRONMENT], false,
        "Transactions that were tried again after something curable.";
    LockWait: "lock_wait_seconds", WAITS, [ENVIRONMENT], false,
        "How long a database's lock was waited for.";
    FenceRejections: "fence_rejections_total", COUNTER, [ENVIRONMENT], false,
        "Runs that another run took a database from.";
    DriftObjects: "drift_objects", SUM, [ENVIRONMENT, DATABASE], false,
        "Migrations that differ from what was applied, as of the last comparison.";
    SyncLag: "sync_lag_seconds", ALONE, [Label::Open("source")], false,
        "How old the revision that is served is known to be.";
    GitFetches: "git_fetch_total", COUNTER, [Label::Open("source"), Label::Word("result")], false,
        "Fetches of a repository.";
    Webhooks: "webhook_requests_total", COUNTER, [Label::Word("provider"), Label::Word("result")], false,
        "Deliveries of webhooks.";
    SecretRequests: "secret_requests_total", COUNTER,
        [Label::Open("backend"), Label::Word("operation"), Label::Word("result")], false,
        "Questions to secret stores, with their tries.";
    SecretLeaseExpiry: "secret_lease_expiry_timestamp_seconds", ALONE, [Label::Open("backend")], false,
        "When the first of the leases that are held ends.";
    PluginCalls: "plugin_calls_total", COUNTER, [Label::Open("plugin"), Label::Word("result")], false,
        "Calls of plugins.";
    PluginDuration: "plugin_duration_seconds", CALLS, [Label::Open("plugin")], false,
        "How long calls of plugins took.";
    QueueDepth: "queue_depth", SUM, [], false,
        "Pieces of work that wait to be begun.";
    WatchLastEvent: "watch_last_event_timestamp_seconds", ALONE, [Label::Word("kind")], false,
        "When a watch last heard something.";
    Series: "metrics_series", SUM, [], false,
        "Series that this process shows.";
    DroppedTotal: "metrics_dropped_total", COUNTER, [Label::Word("reason")], false,
        "Measurements that aren't shown, or not under their own labels.";
    BuildInfo: "build_info", SUM, [Label::Word("version")], false,
        "1, with the version of the program.";
}
