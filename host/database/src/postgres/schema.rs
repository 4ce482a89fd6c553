//! Whimbrel's tables on PostgreSQL, by version.

/// The statements that lead from one version to the next, from the first on. Old ones never change.
pub(crate) const VERSIONS: [&str; 2] = [FIRST, LEASES];

/// Whether the tables are there: from the catalog, because the information schema hides what one may not use.
pub(crate) const EXISTS: &str = "SELECT count(*) FROM pg_catalog.pg_class c \
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
     WHERE n.nspname = 'whimbrel' AND c.relname = 'owner'";

const FIRST: &str = r"
CREATE SCHEMA IF NOT EXISTS whimbrel;

CREATE TABLE whimbrel.owner (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    version integer NOT NULL,
    manager text,
    project text,
    environment text
);

CREATE TABLE whimbrel.migration (
    name text COLLATE pg_catalog.default PRIMARY KEY,
    sequence bigint NOT NULL UNIQUE,
    state text NOT NULL CHECK (state IN ('applying', 'applied', 'failed', 'reverting', 'baselined')),
    checksum text NOT NULL,
    definition json NOT NULL,
    parameters json NOT NULL,
    plugins json NOT NULL,
    revision text,
    run text NOT NULL,
    actor text NOT NULL,
    started timestamptz NOT NULL,
    finished timestamptz,
    duration_milliseconds bigint,
    rows bigint NOT NULL DEFAULT 0,
    error text,
    undo json NOT NULL
);

CREATE TABLE whimbrel.journal (
    migration text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('apply', 'revert')),
    position bigint NOT NULL,
    hash text NOT NULL,
    state text NOT NULL CHECK (state IN ('intent', 'done')),
    batch bigint NOT NULL DEFAULT 0,
    checkpoint bytea,
    rows_done bigint NOT NULL DEFAULT 0,
    rows_total bigint,
    probe json,
    undo bytea,
    changed timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (migration, direction, position)
);

CREATE TABLE whimbrel.event (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind text NOT NULL,
    migration text,
    run text NOT NULL,
    actor text NOT NULL,
    revision text,
    plan text,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    details json NOT NULL
);

CREATE INDEX event_approved ON whimbrel.event (id) WHERE kind = 'approved';

CREATE TABLE whimbrel.lock (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    epoch bigint NOT NULL,
    run text,
    holder text,
    backend_pid integer,
    backend_start text,
    taken timestamptz
);

CREATE TABLE whimbrel.heartbeat (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    run text,
    counter bigint NOT NULL
);

INSERT INTO whimbrel.owner (version) VALUES (1);
INSERT INTO whimbrel.lock (epoch) VALUES (0);
INSERT INTO whimbrel.heartbeat (counter) VALUES (0);

CREATE FUNCTION whimbrel.assert_fence(expected_epoch bigint, expected_run text, share boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF share THEN
        PERFORM 1 FROM whimbrel.lock WHERE epoch = expected_epoch AND run = expected_run FOR SHARE;
    ELSE
        PERFORM 1 FROM whimbrel.lock WHERE epoch = expected_epoch AND run = expected_run;
    END IF;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'another run took over this database' USING ERRCODE = 'WB001',
            DETAIL = coalesce((SELECT holder FROM whimbrel.lock), 'nobody holds it now');
    END IF;
END $$;

CREATE FUNCTION whimbrel.assert_one(changed bigint, what text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF changed <> 1 THEN
        RAISE EXCEPTION '%: exactly one row had to change, and % did', what, changed USING ERRCODE = 'WB002';
    END IF;
END $$;

COMMENT ON SCHEMA whimbrel IS 'The record of what Whimbrel did to this database. Change it with whimbrel only.';
";

const LEASES: &str = r"
CREATE TABLE whimbrel.lease (
    backend text NOT NULL,
    id text NOT NULL,
    run text NOT NULL,
    recorded timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (backend, id)
);

UPDATE whimbrel.owner SET version = 2;
";
