//! Random statements: the tables and functions that the server touched when it ran them are among those that were read.

use std::collections::BTreeSet;

use super::*;
use crate::inspect::catalog::Relation;

/// How many statements each seed makes.
const COUNT: usize = 150;
const SEEDS: [u64; 3] = [0x5eed, 0xfeed_beef, 0x1234_5678_9abc];

/// Writes statements.
struct Author {
    state: u64,
    /// Names that were given, so that each is one of its kind.
    names: usize,
}

/// Tables that can be read, with columns that every one of their rows has.
const SOURCES: &[(&str, &[&str])] = &[
    ("customers", &["id", "name", "email", "ssn", "region", "initials"]),
    ("orders", &["id", "customer_id", "total", "note", "placed"]),
    ("items", &["order_id", "sku", "quantity"]),
    ("partial", &["id", "flag", "code"]),
    ("customer_names", &["id", "name", "region"]),
    ("customer_secrets", &["id", "secret", "loud", "total"]),
    ("secrets_of_secrets", &["id", "secret"]),
    ("kept_secrets", &["kept", "count"]),
    ("events", &["at", "customer", "token"]),
    ("people", &["id", "ssn"]),
    ("staff", &["id", "ssn", "room"]),
    ("moods", &["m"]),
    ("app.customers", &["id", "token"]),
    ("tree", &["id", "parent"]),
    ("uses_default", &["id", "v"]),
    ("audited", &["id", "v"]),
    ("list_all()", &["id", "name", "ssn"]),
];

/// Tables that are written: name, what an INSERT gives, a column that an UPDATE sets and to what.
const TARGETS: &[(&str, &str, &str)] = &[
    (
        "customers",
        "(id, name, region) select 1000 + $n, 'x', 2",
        "name = name || 'x'",
    ),
    (
        "orders",
        "(id, customer_id, note) values (2000 + $n, 1, 'n')",
        "note = 'y'",
    ),
    ("items", "values (1, 's' || $n, 3)", "quantity = quantity + 1"),
    ("partial", "values ($n, true, 'c' || $n)", "code = code || 'z'"),
    ("people", "values (3000 + $n, 's')", "ssn = 't'"),
    ("staff", "(id, room) values (4000 + $n, 'r')", "room = 'q'"),
    ("events", "values ('2024-05-05', 'c', 't')", "customer = 'd'"),
    ("audited", "values (5000 + $n, 'v')", "v = 'w'"),
    ("uses_domain", "values (6000 + $n, 'v')", "v = 'w'"),
    ("uses_default", "(id) values (7000 + $n)", "v = not v"),
    ("ruled", "values (8000 + $n, 'v')", "v = 'w'"),
    ("tree", "values (9000 + $n, 1)", "parent = null"),
    ("customer_names", "values (9500 + $n, 'n', 4)", "name = 'viewed'"),
    ("all_ruled", "select 1, 'x' where false", "v = 'by rule'"),
];

impl Author {
    fn number(&mut self, below: usize) -> usize {
        // xorshift64*: any will do, as long as a seed gives the same statements for ever.
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        let mixed = self.state.wrapping_mul(0x2545_f491_4f6c_dd1d);
        usize::try_from(mixed >> 33).unwrap() % below
    }

    fn one<'t, T: ?Sized>(&mut self, of: &[&'t T]) -> &'t T {
        let index = self.number(of.len());
        of[index]
    }

    fn name(&mut self) -> String {
        self.names += 1;
        format!("n{}", self.names)
    }

    /// A FROM item, and the columns that it gives, qualified.
    fn item(&mut self, depth: usize) -> (String, Vec<String>) {
        let name = self.name();
        if depth > 0 && self.number(4) == 0 {
            let (query, columns) = self.query(depth - 1);
            let lateral = self.one(&["", "lateral "]);
            let given = columns.iter().map(|column| format!("{name}.{column}")).collect();
            return (format!("{lateral}({query}) as {name}"), given);
        }
        let index = self.number(SOURCES.len());
        let (table, columns) = SOURCES[index];
        let only = if table == "people" {
            self.one(&["", "only "])
        } else {
            ""
        };
        let given = columns.iter().map(|column| format!("{name}.{column}")).collect();
        (format!("{only}{table} as {name}"), given)
    }

    /// An expression of type text.
    fn text(&mut self, columns: &[String], depth: usize) -> String {
        let column = if columns.is_empty() || self.number(6) == 0 {
            format!("'{}'", self.number(10))
        } else {
            let index = self.number(columns.len());
            format!("{}::text", columns[index])
        };
        if depth == 0 {
            return column;
        }
        match self.number(10) {
            0 => format!("upper({column})"),
            1 => format!("coalesce({column}, {})", self.text(columns, depth - 1)),
            2 => format!("{column} || {}", self.text(columns, depth - 1)),
            3 => format!(
                "case when {} then {column} else {} end",
                self.condition(columns, depth - 1),
                self.text(columns, depth - 1)
            ),
            4 => {
                let (query, given) = self.query(depth - 1);
                format!("(select {}::text from ({query}) s limit 1)", given[0])
            }
            5 => format!("is_fine({column})::text"),
            6 => format!("(select max({}) from orders q)", self.text(columns, 0)),
            7 => format!("({column}::text collate \"C\")"),
            _ => column,
        }
    }

    fn condition(&mut self, columns: &[String], depth: usize) -> String {
        let left = self.text(columns, depth.saturating_sub(1));
        let right = self.text(columns, 0);
        match self.number(9) {
            0 => format!("{left} is not null"),
            1 => format!("{left} like '%1%'"),
            2 => format!("{left} in ({right}, '1')"),
            3 if depth > 0 => {
                let (query, given) = self.query(depth - 1);
                format!("{left} in (select {}::text from ({query}) s)", given[0])
            }
            4 if depth > 0 => {
                let (query, _) = self.query(depth - 1);
                format!("exists ({query})")
            }
            5 if depth > 0 => format!(
                "({} or not {})",
                self.condition(columns, depth - 1),
                self.condition(columns, depth - 1)
            ),
            6 => format!("{left} between {right} and '5'"),
            7 => format!("({left}, '1') > ({right}, '0')"),
            _ => format!("{left} = {right}"),
        }
    }

    /// A query, and the names of its columns.
    fn query(&mut self, depth: usize) -> (String, Vec<String>) {
        if depth > 0 && self.number(6) == 0 {
            let (left, names) = self.plain(depth - 1, 1);
            let (right, _) = self.plain(depth - 1, 1);
            let how = self.one(&["union", "union all", "intersect", "except all"]);
            return (format!("({left}) {how} ({right})"), names);
        }
        let width = 1 + self.number(3);
        self.plain(depth, width)
    }

    fn plain(&mut self, depth: usize, width: usize) -> (String, Vec<String>) {
        let (mut from, mut columns) = self.item(depth);
        for _ in 0..self.number(3) {
            let (next, more) = self.item(depth);
            let lateral = next.starts_with("lateral");
            let all: Vec<String> = columns.iter().chain(&more).cloned().collect();
            from = match self.number(4) {
                0 => format!("{from}, {next}"),
                1 if !lateral => format!(
                    "{from} full join {next} on {} = {}",
                    columns[0].clone() + "::text",
                    more[0].clone() + "::text"
                ),
                2 => format!("{from} left join {next} on {}", self.condition(&all, 0)),
                _ => format!("{from} join {next} on {}", self.condition(&all, 0)),
            };
            columns = all;
        }
        let names: Vec<String> = (0..width).map(|_| self.name()).collect();
        let grouped = self.number(5) == 0;
        let condition = if self.number(3) == 0 {
            String::new()
        } else {
            format!(" where {}", self.condition(&columns, depth))
        };
        if grouped {
            let key = self.text(&columns, 0);
            let value = self.text(&columns, 0);
            let list: Vec<String> = names
                .iter()
                .enumerate()
                .map(|(at, name)| {
                    if at == 0 {
                        format!("{key} as {name}")
                    } else {
                        format!("max({value}) as {name}")
                    }
                })
                .collect();
            let query = format!(
                "select {} from {from}{condition} group by {key} having count(*) > 0",
                list.join(", ")
            );
            return (query, names);
        }
        let list: Vec<String> = names
            .iter()
            .map(|name| format!("{} as {name}", self.text(&columns, depth)))
            .collect();
        let tail = self.one(&["", "", " order by 1", " limit 3"]);
        let distinct = self.one(&["", "", "distinct "]);
        (
            format!("select {distinct}{} from {from}{condition}{tail}", list.join(", ")),
            names,
        )
    }

    fn write(&mut self, depth: usize) -> String {
        let index = self.number(TARGETS.len());
        let (table, insert, set) = TARGETS[index];
        let number = self.names.to_string();
        let returning = self.one(&["", " returning 1 as one"]);
        let returning = if matches!(table, "ruled" | "all_ruled") {
            ""
        } else {
            returning
        };
        let columns: Vec<String> = SOURCES
            .iter()
            .find(|(name, _)| *name == table)
            .map(|(_, columns)| columns.iter().map(|column| format!("t.{column}")).collect())
            .unwrap_or_default();
        match self.number(4) {
            0 => format!("insert into {table} {}{returning}", insert.replace("$n", &number)),
            1 => {
                let (from, more) = self.item(0);
                let all: Vec<String> = columns.iter().chain(&more).cloned().collect();
                format!(
                    "update {table} t set {set} from {from} where {}{returning}",
                    self.condition(&all, depth)
                )
            }
            2 => format!(
                "delete from {table} t where {}{returning}",
                self.condition(&columns, depth)
            ),
            _ => format!(
                "update {table} t set {set} where {}{returning}",
                self.condition(&columns, depth)
            ),
        }
    }

    fn statement(&mut self) -> String {
        match self.number(8) {
            0..=3 => self.query(3).0,
            4 | 5 => self.write(2),
            6 => {
                let (name, (first, _)) = (self.name(), self.query(1));
                let (second, _) = self.query(1);
                format!("with {name} as ({first}) select (select count(*) from {name}), s.* from ({second}) s")
            }
            _ => {
                let (name, write) = (self.name(), self.write(1));
                format!("with {name} as ({write}) {}", self.query(1).0)
            }
        }
    }
}

const ROWS: &str = "
INSERT INTO customers (id, name, email, ssn, region) SELECT n, 'c' || n, 'e' || n, 's' || n, n FROM generate_series(1, 5) n;
INSERT INTO orders SELECT n, 1 + n % 5, n, 'note' || n, '2024-01-01' FROM generate_series(1, 9) n;
INSERT INTO items SELECT n, 'sku' || n, n FROM generate_series(1, 9) n;
INSERT INTO partial SELECT n, n % 2 = 0, 'code' || n FROM generate_series(1, 5) n;
INSERT INTO events SELECT '2024-02-02', 'c' || n, 't' || n FROM generate_series(1, 3) n;
INSERT INTO people VALUES (1, 's1'), (2, 's2'); INSERT INTO staff VALUES (3, 's3', 'r');
INSERT INTO moods VALUES ('sad'); INSERT INTO app.customers VALUES (1, 't'); INSERT INTO tree VALUES (1, NULL), (2, 1);
INSERT INTO audited VALUES (1, 'v'); INSERT INTO ruled VALUES (1, 'v'); INSERT INTO uses_default (id) VALUES (1);
INSERT INTO uses_domain VALUES (1, 'v'); REFRESH MATERIALIZED VIEW totals; REFRESH MATERIALIZED VIEW kept_secrets; ANALYZE;";

/// What the server counted: (what, schema, name, read, inserted, updated, deleted).
const COUNTED: &str = "
SELECT 't', schemaname, relname, coalesce(seq_scan, 0) + coalesce(idx_scan, 0) > 0, n_tup_ins > 0, n_tup_upd > 0, n_tup_del > 0
FROM pg_catalog.pg_stat_xact_user_tables
UNION ALL SELECT 'f', schemaname, funcname, calls > 0, false, false, false FROM pg_catalog.pg_stat_xact_user_functions";

#[test]
fn what_the_server_touched_was_read() {
    let Some(server) = Server::start(&format!("{SCHEMA}\n{ROWS}")) else {
        return;
    };
    let mut loader = Within(&server, "");
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let catalog = runtime.block_on(load(&mut loader)).unwrap();
    let mut statements = Vec::new();
    for seed in SEEDS {
        let mut author = Author { state: seed, names: 0 };
        statements.extend((0..COUNT).map(|_| author.statement()));
    }
    let mut script =
        String::from("\\set ON_ERROR_STOP off\nSET track_functions = 'all'; SET statement_timeout = '5s';\n");
    for statement in &statements {
        // Rows of the statement itself are not of interest, only that it ran.
        script.push_str(&format!(
            "SELECT pg_stat_force_next_flush();\nBEGIN;\n\\o /dev/null\n{statement};\n\\o\n\\echo <<ran>>\n{COUNTED};\nROLLBACK;\n\\echo <<end>>\n"
        ));
    }
    let output = server.output(&script).unwrap();
    let (mut compared, mut failures) = (0, Vec::new());
    for (statement, answer) in statements.iter().zip(output.split("<<end>>\n")) {
        let counted = answer.split("<<ran>>\n").nth(1).unwrap_or_default();
        // In a failed transaction there is no answer: the server refused the statement.
        if counted.trim().is_empty() {
            continue;
        }
        compared += 1;
        for problem in problems(&catalog, statement, counted) {
            failures.push(format!("{problem}: {statement}"));
        }
    }
    assert!(
        compared > statements.len() / 2,
        "{compared} of {} ran",
        statements.len()
    );
    assert!(
        failures.is_empty(),
        "{} failures:\n{}",
        failures.len(),
        failures[..failures.len().min(8)].join("\n\n")
    );
}

fn problems(catalog: &Catalog, statement: &str, counted: &str) -> Vec<String> {
    let reading = reading(catalog, statement);
    let effects: Vec<&Effect> = reading
        .statements
        .iter()
        .flat_map(|statement| &statement.effects)
        .collect();
    let said = |actions: &[SqlAction], relation: &Relation| {
        effects.iter().any(|effect| {
            let of = match &effect.resource {
                Resource::Table(schema, name) | Resource::Column(schema, name, _) => (schema, name),
                _ => return false,
            };
            let action =
                matches!(effect.action, Action::Sql(action) if actions.is_empty() || actions.contains(&action));
            action && of == (&relation.schema, &relation.name)
        })
    };
    let mut problems = Vec::new();
    if effects
        .iter()
        .any(|effect| effect.action == Action::Sql(SqlAction::Unknown))
    {
        problems.push(format!("not understood {:?}", reading.unresolved));
    }
    let relation = |schema: &str, name: &str| catalog.relation_in(schema, name).unwrap().clone();
    // A child's rows are its parent's; what a foreign key is checked against is read by the server, not by the statement.
    let family = |relation: &Arc<Relation>| -> Vec<Arc<Relation>> {
        let mut all = vec![relation.clone()];
        let mut at = 0;
        while let Some(next) = all.get(at).cloned() {
            all.extend(next.parents.iter().filter_map(|oid| catalog.relation(*oid).cloned()));
            at += 1;
        }
        all
    };
    for line in counted.lines().flat_map(|line| line.split('\u{1e}')) {
        let fields: Vec<&str> = line.split('\u{1f}').collect();
        let [what, schema, name, read, inserted, updated, deleted] = fields.as_slice() else {
            continue;
        };
        if *what == "f" {
            let called = effects.iter().any(|effect| {
                matches!(&effect.resource, Resource::Function(in_schema, called, _) if &**in_schema == *schema && &**called == *name)
            });
            if *read == "t" && !called {
                problems.push(format!("{schema}.{name} was called"));
            }
            continue;
        }
        let touched = relation(schema, name);
        let family = family(&touched);
        let neighbours: BTreeSet<u32> = catalog
            .relations()
            .flat_map(|other| catalog.referencing(other.oid))
            .filter(|key| key.from == touched.oid || key.to == touched.oid)
            .flat_map(|key| [key.from, key.to])
            .collect();
        let by_key = neighbours
            .iter()
            .filter_map(|oid| catalog.relation(*oid))
            .any(|other| said(&[SqlAction::Insert, SqlAction::Update, SqlAction::Delete], other));
        let inside = family.iter().any(|relation| said(&[], relation));
        // What a function of a user's reads is its call's.
        let calls = effects
            .iter()
            .any(|effect| effect.action == Action::Sql(SqlAction::Call));
        if *read == "t" && !inside && !by_key && !calls {
            problems.push(format!("{schema}.{name} was read"));
        }
        for (did, action) in [
            (inserted, SqlAction::Insert),
            (updated, SqlAction::Update),
            (deleted, SqlAction::Delete),
        ] {
            if *did == "t" && !family.iter().any(|relation| said(&[action], relation)) {
                problems.push(format!("{schema}.{name}: {}", action.as_str()));
            }
        }
    }
    problems
}
