//! Every bound of the scrubber, in one table, each with its reason.

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
