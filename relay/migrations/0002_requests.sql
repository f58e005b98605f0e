-- Held operations and who decided about them. What a request asks for never changes after it is made; only status, ended and why do.
CREATE TABLE requests (
    number       INTEGER PRIMARY KEY,       -- by order of creation
    id           TEXT NOT NULL UNIQUE,
    kind         TEXT NOT NULL CHECK (kind IN ('operation', 'session')),
    status       TEXT NOT NULL CHECK (status IN ('pending', 'approved', 'denied', 'expired', 'cancelled', 'spent')),
    session      TEXT NOT NULL,
    connection   TEXT NOT NULL,
    label        TEXT NOT NULL,             -- who asks
    principal    TEXT NOT NULL CHECK (principal IN ('user', 'workload')),
    issuer       TEXT NOT NULL,
    subject      TEXT NOT NULL,
    login        TEXT NOT NULL,             -- serial of the login that asks
    groups       TEXT NOT NULL,             -- JSON array
    reason       TEXT,
    statement    TEXT NOT NULL,
    parameters   TEXT NOT NULL,             -- JSON array of {type, value}
    effects      TEXT NOT NULL,             -- JSON array of {action, resource}
    rules        TEXT NOT NULL,             -- JSON array
    requirements TEXT NOT NULL,             -- JSON array of {rule, approvers, approvals, ttl}
    digest       BLOB NOT NULL CHECK (length(digest) = 32),
    details      TEXT NOT NULL,             -- JSON array of [name, text]
    created      INTEGER NOT NULL,          -- milliseconds since 1970
    expires      INTEGER NOT NULL,
    ended        INTEGER,
    why          TEXT
) STRICT;
CREATE INDEX requests_by_asker ON requests (issuer, subject, number);
CREATE INDEX requests_open ON requests (status) WHERE status IN ('pending', 'approved');

-- The groups that may decide, for listing.
CREATE TABLE request_approvers (
    request  INTEGER NOT NULL REFERENCES requests (number) ON DELETE CASCADE,
    approver TEXT NOT NULL,
    PRIMARY KEY (approver, request)
) STRICT, WITHOUT ROWID;

CREATE TABLE request_decisions (
    request INTEGER NOT NULL REFERENCES requests (number) ON DELETE CASCADE,
    seq     INTEGER NOT NULL,
    label   TEXT NOT NULL,
    issuer  TEXT NOT NULL,
    subject TEXT NOT NULL,
    login   TEXT NOT NULL,
    groups  TEXT NOT NULL,                  -- JSON array, as they were
    approve INTEGER NOT NULL CHECK (approve IN (0, 1)),
    reason  TEXT,
    time    INTEGER NOT NULL,
    PRIMARY KEY (request, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX request_decisions_by_person ON request_decisions (issuer, subject, request);
