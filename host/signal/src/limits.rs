//! Every bound of the scrubber and of metrics, in one table, each with its reason.

/// The shortest value that is looked for, in bytes: shorter ones would blank out ordinary words.
pub const SHORTEST_VALUE: usize = 4;

/// The longest piece that is looked for as a whole, in bytes. Longer values are looked for piece by piece, so that a
/// part of one that was cut off is found too.
pub const PIECE: usize = 1 << 10;

/// How much of one value is looked for, in bytes: keys and certificates are far below, and each byte is kept in about
/// forty forms.
pub const VALUE_SIZE: usize = 64 << 10;

/// The most lines of one value that are looked for by themselves: a certificate chain has some hundreds.
pub const LINES: usize = 2_048;

/// The most values that are known at once. What was told first is forgotten first; a value that is still used is told
/// again with every connection.
pub const VALUES: usize = 4_096;

/// The series that one process shows, those of plugins apart: a hundred databases of each of ten environments have six
/// states each, and a metrics server keeps every one for weeks. What is beyond shares `__other__`.
pub const SERIES: usize = 10_000;

/// How many of them may name a migration: a person looks at each.
pub const MIGRATION_SERIES: usize = 1_000;

/// The series of business metrics that one plugin may make, and that the queries of all migrations may.
pub const CUSTOM_SERIES: usize = 500;

/// The series of all business metrics together.
pub const ALL_CUSTOM_SERIES: usize = 5_000;

/// The most business metrics by name, all plugins together: a metric can't be taken back for another kind or other
/// labels.
pub const CUSTOM_METRICS: usize = 500;

/// The most bytes of a label's value; the rest is cut off. Names of databases and migrations are shorter.
pub const LABEL_VALUE: usize = 128;

/// The most labels of a business metric.
pub const LABELS: usize = 8;

/// The most bytes of the name of a business metric or of its label.
pub const METRIC_NAME: usize = 64;
