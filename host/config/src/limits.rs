//! Every bound on what is read, in one table, each with its reason.

/// The largest document or SQL file, in bytes. Real ones are a few KiB; a dump pasted into a migration is data, and
/// its text would be kept in every target's history.
pub const FILE_SIZE: u64 = 4 << 20;

/// The most files read from one tree: ten times the largest project known.
pub const FILES: usize = 20_000;

/// The most bytes read from one tree, so that many allowed files can't add up to what one may not.
pub const TREE_SIZE: u64 = 256 << 20;

/// How deep a document may nest. The deepest that means anything has a dozen levels; recursion stays cheap below this.
pub const DEPTH: usize = 64;

/// The most nodes in one document: far above any real one, and far below what exhausts memory.
pub const NODES: usize = 200_000;

/// The most problems reported at once; a person reads the first few, and one wrong key can cause thousands.
pub const PROBLEMS: usize = 200;

/// The most entries of folders that a cache keeps: ten trees of the largest project that is measured. One takes some
/// KiB.
pub const CACHED: usize = 100_000;

/// How many trees may be read before an entry that none of them had goes first: more than environments on branches of
/// their own.
pub const CACHED_TREES: u64 = 64;

/// How many projects and sets of environments a cache tells apart before it begins anew: each change of an environment
/// makes one, and a process sees a few a day.
pub const CACHED_SURROUNDINGS: usize = 1_000;
