//! Whimbrel's tables on SQLite, by version.

/// The statements that lead from one version to the next, from the first on. Old ones never change.
pub(crate) const VERSIONS: [&str; 2] = [FIRST, LEASES];

/// Whether the tables are there.
pub(crate) const EXISTS: &str =
    "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'whimbrel_owner'";

const FIRST: &str = r"
CREATE TABLE whimbrel_owner (
    id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    version INTEGER NOT NULL,
    manager TEXT,
    project TEXT,
    environment TEXT
);

CREATE TABLE whimbrel_migration (
    name TEXT PRIMARY KEY NOT NULL,
    sequence INTEGER NOT NULL UNIQUE,
    state TEXT NOT NULL CHECK (state IN ('applying', 'applied', 'failed', 'reverting', 'baselined')),
    checksum TEXT NOT NULL,
    definition TEXT NOT NULL,
    parameters TEXT NOT NULL,
    plugins TEXT NOT NULL,
    revision TEXT,
    run TEXT NOT NULL,
    actor TEXT NOT NULL,
    started TEXT NOT NULL,
    finished TEXT,
    duration_milliseconds INTEGER,
    rows INTEGER NOT NULL DEFAULT 0,
    error TEXT,
    undo TEXT NOT NULL
);

CREATE TABLE whimbrel_journal (
    migration TEXT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('apply', 'revert')),
    position INTEGER NOT NULL,
    hash TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('intent', 'done')),
    batch INTEGER NOT NULL DEFAULT 0,
    checkpoint BLOB,
    rows_done INTEGER NOT NULL DEFAULT 0,
    rows_total INTEGER,
    probe TEXT,
    undo BLOB,
    changed TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (migration, direction, position)
);

CREATE TRIGGER whimbrel_migration_renamed AFTER UPDATE OF name ON whimbrel_migration BEGIN
    UPDATE whimbrel_journal SET migration = new.name WHERE migration = old.name;
END;

CREATE TABLE whimbrel_event (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    migration TEXT,
    run TEXT NOT NULL,
    actor TEXT NOT NULL,
    revision TEXT,
    plan TEXT,
    at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    details TEXT NOT NULL
);

CREATE INDEX whimbrel_event_approved ON whimbrel_event (id) WHERE kind = 'approved';

CREATE TABLE whimbrel_lock (
    id INTEGER PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    epoch INTEGER NOT NULL,
    run TEXT,
    holder TEXT,
    backend_pid INTEGER,
    backend_start TEXT,
    taken TEXT
);

INSERT INTO whimbrel_owner (version) VALUES (1);
INSERT INTO whimbrel_lock (epoch) VALUES (0);
";

const LEASES: &str = r"
CREATE TABLE whimbrel_lease (
    backend TEXT NOT NULL,
    id TEXT NOT NULL,
    run TEXT NOT NULL,
    recorded TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
    PRIMARY KEY (backend, id)
);

UPDATE whimbrel_owner SET version = 2;
";
