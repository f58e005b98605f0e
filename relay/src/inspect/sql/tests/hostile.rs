//! Nothing that a client sends ends the process, takes long, or is taken for less than it is.

use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

/// A catalog for tests that need none.
fn nothing() -> Catalog {
    crate::inspect::catalog::Parts {
        server_version: 150_000,
        ..Default::default()
    }
    .build()
}

fn read_fast(sql: &str) -> Reading {
    let catalog = nothing();
    let masked = MaskedColumns::default();
    let world = World {
        catalog: &catalog,
        scope: &Scope::fresh(),
        masked: &masked,
        recorded: &masked,
        most_tokens: crate::inspect::sql::MOST_TOKENS,
        parameter_types: &[],
    };
    let start = Instant::now();
    let reading = read(sql, &world);
    // Unoptimised and on a busy machine; what is quadratic takes minutes.
    assert!(start.elapsed() < Duration::from_secs(20), "{} bytes", sql.len());
    reading
}

#[test]
fn deep_and_long_texts_take_bounded_stack_and_time() {
    let repeat = |text: &str, times: usize| text.repeat(times);
    for sql in [
        format!("select 1{}", repeat(" + 1", 100_000)),
        format!("select 1 where true{}", repeat(" and 1 = 1", 50_000)),
        format!("select 1 where true{}", repeat(" or not (1 = 1)", 50_000)),
        format!("select {}1{}", repeat("(", 9_000), repeat(")", 9_000)),
        format!("select {}1{}", repeat("(", 100_000), repeat(")", 100_000)),
        format!("select {} true", repeat("not ", 100_000)),
        format!("select {} 1", repeat("- ", 100_000)),
        format!("select 1{}", repeat("::int", 100_000)),
        format!("select x{}", repeat("[1]", 50_000)),
        format!("select {}1{}", repeat("abs(", 5_000), repeat(")", 5_000)),
        format!("select {}1{}", repeat("(select ", 3_000), repeat(")", 3_000)),
        format!(
            "select * from {}t{}",
            repeat("(select * from ", 3_000),
            repeat(") x", 3_000)
        ),
        format!("select 1{}", repeat(" union all select 1", 20_000)),
        format!("select * from t{}", repeat(" cross join t", 2_000)),
        format!(
            "select * from {}",
            vec!["t"; 5_000].join(" cross join (t") + &repeat(")", 4_999)
        ),
        format!(
            "with {} select 1",
            (0..2_000)
                .map(|n| format!("a{n} as (select 1)"))
                .collect::<Vec<_>>()
                .join(", ")
        ),
        format!("select case {} end", repeat("when true then 1 ", 50_000)),
        format!(
            "select {}1{}",
            repeat("case when true then ", 2_000),
            repeat(" end", 2_000)
        ),
        format!("select array{}1{}", repeat("[", 2_000), repeat("]", 2_000)),
        repeat("select 1;", 20_000),
        repeat("explain ", 10_000) + "select 1",
        format!("insert into t values {}", vec!["(1, 'a', null)"; 20_000].join(", ")),
        format!("select 1 where 1 in ({})", vec!["1"; 100_000].join(", ")),
        format!(
            "delete from t where {}1 = 1{}",
            repeat("not (x or ", 5_000),
            repeat(")", 5_000)
        ),
        format!("prepare a as {} select 1", repeat("prepare a as ", 1_000)),
    ] {
        read_fast(&sql);
    }
}

#[test]
fn what_does_not_parse_is_one_unknown_statement() {
    for sql in [
        "selec 1",
        "select 'a",
        "select 1; drop",
        "\u{feff}select 1 from",
        "select E'\\xff'",
        "a\0b",
        "/* ",
        "$a$",
    ] {
        let reading = read_fast(sql);
        assert!(reading.problem.is_some(), "{sql}");
        assert_eq!(reading.statements.len(), 1, "{sql}");
        assert_eq!(effect_text(&reading.statements[0].effects[0]), "unknown", "{sql}");
    }
}

#[test]
fn an_operator_before_a_comment_hides_nothing() {
    let operators = [
        "=", "<", ">", "<=", ">=", "<>", "!=", "+", "-", "*", "/", "%", "^", "||", "~", "~*", "->", "->>", "@>", "<@",
        "&&",
    ];
    for operator in operators {
        for comment in ["--'\n", "--$$\n", "/*'*/", "--\"\n"] {
            let sql = format!("select 1 {operator}{comment} 2; drop table partial; select '1'");
            let reading = read_fast(&sql);
            assert!(
                reading.problem.is_some() || reading.statements.len() == 3,
                "{sql}: {}",
                reading.statements.len()
            );
        }
    }
    assert_eq!(read_fast("copy t from stdin; drop table partial").statements.len(), 2);
}

/// Every statement that these tests spell, for mutation.
fn corpus() -> Vec<String> {
    let texts = [
        include_str!("reads.rs"),
        include_str!("lineage.rs"),
        include_str!("writes.rs"),
        include_str!("administration.rs"),
        include_str!("settings.rs"),
    ];
    texts
        .iter()
        .flat_map(|text| text.split('"'))
        .filter(|part| part.contains(' ') && part.len() < 300 && !part.contains('\n'))
        .map(str::to_owned)
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    #[test]
    fn random_text_does_not_panic(text in "\\PC{0,80}") {
        read_fast(&text);
    }

    #[test]
    fn mutated_statements_do_not_panic(
        first in any::<prop::sample::Index>(),
        second in any::<prop::sample::Index>(),
        cut in any::<prop::sample::Index>(),
        word in prop::sample::select(vec!["(", ")", ",", "select", "from", "*", "'", "\"", "$1", "::", "with", "as", ".", "null", ";", "values", "(select", "returning", "over", "[", "]"]),
    ) {
        let corpus = corpus();
        let (first, second) = (first.get(&corpus), second.get(&corpus));
        let words: Vec<&str> = first.split(' ').collect();
        let at = cut.index(words.len());
        let mutated = [&words[..at], &[word], &words[at..]].concat().join(" ");
        read_under_schema(&mutated);
        let spliced = [&words[..at], &second.split(' ').skip(at).collect::<Vec<_>>()[..]].concat().join(" ");
        read_under_schema(&spliced);
    }
}

fn read_under_schema(sql: &str) {
    match catalog() {
        // Short as it is, only an assertion of the binding can make it too complex.
        Some(catalog) => assert_ne!(reading(catalog, sql).problem, Some(Problem::TooComplex), "{sql}"),
        None => drop(read_fast(sql)),
    }
}
