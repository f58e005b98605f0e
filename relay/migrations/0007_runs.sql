-- One-shot sessions: those that their client may come back for. What an idempotency key was used for never runs again while its line is
-- here; see `[session] result_retention`.
CREATE TABLE runs (
    session    TEXT PRIMARY KEY NOT NULL,
    connection TEXT NOT NULL,
    issuer     TEXT NOT NULL,
    subject    TEXT NOT NULL,
    mark       TEXT NOT NULL,               -- of the relay's own words in the kept result
    key        TEXT,                        -- the idempotency key
    digest     TEXT,                        -- of what runs under it
    state      TEXT NOT NULL CHECK (state IN ('running', 'done', 'unknown')),
    is_left    INTEGER NOT NULL DEFAULT 0 CHECK (is_left IN (0, 1)),
    seen       INTEGER NOT NULL DEFAULT 0,  -- bytes of the kept result that its client had before it left
    created    INTEGER NOT NULL,            -- milliseconds since 1970
    ended      INTEGER,
    CHECK ((key IS NULL) = (digest IS NULL))
) STRICT;
CREATE UNIQUE INDEX runs_by_key ON runs (issuer, subject, connection, key) WHERE key IS NOT NULL;
CREATE INDEX runs_by_end ON runs (ended);
