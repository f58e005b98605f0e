SET extra_float_digits = 3

SET application_name = 'a driver'

SHOW TRANSACTION ISOLATION LEVEL

SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED

SELECT space.nspname, kind.typname, kind.typtype, kind.typelem, span.rngsubtype, kind.typbasetype, kind.typrelid
FROM pg_catalog.pg_type kind LEFT OUTER JOIN pg_catalog.pg_range span ON span.rngtypid = kind.oid
INNER JOIN pg_catalog.pg_namespace space ON kind.typnamespace = space.oid WHERE kind.oid = $1

SELECT enumlabel FROM pg_catalog.pg_enum WHERE enumtypid = $1 ORDER BY enumsortorder

SELECT attname, atttypid FROM pg_catalog.pg_attribute WHERE attrelid = $1 AND NOT attisdropped AND attnum > 0 ORDER BY attnum

SELECT found.column_name, (found.keys).n FROM (
  SELECT a.attname AS column_name, information_schema._pg_expandarray(i.indkey) AS keys, a.attnum
  FROM pg_catalog.pg_class t JOIN pg_catalog.pg_attribute a ON t.oid = a.attrelid JOIN pg_catalog.pg_index i ON a.attrelid = i.indrelid
  WHERE t.relname = 'orders' AND i.indisprimary) found
WHERE found.attnum = (found.keys).x ORDER BY 2

SELECT n.nspname, c.relname,
  CASE n.nspname ~ '^pg_' OR n.nspname = 'information_schema' WHEN true THEN 'system' WHEN false THEN
  CASE c.relkind WHEN 'r' THEN 'table' WHEN 'v' THEN 'view' ELSE NULL END END AS what, d.description
FROM pg_catalog.pg_namespace n, pg_catalog.pg_class c
LEFT JOIN pg_catalog.pg_description d ON (c.oid = d.objoid AND d.objsubid = 0 AND d.classoid = 'pg_class'::regclass)
WHERE c.relnamespace = n.oid AND c.relname LIKE 'o%' ORDER BY what, 1, 2

WITH RECURSIVE known(oid, name, base, element, members, depth) AS (
  SELECT t.oid, t.typname, t.typbasetype, t.typelem,
    (SELECT array_agg(a.atttypid ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = t.typrelid AND NOT a.attisdropped), 0
  FROM pg_catalog.pg_type t JOIN pg_namespace n ON n.oid = t.typnamespace WHERE t.oid = any($1::oid[])
  UNION ALL
  SELECT t.oid, t.typname, t.typbasetype, t.typelem, NULL::oid[], k.depth + 1
  FROM pg_type t, known k WHERE (k.element IS NOT NULL AND t.oid = k.element) OR (k.members IS NOT NULL AND t.oid = any(k.members)))
SELECT DISTINCT *, base::regtype::text FROM known ORDER BY depth DESC

SELECT current_setting('jit') AS was, set_config('jit', $1, false) AS is_now

SELECT pg_catalog.version()

SELECT current_schema()

SHOW standard_conforming_strings

SELECT pg_catalog.pg_class.relname FROM pg_catalog.pg_class
JOIN pg_catalog.pg_namespace ON pg_catalog.pg_namespace.oid = pg_catalog.pg_class.relnamespace
WHERE pg_catalog.pg_class.relname = $1::VARCHAR AND pg_catalog.pg_class.relkind = ANY (ARRAY['r'::VARCHAR, 'p'::VARCHAR])
AND pg_catalog.pg_table_is_visible(pg_catalog.pg_class.oid)

SELECT a.attname, format_type(a.atttypid, a.atttypmod), pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum)
FROM pg_attribute a LEFT JOIN pg_attrdef d ON a.attrelid = d.adrelid AND a.attnum = d.adnum
WHERE a.attrelid = '"orders"'::regclass AND a.attnum > 0 ORDER BY a.attnum

SELECT table_schema, table_name, column_name, data_type FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2

SELECT t.constraint_name, k.column_name FROM information_schema.table_constraints AS t
JOIN information_schema.key_column_usage AS k ON t.constraint_name = k.constraint_name WHERE t.constraint_type = 'FOREIGN KEY'

BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY

ROLLBACK

DISCARD ALL

SELECT oid, typname FROM pg_type WHERE typname IN ('hstore', 'citext')
