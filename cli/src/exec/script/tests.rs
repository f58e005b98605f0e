#![allow(clippy::unwrap_used, reason = "tests")]

use proptest::prelude::*;

use super::*;

fn split_up(script: &str) -> Vec<String> {
    let units = units(&[script.to_owned()], true, &Parameters::new()).unwrap();
    units.into_iter().map(|unit| unit.text).collect()
}

fn with(statement: &str, parameters: &[(&str, Option<&str>)]) -> Result<Unit> {
    let parameters = parameters
        .iter()
        .map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned)))
        .collect();
    units(&[statement.to_owned()], false, &parameters).map(|mut units| units.remove(0))
}

#[test]
fn a_script_is_split_at_its_semicolons() {
    assert_eq!(split_up("SELECT 1;\n SELECT 2 ; -- end\n"), ["SELECT 1", "SELECT 2"]);
    assert_eq!(split_up(""), [""; 0]);
    assert_eq!(split_up(" ;; -- nothing\n/* at all */;"), [""; 0]);
    assert_eq!(
        split_up("SELECT 'é;' ; SELECT \"a;b\""),
        ["SELECT 'é;'", "SELECT \"a;b\""]
    );
}

#[test]
fn a_semicolon_inside_of_something_ends_nothing() {
    for whole in [
        "SELECT 'a;b', \"c;d\", $$e;f$$, $x$g;h$x$, E'i\\';j', U&'k;l' /* m;n /* o;p */ ; */ -- q;r\n, 1",
        "CREATE RULE r AS ON INSERT TO t DO ALSO (INSERT INTO a VALUES (1); INSERT INTO b VALUES (2))",
        "CREATE FUNCTION f() RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 1; SELECT CASE WHEN true THEN 1 END; END",
        "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC INSERT INTO t VALUES (1); END",
        "DO $$ BEGIN PERFORM 1; END $$",
    ] {
        assert_eq!(split_up(&format!("{whole};\nSELECT 2")), [whole, "SELECT 2"]);
    }
    assert_eq!(split_up("BEGIN; SELECT 1; END; SELECT 2").len(), 4);
    // A carriage return ends a comment, as it does for the server.
    assert_eq!(split_up("SELECT 1 -- a\rb; SELECT 2\n; SELECT 3").len(), 3);
}

#[test]
fn what_the_tokenizer_may_misread_is_sent_whole() {
    for whole in [
        // An operator directly before a comment: the quote in it begins nothing.
        "SELECT 1>--'\n2; SELECT 'x'",
        "\\set x 1\nSELECT 1; SELECT 2",
        "SELECT 'unfinished; SELECT 2",
    ] {
        assert_eq!(split_up(whole), [whole], "{whole}");
    }
}

#[test]
fn a_text_that_is_no_script_stays_whole() {
    let units = units(&["SELECT 1; SELECT 2;".to_owned()], false, &Parameters::new()).unwrap();
    assert_eq!(units, [plain("SELECT 1; SELECT 2;")]);
}

#[test]
fn named_parameters_become_numbers_and_nothing_is_spliced() {
    let unit = with(
        "SELECT :name::text, ':name', \":name\", $$:name$$ /* :name */ WHERE a = :id AND b = :name AND c[1:2] = d[lo:hi]",
        &[("name", Some("it's; DROP TABLE t")), ("id", None)],
    )
    .unwrap();
    assert_eq!(
        unit.text,
        "SELECT $1::text, ':name', \":name\", $$:name$$ /* :name */ WHERE a = $2 AND b = $1 AND c[1:2] = d[lo:hi]"
    );
    assert_eq!(unit.values, [Some("it's; DROP TABLE t".to_owned()), None]);
    let unit = with("SELECT $2, $1", &[("1", Some("a")), ("2", Some("b"))]).unwrap();
    assert_eq!(
        (unit.text.as_str(), unit.values),
        ("SELECT $2, $1", vec![Some("a".to_owned()), Some("b".to_owned())])
    );
}

#[test]
fn a_parameter_that_is_missing_or_not_used_is_refused() {
    for (statement, parameters, says) in [
        (
            "SELECT :a, :b",
            &[("a", Some("1"))][..],
            "no value for the parameter :b",
        ),
        ("SELECT 1", &[("a", Some("1"))], "no statement has the parameter a"),
        ("SELECT ':a'", &[("a", Some("1"))], "no statement has the parameter a"),
        ("SELECT $1, $2", &[("1", Some("1"))], "no value for the parameter $2"),
        ("SELECT $2", &[("2", Some("1"))], "not numbered from $1"),
        (
            "SELECT $1, :a",
            &[("1", None), ("a", None)],
            "both by name and by number",
        ),
        ("SELECT :a; SELECT 2", &[("a", None)], "one statement"),
        ("SELECT 1>--'\n:a", &[("a", None)], "cannot be taken apart"),
    ] {
        let error = with(statement, parameters).unwrap_err();
        assert_eq!(error.code(), Code::Usage);
        assert!(error.to_string().contains(says), "{statement}: {error}");
    }
}

#[test]
fn a_script_may_use_a_parameter_in_several_statements() {
    let parameters = [("id".to_owned(), Some("7".to_owned()))].into();
    let made = units(
        &["SELECT 1; SELECT :id; DELETE FROM t WHERE id = :id;".to_owned()],
        true,
        &parameters,
    )
    .unwrap();
    let texts: Vec<&str> = made.iter().map(|unit| unit.text.as_str()).collect();
    assert_eq!(texts, ["SELECT 1", "SELECT $1", "DELETE FROM t WHERE id = $1"]);
    assert_eq!(made.iter().map(|unit| unit.values.len()).collect::<Vec<_>>(), [0, 1, 1]);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic_or_lose_anything(text in "[ -~\\n\\réß]{0,60}") {
        let parts = split_up(&text);
        let mut rest = text.as_str();
        for part in &parts {
            let at = rest.find(part.as_str());
            prop_assert!(at.is_some(), "{part:?} is not in {rest:?}");
            let at = at.unwrap_or(0);
            // What is left out has no word of SQL in it.
            let between = &rest[..at];
            prop_assert!(part == &text || between.chars().all(|c| c.is_whitespace() || c == ';') || between.contains("--") || between.contains("/*"));
            rest = &rest[at + part.len()..];
        }
    }

    #[test]
    fn statements_with_literals_are_found_again(literals in prop::collection::vec("[^\\x00\\r]{0,12}", 1..6)) {
        let statements: Vec<String> = literals.iter().map(|text| format!("SELECT '{}'", text.replace('\'', "''"))).collect();
        prop_assert_eq!(split_up(&statements.join(";\n")), statements);
    }
}
