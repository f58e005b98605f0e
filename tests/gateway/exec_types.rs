//! What `hoopctl exec` makes of types that PostgreSQL does not have by itself: enums, domains, rows, arrays of them, extensions' types.

use hoop_tests::{Finished, Person, World};
use serde_json::json;

const TYPES: &str = r#"
CREATE TYPE mood AS ENUM ('sad', 'so "so", {really}', '');
CREATE DOMAIN amount AS numeric(12, 2) CHECK (VALUE >= 0);
CREATE DOMAIN label AS text;
CREATE TYPE pair AS (a int, "b c" text, m mood);
CREATE SCHEMA deep;
CREATE TYPE deep.holder AS (pairs pair[], amounts amount[], at timestamptz, flag bool, nothing text);
CREATE TABLE typed (id int, m mood, d amount, l label, ms mood[], ds amount[], p pair, ps pair[], h deep.holder, r int4range[]);
INSERT INTO typed VALUES
  (1, 'sad', 12.50, 'x', '{sad,NULL,"so \"so\", {really}",""}', '{1.10,NULL}', '(7,"x ""y"" \\z, (w)",sad)', ARRAY['(1,,)'::pair, NULL],
   ROW(ARRAY['(1,"a b",sad)'::pair], '{{1,2},{3,4}}', '2026-11-24 03:40:17+00', true, NULL), ARRAY['[1,5)'::int4range]),
  (2, NULL, NULL, '', '{}', '{}', '(,"",)', '{}', NULL, NULL);
GRANT USAGE ON SCHEMA deep TO shop_gateway;
GRANT ALL ON typed TO shop_gateway;
"#;

fn exec(person: &Person<'_>, format: &str, sql: &str) -> Finished {
    person
        .hoopctl(&["exec", "db-prod", "--reason", "test", "-o", format, "-c", sql])
        .expect_code(0)
}

#[test]
fn values_of_types_that_people_made_are_as_to_json_has_them_and_the_types_have_names() {
    let world = World::start();
    world.database.psql(TYPES);
    let ana = world.person("ana");
    let columns = ["id", "m", "d", "l", "ms", "ds", "p", "ps", "h", "r"];
    let document = exec(&ana, "json", "SELECT * FROM typed ORDER BY id").json();
    let result = &document["results"][0];
    let types: Vec<&str> = result["columns"]
        .as_array()
        .unwrap()
        .iter()
        .map(|column| column["type"].as_str().unwrap())
        .collect();
    assert_eq!(
        types,
        [
            "int4",
            "public.mood",
            // A domain's values are those of the type below, and PostgreSQL says so itself.
            "numeric",
            "text",
            "public.mood[]",
            "public.amount[]",
            "public.pair",
            "public.pair[]",
            "deep.holder",
            "int4range[]"
        ]
    );
    let each: Vec<String> = columns
        .iter()
        .map(|column| format!("coalesce(to_json({column})::text, 'null')"))
        .collect();
    let theirs = world.database.psql(&format!(
        "SET timezone = 'UTC'; SELECT '[' || string_agg('[' || concat_ws(',', {}) || ']', ',' ORDER BY id) || ']' FROM typed",
        each.join(", ")
    ));
    assert_eq!(
        result["rows"],
        serde_json::from_str::<serde_json::Value>(theirs.trim()).unwrap()
    );
    // Line by line it is the same; other formats have PostgreSQL's text.
    let lines = exec(&ana, "jsonl", "SELECT p, ms FROM typed WHERE id = 1").stdout;
    assert_eq!(
        serde_json::from_str::<serde_json::Value>(&lines).unwrap(),
        json!({"p": result["rows"][0][6], "ms": result["rows"][0][4]})
    );
    let csv = exec(&ana, "csv", "SELECT m, p FROM typed ORDER BY id").stdout;
    assert_eq!(
        csv,
        "m,p\nsad,\"(7,\"\"x \"\"\"\"y\"\"\"\" \\\\z, (w)\"\",sad)\"\n,\"(,\"\"\"\",)\"\n"
    );
    let table = exec(&ana, "table", "SELECT m, d FROM typed ORDER BY id").stdout;
    assert!(table.contains(" sad  | 12.50\n NULL |  NULL\n"), "{table}");
}

#[test]
fn what_a_run_that_was_left_gives_has_the_same_names() {
    let world = World::start();
    world.database.psql(TYPES);
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let sql = "UPDATE typed SET m = 'sad' WHERE id = 2 RETURNING m, p";
    let left = ana.hoopctl(&["exec", "db-prod", "--no-wait", "-o", "json", "-c", sql]);
    let error: serde_json::Value = serde_json::from_str(left.stderr.trim_end().lines().last().unwrap()).unwrap();
    let id = error["error"]["request"].as_str().unwrap();
    bo.hoopctl(&["approve", id]).expect_code(0);
    let document = ana
        .hoopctl(&["requests", "wait", id, "-o", "json"])
        .expect_code(0)
        .json();
    let result = &document["results"][0];
    assert_eq!(
        result["columns"],
        json!([{"name": "m", "type": "public.mood"}, {"name": "p", "type": "public.pair"}])
    );
    assert_eq!(result["rows"], json!([["sad", {"a": null, "b c": "", "m": null}]]));
}

#[test]
fn types_of_bound_and_of_made_values_are_named_too() {
    let world = World::start();
    world.database.psql(TYPES);
    let ana = world.person("ana");
    let sql = "SELECT m, :v::mood AS v FROM typed WHERE id = 1";
    let bound = ana
        .hoopctl(&["exec", "db-prod", "-o", "json", "-c", sql, "--param", "v=sad"])
        .expect_code(0)
        .json();
    assert_eq!(
        bound["results"][0]["columns"][1],
        json!({"name": "v", "type": "public.mood"})
    );
    let made = exec(&ana, "json", "SELECT ARRAY[m] AS a, p FROM typed WHERE id = 2").json();
    assert_eq!(
        made["results"][0]["rows"],
        json!([[[null], {"a": null, "b c": "", "m": null}]])
    );
    // psql is told nothing that PostgreSQL does not say.
    let told = ana.psql("SELECT m FROM typed WHERE id = 1").expect_code(0);
    assert!(!told.stderr.contains("named"), "{}", told.stderr);
}
