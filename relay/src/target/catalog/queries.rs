//! What is asked of `pg_catalog`. The connection has `search_path = pg_catalog, pg_temp`, so that no name here can be another's.
//!
//! TOAST schemas and the temporary schemas of other sessions are left out; the session's own temporary schema is called `pg_temp`,
//! as statements call it. In the texts `{schemas}` stands for which schemas `n` are asked for, `{ours}` for which relations.

/// Of which objects a snapshot is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Which {
    /// All that the session can name.
    All,
    /// The session's temporary ones.
    Temporary,
}

impl Which {
    /// The text of a query for these objects.
    pub(super) fn fill(self, sql: &str) -> String {
        let (schemas, ours) = match self {
            Self::All => (
                "(n.nspname !~ '^pg_(toast|temp_)' OR n.oid = pg_my_temp_schema())",
                "IS NOT NULL",
            ),
            Self::Temporary => (
                "n.oid = pg_my_temp_schema()",
                "IN (SELECT c.oid FROM pg_class c WHERE c.relnamespace = pg_my_temp_schema())",
            ),
        };
        sql.replace(
            "{schema}",
            "CASE WHEN n.oid = pg_my_temp_schema() THEN 'pg_temp' ELSE n.nspname END",
        )
        .replace("{schemas}", schemas)
        .replace("{ours}", ours)
    }
}

/// `server_version_num`.
pub const VERSION: &str = "SELECT current_setting('server_version_num')";

/// Schemas, and who may use them: whether they are searched goes by that.
pub const SCHEMAS: &str = "\
SELECT {schema}, concat_ws(' ', has_schema_privilege(n.oid, 'USAGE'), n.nspowner, n.nspacl)
FROM pg_namespace n WHERE {schemas}";

/// oid, schema, name, kind, partition, parents.
pub const RELATIONS: &str = "\
SELECT c.oid, {schema}, c.relname, c.relkind, c.relispartition,
  (SELECT string_agg(i.inhparent::text, ' ' ORDER BY i.inhseqno) FROM pg_inherits i WHERE i.inhrelid = c.oid)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE {schemas} AND c.relkind IN ('r','p','v','m','f','S','c','i','I')
  AND (c.oid >= 16384 OR c.relkind NOT IN ('i','I'))";

/// relation, attnum, name, type, not null, generated.
pub const COLUMNS: &str = "\
SELECT a.attrelid, a.attnum, a.attname, a.atttypid, a.attnotnull, a.attgenerated <> ''
FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r','p','v','m','f','S','c')
  AND {schemas}
ORDER BY a.attrelid, a.attnum";

/// relation, attnum of a generated column, attnum that it is computed from.
pub const GENERATED: &str = "\
SELECT a.attrelid, a.attnum, d.refobjsubid
FROM pg_attribute a JOIN pg_attrdef ad ON ad.adrelid = a.attrelid AND ad.adnum = a.attnum
JOIN pg_depend d ON d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid > 0
  AND d.refobjsubid <> a.attnum
  AND ((d.classid = 'pg_attrdef'::regclass AND d.objid = ad.oid)
    OR (d.classid = 'pg_class'::regclass AND d.objid = a.attrelid AND d.objsubid = a.attnum))
WHERE a.attgenerated <> '' AND a.attrelid {ours}";

/// relation, primary, columns. Only keys by which `=` finds at most one row: immediate, full, of plain columns, by the column's
/// own collation and the server's own operator class.
pub const KEYS: &str = "\
SELECT i.indrelid, i.indisprimary,
  (SELECT string_agg(k.attnum::text, ' ' ORDER BY k.position)
   FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS k(attnum, position) WHERE k.position <= i.indnkeyatts)
FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
WHERE i.indrelid >= 16384 AND i.indrelid {ours} AND i.indisunique AND i.indisvalid AND i.indisready AND i.indimmediate
  AND i.indpred IS NULL AND i.indexprs IS NULL AND m.amname = 'btree'
  AND NOT EXISTS (SELECT FROM unnest(i.indclass::oid[]) AS o(oid) WHERE o.oid >= 16384)
  AND NOT EXISTS (
    SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) AS k(attnum, collation_oid)
    JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
    WHERE k.collation_oid IS NOT NULL AND k.collation_oid <> a.attcollation)";

/// oid, query. The server would lock the view and what it uses to print the query: where somebody changes one of them, that would wait
/// for the end of their transaction, and every session for it. Their queries are not known until then.
pub const VIEWS: &str = "\
WITH locked AS MATERIALIZED (
  SELECT l.relation FROM pg_locks l
  WHERE l.locktype = 'relation' AND l.mode = 'AccessExclusiveLock' AND l.pid IS DISTINCT FROM pg_backend_pid()
    AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())),
waiting AS MATERIALIZED (
  SELECT relation AS view FROM locked
  UNION SELECT r.ev_class FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
  WHERE r.rulename = '_RETURN' AND d.refclassid = 'pg_class'::regclass AND d.refobjid IN (SELECT relation FROM locked))
SELECT c.oid, CASE WHEN c.oid NOT IN (SELECT view FROM waiting) THEN pg_get_viewdef(c.oid) END
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('v','m') AND c.oid >= 16384 AND {schemas}";

/// view, relation that its query uses.
pub const VIEW_USES: &str = "\
SELECT DISTINCT r.ev_class, d.refobjid
FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
WHERE r.ev_class >= 16384 AND r.ev_class {ours} AND r.rulename = '_RETURN' AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> r.ev_class";

/// relation, sequence that a default of it uses.
pub const DEFAULT_USES: &str = "\
SELECT DISTINCT a.adrelid, d.refobjid
FROM pg_attrdef a JOIN pg_depend d ON d.classid = 'pg_attrdef'::regclass AND d.objid = a.oid
WHERE a.adrelid {ours} AND d.refclassid = 'pg_class'::regclass AND d.refobjid <> a.adrelid AND d.refobjid >= 16384";

/// relation, name, event, takes the statement's place whatever the rows are, definition.
pub const RULES: &str = "\
SELECT ev_class, rulename, ev_type, is_instead AND ev_qual::text = '<>', pg_get_ruledef(oid) FROM pg_rewrite
WHERE ev_class >= 16384 AND ev_class {ours} AND rulename <> '_RETURN' AND ev_enabled <> 'D'";

/// relation, function, type bits.
pub const TRIGGERS: &str = "\
SELECT tgrelid, tgfoid, tgtype FROM pg_trigger WHERE tgrelid {ours} AND NOT tgisinternal AND tgenabled <> 'D'";

/// referencing table, its columns, referenced table, its columns, on delete, on update.
pub const FOREIGN_KEYS: &str = "\
SELECT conrelid, array_to_string(conkey, ' '), confrelid, array_to_string(confkey, ' '), confdeltype, confupdtype
FROM pg_constraint WHERE contype = 'f' AND conrelid {ours}";

/// oid, schema, name, argument types as text, their oids, defaults, variadic, kind, returns a set, result, output names.
pub const FUNCTIONS: &str = "\
SELECT p.oid, {schema}, p.proname, oidvectortypes(p.proargtypes), p.proargtypes::text, p.pronargdefaults,
  p.provariadic <> 0, p.prokind, p.proretset, p.prorettype,
  (SELECT json_agg(coalesce(p.proargnames[m.position], '') ORDER BY m.position)
   FROM unnest(p.proargmodes) WITH ORDINALITY AS m(mode, position) WHERE m.mode IN ('o','b','t'))
FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
WHERE p.oid >= 16384 AND {schemas}";

/// name.
pub const BUILTIN_FUNCTIONS: &str = "\
SELECT DISTINCT proname FROM pg_proc WHERE pronamespace = 'pg_catalog'::regnamespace AND oid < 16384";

/// name, output names: every overload of the names of which one has outputs.
pub const BUILTIN_OUTPUTS: &str = "\
SELECT p.proname,
  (SELECT json_agg(coalesce(p.proargnames[m.position], '') ORDER BY m.position)
   FROM unnest(p.proargmodes) WITH ORDINALITY AS m(mode, position) WHERE m.mode IN ('o','b','t'))
FROM pg_proc p
WHERE p.pronamespace = 'pg_catalog'::regnamespace AND p.oid < 16384 AND p.proname IN (
  SELECT o.proname FROM pg_proc o
  WHERE o.pronamespace = 'pg_catalog'::regnamespace AND o.oid < 16384 AND o.proargmodes && '{o,b,t}'::\"char\"[])";

/// schema, name, left, right, function.
pub const OPERATORS: &str = "\
SELECT {schema}, o.oprname, o.oprleft, o.oprright, o.oprcode::oid
FROM pg_operator o JOIN pg_namespace n ON n.oid = o.oprnamespace
WHERE o.oid >= 16384 AND {schemas}";

/// name, left, right.
pub const BUILTIN_OPERATORS: &str = "\
SELECT oprname, oprleft, oprright FROM pg_operator WHERE oprnamespace = 'pg_catalog'::regnamespace AND oid < 16384";

/// oid, schema, name, kind, base, element or subtype, relation, input function of a user, whether its values are written as text is.
pub const TYPES: &str = "\
SELECT t.oid, {schema}, t.typname, CASE WHEN t.typcategory = 'A' AND t.typtype = 'b' THEN 'a' ELSE t.typtype::text END,
  CASE t.typtype WHEN 'd' THEN t.typbasetype
    WHEN 'r' THEN (SELECT r.rngsubtype FROM pg_range r WHERE r.rngtypid = t.oid)
    WHEN 'm' THEN (SELECT r.rngsubtype FROM pg_range r WHERE r.rngmultitypid = t.oid)
    ELSE t.typelem END, t.typrelid,
  CASE WHEN t.typinput::oid >= 16384 THEN t.typinput::oid END,
  EXISTS (SELECT FROM pg_proc o WHERE o.oid = t.typoutput AND o.prolang = 12 AND o.prosrc IN ('textout','varcharout','bpcharout'))
    AND (t.typsend::oid = 0 OR EXISTS (
      SELECT FROM pg_proc s WHERE s.oid = t.typsend AND s.prolang = 12 AND s.prosrc IN ('textsend','varcharsend','bpcharsend')))
FROM pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace
WHERE {schemas} AND (t.oid >= 16384 OR (t.typtype <> 'c'
  AND NOT EXISTS (SELECT FROM pg_type e WHERE e.oid = t.typelem AND e.typtype = 'c')))";

/// source, target, function, context.
pub const CASTS: &str = "\
SELECT castsource, casttarget, CASE WHEN castfunc >= 16384 THEN castfunc ELSE 0 END, castcontext
FROM pg_cast WHERE oid >= 16384";

/// relation or type, which of both and when (`w` write, `r` read, `t` type), function: calls that no statement spells.
pub const CALLS: &str = "\
WITH used AS (
  SELECT d.classid, d.objid, d.refobjid AS function FROM pg_depend d
  WHERE d.refclassid = 'pg_proc'::regclass AND d.refobjid >= 16384
  UNION
  SELECT d.classid, d.objid, o.oprcode::oid FROM pg_depend d JOIN pg_operator o ON o.oid = d.refobjid
  WHERE d.refclassid = 'pg_operator'::regclass AND d.refobjid >= 16384)
SELECT a.adrelid, CASE WHEN t.attgenerated = 'v' THEN 'r' ELSE 'w' END, u.function
  FROM used u JOIN pg_attrdef a ON u.classid = 'pg_attrdef'::regclass AND a.oid = u.objid
  JOIN pg_attribute t ON t.attrelid = a.adrelid AND t.attnum = a.adnum
UNION SELECT CASE WHEN c.conrelid <> 0 THEN c.conrelid ELSE c.contypid END, CASE WHEN c.conrelid <> 0 THEN 'w' ELSE 't' END, u.function
  FROM used u JOIN pg_constraint c ON u.classid = 'pg_constraint'::regclass AND c.oid = u.objid
UNION SELECT i.indrelid, 'w', u.function
  FROM used u JOIN pg_index i ON u.classid = 'pg_class'::regclass AND i.indexrelid = u.objid
UNION SELECT p.polrelid, m.moment, u.function
  FROM used u JOIN pg_policy p ON u.classid = 'pg_policy'::regclass AND p.oid = u.objid
  CROSS JOIN (VALUES ('r'), ('w')) AS m(moment)";
