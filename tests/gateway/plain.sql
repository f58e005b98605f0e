-- Plain SQL of every family, on the sample data. A paragraph is a statement; what it gives must be what it gives without a relay.

SELECT 1 AS one, 'two'::text AS two, NULL AS three, ARRAY[1, 2]::int[] AS four, ROW(1, 'x') AS five, true AND NOT false AS six

SELECT id, name FROM customers WHERE id BETWEEN 3 AND 6 ORDER BY id DESC

SELECT DISTINCT status FROM orders ORDER BY status

SELECT DISTINCT ON (status) status, id FROM orders ORDER BY status, id

SELECT status, count(*), sum(amount), min(item), max(placed_at), avg(amount)::numeric(10, 3) FROM orders GROUP BY status HAVING count(*) > 10 ORDER BY 1

SELECT item, status, count(*), grouping(item, status) FROM orders GROUP BY GROUPING SETS ((item, status), (item), ()) ORDER BY 1, 2, 4

SELECT status, item, count(*) FROM orders GROUP BY ROLLUP (status, item) ORDER BY 1, 2

SELECT status, item, count(*) FILTER (WHERE amount > 100) FROM orders GROUP BY CUBE (status, item) ORDER BY 1, 2

SELECT id, amount, rank() OVER w, lag(amount) OVER w, sum(amount) OVER (w ROWS BETWEEN 1 PRECEDING AND CURRENT ROW) FROM orders WINDOW w AS (PARTITION BY status ORDER BY amount, id) ORDER BY id LIMIT 5

SELECT c.name, o.item FROM customers c JOIN orders o ON o.customer_id = c.id WHERE o.id < 5 ORDER BY o.id

SELECT c.id, o.id FROM customers c LEFT JOIN orders o ON o.customer_id = c.id AND o.id < 3 ORDER BY 1, 2 LIMIT 4

SELECT count(*) FROM customers FULL JOIN (SELECT id, item FROM orders WHERE id > 150) o USING (id)

SELECT * FROM (SELECT id FROM customers) a NATURAL JOIN (SELECT id, item FROM orders) b ORDER BY id LIMIT 3

SELECT c.id, l.item FROM customers c CROSS JOIN LATERAL (SELECT item FROM orders o WHERE o.customer_id = c.id ORDER BY o.id LIMIT 1) l ORDER BY c.id LIMIT 3

SELECT id FROM orders WHERE customer_id IN (SELECT id FROM customers WHERE id < 3) ORDER BY id LIMIT 5

SELECT id FROM customers c WHERE EXISTS (SELECT FROM orders o WHERE o.customer_id = c.id AND o.amount > 390) ORDER BY id LIMIT 5

SELECT id, (SELECT max(amount) FROM orders o WHERE o.customer_id = c.id) AS most FROM customers c ORDER BY id LIMIT 3

SELECT ARRAY(SELECT id FROM customers ORDER BY id LIMIT 3), amount > ALL (ARRAY[1, 2]), amount = ANY (SELECT amount FROM orders WHERE id = 1) FROM orders WHERE id = 1

SELECT id FROM customers WHERE id < 3 UNION SELECT id FROM orders WHERE id < 4 ORDER BY 1

SELECT id FROM customers INTERSECT SELECT id FROM orders WHERE id < 4 EXCEPT ALL VALUES (2) ORDER BY 1

WITH RECURSIVE t(n) AS (VALUES (1) UNION ALL SELECT n + 1 FROM t WHERE n < 5) SELECT n, sum(n) OVER (ORDER BY n) FROM t

WITH RECURSIVE t(n, path) AS (SELECT 1, ARRAY[1] UNION ALL SELECT n + 1, path || (n + 1) FROM t WHERE n < 3) SEARCH DEPTH FIRST BY n SET o CYCLE n SET c USING p SELECT n, path, o, c FROM t

WITH moved AS MATERIALIZED (SELECT id, amount FROM orders WHERE id < 4) SELECT * FROM moved m JOIN moved n USING (id) ORDER BY 1

VALUES (1, 'a'), (2, 'b') ORDER BY 1 DESC

TABLE open_orders ORDER BY id LIMIT 2

SELECT CASE WHEN amount > 200 THEN 'much' WHEN amount IS NULL THEN 'none' ELSE 'little' END, CASE status WHEN 'open' THEN 1 END, coalesce(NULL, item), nullif(item, 'lamp'), greatest(1, 2), least('a', 'b') FROM orders WHERE id < 4 ORDER BY id

SELECT item || '!' AS louder, upper(item), substring(item from 2 for 2), position('a' in item), trim(both 'x' from 'xax'), overlay('abc' placing 'z' from 2), item LIKE 'l%', item ILIKE 'L%', item SIMILAR TO '(lamp|desk)', item ~ '^l', item !~* 'K' FROM orders WHERE id < 4 ORDER BY id

SELECT extract(year from placed_at), date_trunc('day', placed_at AT TIME ZONE 'UTC'), placed_at::date + 1, age(timestamp '2025-03-01', timestamp '2025-02-01'), interval '1 day 2 hours' * 2, (date '2025-01-01', date '2025-02-01') OVERLAPS (date '2025-01-15', date '2025-03-01') FROM orders WHERE id = 1

SELECT '{"a": [1, {"b": 2}]}'::jsonb #> '{a,1,b}', '{"a": 1}'::jsonb @> '{"a": 1}', jsonb_path_query_first('{"a": [1, 2]}', '$.a[*] ? (@ > 1)'), json_build_object('a', 1, 'b', ARRAY[1]), row_to_json(row(1, 2)), to_jsonb(o) ->> 'item', jsonb_agg(id) FROM orders o WHERE id = 1 GROUP BY o.*

SELECT key, value FROM jsonb_each('{"a": 1, "b": null}') ORDER BY key

SELECT * FROM jsonb_to_recordset('[{"a": 1, "b": "x"}]') AS r(a int, b text)

SELECT n, m FROM generate_series(1, 2) WITH ORDINALITY AS g(n, m)

SELECT * FROM unnest(ARRAY[1, 2], ARRAY['a', 'b', 'c']) WITH ORDINALITY AS u(a, b, o)

SELECT * FROM ROWS FROM (generate_series(1, 2), generate_series(5, 7)) AS r(a, b)

SELECT (ARRAY[10, 20, 30])[2:3], array_length(ARRAY[1, 2], 1), ARRAY[1] || 2, 2 = ANY (ARRAY[1, 2]), string_to_array('a,b', ','), array_agg(x ORDER BY x DESC) FROM unnest(ARRAY[1, 2]) x

SELECT int4range(1, 5) @> 3, int4range(1, 5) * int4range(3, 9), lower(numrange(1.5, 2.5)), '{[1,3),[5,7)}'::int4multirange @> 6

SELECT point(1, 2) <-> point(4, 6), box '((0,0),(1,1))' && box '((0.5,0.5),(2,2))', inet '10.0.0.1/8' << inet '10.0.0.0/7', host(inet '::1'), '\xdeadbeef'::bytea, encode('\x00ff', 'hex'), md5('x'), B'101' | B'010', '08:00:2b:01:02:03'::macaddr

SELECT to_tsvector('english', 'quick brown foxes') @@ to_tsquery('english', 'fox & quick'), ts_headline('english', 'a fox', 'fox')

SELECT xmlelement(name a, xmlattributes(1 AS b), 'c'), xmlforest(1 AS x), xpath('/a/text()', '<a>1</a>')

SELECT * FROM xmltable('/r/i' PASSING '<r><i a="1">x</i></r>' COLUMNS a int PATH '@a', t text PATH '.')

SELECT count(*) > 0 FROM orders TABLESAMPLE BERNOULLI (100) REPEATABLE (1)

SELECT id FROM orders ORDER BY id OFFSET 5 ROWS FETCH NEXT 2 ROWS WITH TIES

SELECT id FROM orders WHERE id = 1 FOR UPDATE OF orders SKIP LOCKED

SELECT orders FROM orders WHERE id = 1

SELECT (o).item, (o.*)::text FROM orders o WHERE id = 1

SELECT o.tableoid::regclass, o.ctid IS NOT NULL FROM orders o WHERE id = 1

SELECT current_database() = current_catalog, current_user = session_user, pg_typeof(now()), version() LIKE 'PostgreSQL%', current_setting('server_encoding')

SELECT 1 / 0

SELECT nothing FROM orders

SELECT * FROM no_such_table

SELECT 'x'::int

SELEC 1

EXPLAIN (COSTS OFF) SELECT * FROM orders WHERE id = 1

EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF, BUFFERS OFF) SELECT * FROM orders WHERE id = 1

INSERT INTO customers (id, name, email, ssn, created_at) VALUES (900, 'New', 'n@example.com', '1', timestamptz '2025-01-01 00:00:00+00') RETURNING id, name, note

INSERT INTO customers SELECT 901 + n, 'Many', 'm' || n, '2', NULL, NULL, timestamptz '2025-01-01 00:00:00+00' FROM generate_series(0, 2) n

INSERT INTO customers AS c (id, name, email, ssn, created_at) VALUES (900, 'Again', 'a', '3', timestamptz '2025-01-01 00:00:00+00') ON CONFLICT (id) DO UPDATE SET name = excluded.name || c.name WHERE c.id > 1 RETURNING name

INSERT INTO customers (id, name, email, ssn, created_at) VALUES (900, 'Third', 'a', '3', timestamptz '2025-01-01 00:00:00+00') ON CONFLICT DO NOTHING

INSERT INTO customers (id) VALUES (900)

UPDATE orders SET amount = amount + 1, status = DEFAULT WHERE id = 1

UPDATE orders o SET (status, item) = ('open', c.name), amount = 5 FROM customers c WHERE c.id = o.customer_id AND o.id = 2 RETURNING o.id, o.item, c.id

UPDATE orders SET amount = (SELECT max(amount) FROM orders) WHERE id IN (3, 4)

DELETE FROM orders o USING customers c WHERE c.id = o.customer_id AND c.id = 900

DELETE FROM customers WHERE id = 903 RETURNING *

WITH gone AS (DELETE FROM customers WHERE id = 902 RETURNING id), added AS (INSERT INTO customers (id, name, email, ssn, created_at) SELECT id + 50, 'Moved', 'x', '4', timestamptz '2025-01-01 00:00:00+00' FROM gone RETURNING id) SELECT * FROM added

MERGE INTO customers c USING (VALUES (900, 'Merged'), (999, 'Fresh')) v(id, name) ON c.id = v.id WHEN MATCHED AND c.id = 900 THEN UPDATE SET name = v.name WHEN NOT MATCHED THEN INSERT (id, name, email, ssn, created_at) VALUES (v.id, v.name, 'e', '5', timestamptz '2025-01-01 00:00:00+00')

MERGE INTO customers c USING (VALUES (999)) v(id) ON c.id = v.id WHEN MATCHED THEN DELETE

SELECT id, name FROM customers WHERE id >= 900 ORDER BY id

CREATE TABLE plain (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, a text NOT NULL DEFAULT 'x', b numeric(8, 2) CHECK (b > 0), c int[] , d jsonb DEFAULT '{}', e timestamptz, f int GENERATED ALWAYS AS (length(a)) STORED, UNIQUE (a, b))

INSERT INTO plain (a, b, c) VALUES ('one', 1.5, ARRAY[1, 2]), ('two', 2.5, NULL) RETURNING *

CREATE INDEX plain_lower ON plain (lower(a)) WHERE b > 1

CREATE UNIQUE INDEX ON plain (e)

CREATE STATISTICS plain_stats (dependencies) ON a, b FROM plain

ALTER TABLE plain ADD COLUMN g text DEFAULT 'new', ADD CONSTRAINT short CHECK (length(a) < 10), ALTER COLUMN b SET DEFAULT 9

ALTER TABLE plain ALTER COLUMN g TYPE varchar(10) USING g || '!', ALTER COLUMN g SET NOT NULL, DROP CONSTRAINT short

ALTER TABLE plain RENAME COLUMN g TO h

COMMENT ON COLUMN plain.h IS 'renamed'

SELECT a, h, f FROM plain ORDER BY id

CREATE TABLE child (id int PRIMARY KEY, plain_id int REFERENCES plain ON DELETE CASCADE, EXCLUDE USING btree (plain_id WITH =))

INSERT INTO child VALUES (1, 1)

INSERT INTO child VALUES (2, 99)

CREATE VIEW plain_view AS SELECT p.id, p.a, c.id AS child FROM plain p LEFT JOIN child c ON c.plain_id = p.id

SELECT * FROM plain_view ORDER BY id

CREATE OR REPLACE VIEW simple_view AS SELECT id, a, b FROM plain WHERE b > 0 WITH CHECK OPTION

UPDATE simple_view SET b = b + 1 WHERE a = 'one' RETURNING *

INSERT INTO simple_view (a, b) VALUES ('three', -1)

CREATE MATERIALIZED VIEW kept AS SELECT status, count(*) AS n FROM orders GROUP BY status WITH NO DATA

REFRESH MATERIALIZED VIEW kept

SELECT * FROM kept ORDER BY status

CREATE RULE noted AS ON DELETE TO child DO ALSO UPDATE plain SET h = 'gone' WHERE id = old.plain_id

DELETE FROM child WHERE id = 1

SELECT id, h FROM plain ORDER BY id

DROP RULE noted ON child

CREATE TYPE mood AS ENUM ('sad', 'happy')

ALTER TYPE mood ADD VALUE 'calm' BEFORE 'happy'

CREATE DOMAIN percent AS int CHECK (VALUE BETWEEN 0 AND 100)

CREATE TYPE pair AS (l int, r text)

CREATE TABLE typed (m mood, p percent DEFAULT 5, q pair)

INSERT INTO typed VALUES ('calm', 50, (1, 'x')), ('sad', DEFAULT, ROW(2, 'y'))

INSERT INTO typed VALUES ('sad', 500, NULL)

SELECT m, p, (q).l, (q).r, m > 'sad', p::int + 1 FROM typed ORDER BY m

SELECT mood('sad'), inet('::1'), percent(7)

CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n * 2'

CREATE FUNCTION shout() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.a = upper(NEW.a); RETURN NEW; END'

CREATE TRIGGER shouting BEFORE INSERT OR UPDATE OF a ON plain FOR EACH ROW EXECUTE FUNCTION shout()

INSERT INTO plain (a, b) VALUES ('quiet', 7) RETURNING a

SELECT twice(21), twice(n => 3)

CREATE PROCEDURE answer(IN n int, OUT doubled int) LANGUAGE plpgsql AS 'BEGIN doubled = n * 2; END'

CALL answer(4, NULL)

CREATE SEQUENCE counter START 5

SELECT nextval('counter'), currval('counter'), setval('counter', 50), lastval()

CREATE TABLE measured (at date NOT NULL, v int) PARTITION BY RANGE (at)

CREATE TABLE measured_2025 PARTITION OF measured FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')

CREATE TABLE measured_rest PARTITION OF measured DEFAULT

INSERT INTO measured VALUES ('2025-05-05', 1), ('2030-01-01', 2) RETURNING tableoid::regclass, v

ALTER TABLE measured DETACH PARTITION measured_rest

SELECT count(*) FROM measured

CREATE TABLE inherited () INHERITS (typed)

INSERT INTO inherited VALUES ('happy', 1, NULL)

SELECT tableoid::regclass, m FROM typed ORDER BY 1, 2

SELECT m FROM ONLY typed ORDER BY 1

CREATE TEMP TABLE scratch (id int, word text)

INSERT INTO scratch SELECT n, 'w' || n FROM generate_series(1, 3) n

SELECT s.word, p.a FROM scratch s LEFT JOIN plain p USING (id) ORDER BY s.id

SELECT id * 10 AS ten INTO TEMPORARY more FROM scratch

UPDATE more SET ten = ten + 1 WHERE ten > 10

SELECT * FROM more ORDER BY 1

CREATE TEMP TABLE copies AS SELECT * FROM scratch WITH NO DATA

ALTER TABLE scratch ADD COLUMN extra int DEFAULT 4

CREATE INDEX ON scratch (word)

DELETE FROM scratch WHERE id = 2 RETURNING *

CREATE TEMP VIEW seen AS SELECT word FROM scratch

SELECT * FROM seen ORDER BY 1

TRUNCATE scratch

DROP TABLE scratch CASCADE

DROP TABLE IF EXISTS scratch, more, never_made

SELECT * FROM scratch

BEGIN

CREATE TEMP TABLE brief (id int) ON COMMIT DROP

INSERT INTO brief VALUES (1)

CREATE TABLE lasting AS SELECT id FROM brief

ALTER TABLE lasting ADD PRIMARY KEY (id)

SELECT * FROM lasting JOIN brief USING (id)

SAVEPOINT a

DROP TABLE lasting

ROLLBACK TO SAVEPOINT a

SELECT count(*) FROM lasting

RELEASE a

COMMIT

SELECT count(*) FROM lasting

SELECT count(*) FROM brief

START TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY

INSERT INTO lasting VALUES (3)

SELECT 1

ROLLBACK

PREPARE fetch_one (int) AS SELECT id, item FROM orders WHERE id = $1

EXECUTE fetch_one(5)

DEALLOCATE fetch_one

BEGIN

DECLARE c SCROLL CURSOR FOR SELECT id FROM orders ORDER BY id

FETCH 2 FROM c

FETCH BACKWARD 1 FROM c

MOVE FORWARD 3 IN c

UPDATE orders SET status = 'seen' WHERE id = 1

CLOSE c

END

SET work_mem = '8MB'

SHOW work_mem

SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE

RESET work_mem

SET TIME ZONE 'UTC'

SELECT set_config('app.user', 'me', false), current_setting('app.user')

LISTEN news

UNLISTEN *

SELECT pg_try_advisory_lock(42), pg_advisory_unlock(42)

LOCK TABLE lasting IN SHARE MODE

ANALYZE plain

VACUUM plain

CLUSTER plain USING plain_pkey

REINDEX TABLE plain

GRANT SELECT (a), UPDATE ON plain TO PUBLIC

REVOKE ALL ON plain FROM PUBLIC

ALTER TABLE plain ENABLE ROW LEVEL SECURITY

CREATE POLICY visible ON plain USING (id > 0) WITH CHECK (b > 0)

ALTER POLICY visible ON plain RENAME TO shown

DROP POLICY shown ON plain

ALTER TABLE plain OWNER TO CURRENT_USER

SELECT relname, relkind FROM pg_class WHERE relname LIKE 'plain%' ORDER BY 1

SELECT column_name, data_type FROM information_schema.columns WHERE table_name = 'plain' ORDER BY ordinal_position

SELECT pg_get_viewdef('plain_view'::regclass), obj_description('plain'::regclass), col_description('plain'::regclass, 8), pg_get_indexdef('plain_lower'::regclass), format_type(23, NULL), to_regclass('nothing')

DROP SEQUENCE counter CASCADE

DROP VIEW plain_view, simple_view

DROP TABLE child, plain CASCADE

DROP TABLE IF EXISTS plain

DROP FUNCTION twice(int)

DROP TABLE inherited, typed, measured, measured_rest, lasting

DROP DOMAIN percent

DROP TYPE mood, pair

DROP MATERIALIZED VIEW IF EXISTS kept

DROP SCHEMA IF EXISTS nowhere CASCADE

CREATE SCHEMA aside CREATE TABLE inside (id int) CREATE VIEW over AS SELECT id FROM inside

SELECT count(*) FROM aside.over

DROP SCHEMA aside CASCADE
