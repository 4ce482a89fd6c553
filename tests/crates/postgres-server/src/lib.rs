//! A private PostgreSQL server for the tests of one process.
