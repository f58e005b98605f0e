-- One line for each session; its events are in the recording.
CREATE TABLE sessions (
    number     INTEGER PRIMARY KEY,         -- by order of creation
    id         TEXT NOT NULL UNIQUE,
    connection TEXT NOT NULL,
    protocol   TEXT NOT NULL,
    label      TEXT NOT NULL,
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    login      TEXT NOT NULL,               -- serial of the login that opened it
    reason     TEXT,
    started    INTEGER NOT NULL,            -- milliseconds since 1970
    ended      INTEGER,
    operations INTEGER NOT NULL DEFAULT 0,
    blocked    INTEGER NOT NULL DEFAULT 0,
    held       INTEGER NOT NULL DEFAULT 0,
    masked     INTEGER NOT NULL DEFAULT 0,
    sealed     INTEGER NOT NULL DEFAULT 0 CHECK (sealed IN (0, 1))
) STRICT;
CREATE INDEX sessions_by_principal ON sessions (issuer, subject, number);
CREATE INDEX sessions_by_connection ON sessions (connection, number);
CREATE INDEX sessions_open ON sessions (number) WHERE ended IS NULL;
