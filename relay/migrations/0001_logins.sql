-- Login records. `serial` is the certificate's serial number in hex: the login's id.
CREATE TABLE logins (
    id          INTEGER PRIMARY KEY,        -- by order of creation
    serial      TEXT NOT NULL UNIQUE,
    label       TEXT NOT NULL,
    kind        TEXT NOT NULL CHECK (kind IN ('user', 'workload')),
    issuer      TEXT NOT NULL,
    subject     TEXT NOT NULL,
    groups      TEXT NOT NULL,              -- JSON array, sorted
    fingerprint TEXT NOT NULL,              -- SHA-256 of the key's SubjectPublicKeyInfo, hex
    source      TEXT NOT NULL,              -- address
    machine     TEXT NOT NULL,
    created     INTEGER NOT NULL,           -- milliseconds since 1970
    expires     INTEGER NOT NULL,
    revoked     INTEGER,
    revoked_by  TEXT,
    revision    INTEGER NOT NULL,           -- grows with every change of any record: readers ask for what is newer
    noticed     INTEGER NOT NULL            -- the newest id of its principal's logins that this one was told of
) STRICT;
CREATE INDEX logins_by_principal ON logins (issuer, subject, id);
CREATE INDEX logins_by_label ON logins (label, id);
CREATE INDEX logins_by_revision ON logins (revision);
CREATE INDEX logins_by_expiry ON logins (expires);

-- A label belongs to the first (issuer, subject) that had it, until an operator frees it.
CREATE TABLE labels (
    label   TEXT PRIMARY KEY NOT NULL,
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    since   INTEGER NOT NULL
) STRICT;

-- Workload tokens that were presented, until they expire, each with the only key that may present it again.
CREATE TABLE seen_tokens (
    issuer      TEXT NOT NULL,
    token       TEXT NOT NULL,              -- `jti:…` or `sha256:…`
    fingerprint TEXT NOT NULL,
    expires     INTEGER NOT NULL,
    PRIMARY KEY (issuer, token)
) STRICT;
CREATE INDEX seen_tokens_by_expiry ON seen_tokens (expires);

-- Every attempt to log in; never a token.
CREATE TABLE login_attempts (
    id          INTEGER PRIMARY KEY,
    time        INTEGER NOT NULL,
    issuer      TEXT,
    label       TEXT,
    subject     TEXT,
    source      TEXT NOT NULL,
    machine     TEXT NOT NULL,
    fingerprint TEXT,
    outcome     TEXT NOT NULL,
    detail      TEXT
) STRICT;
CREATE INDEX login_attempts_by_time ON login_attempts (time);

-- The CA certificates that sign, or signed, client certificates. Every relay of the store trusts them.
CREATE TABLE authorities (
    fingerprint TEXT PRIMARY KEY NOT NULL,  -- SHA-256 of the certificate, hex
    certificate BLOB NOT NULL,              -- DER
    created     INTEGER NOT NULL,
    retired     INTEGER                     -- since when it signs nothing more
) STRICT;
