//! PostgreSQL for tests: only that its programs are there; the suites start clusters of their own.

use crate::failure::Result;
use crate::requirement;

/// Makes sure that a server can be started and spoken to.
pub fn present() -> Result {
    requirement::programs(&[
        ("initdb", "postgresql"),
        ("pg_ctl", "postgresql"),
        ("postgres", "postgresql"),
        ("psql", "postgresql-client"),
    ])
}
