-- What masks are bound to: a rule's pattern found this column by its name once; the mask stays with it under every other name.
CREATE TABLE mask_bindings (
    connection     TEXT NOT NULL,
    cluster        TEXT NOT NULL,           -- system_identifier; empty where the target's role may not know it
    database       INTEGER NOT NULL,        -- oid of the database there
    relation       INTEGER NOT NULL,        -- oid
    attnum         INTEGER NOT NULL,
    pattern        TEXT NOT NULL,           -- of relay.toml, every name in double quotes
    bound_schema   TEXT NOT NULL,           -- names when it was bound
    bound_relation TEXT NOT NULL,
    bound_column   TEXT NOT NULL,
    seen_schema    TEXT NOT NULL,           -- names when it was last seen
    seen_relation  TEXT NOT NULL,
    seen_column    TEXT NOT NULL,
    PRIMARY KEY (connection, cluster, database, relation, attnum, pattern)
) STRICT, WITHOUT ROWID;
