use super::*;
use crate::config::Severity;

fn problems(text: &str) -> Vec<Problem> {
    match parse(text) {
        Ok(policies) => policies.warnings().to_vec(),
        Err(problems) => problems,
    }
}

/// Severity, line and message of every problem.
fn lines(text: &str) -> Vec<(Severity, usize, String)> {
    let mut lines: Vec<_> = problems(text)
        .iter()
        .map(|problem| {
            (
                problem.severity(),
                problem.position().unwrap().0,
                problem.message().to_owned(),
            )
        })
        .collect();
    lines.sort_by_key(|(_, line, _)| *line);
    lines
}

fn one_error(text: &str, word: &str) {
    let found = lines(text);
    let [(Severity::Error, _, message)] = found.as_slice() else {
        panic!("not one error for {text}: {found:?}")
    };
    assert!(message.contains(word), "{message}");
    assert!(parse(text).is_err());
}

#[test]
fn every_policy_needs_an_id_of_its_own() {
    one_error("permit (principal, action, resource);", "no `@id`");
    one_error(r#"@id("") permit (principal, action, resource);"#, "1 to 128 bytes");
    one_error(r#"@id permit (principal, action, resource);"#, "1 to 128 bytes");
    one_error(r#"@id("a\nb") permit (principal, action, resource);"#, "1 to 128 bytes");
    let twice = "@id(\"a\") permit (principal, action, resource);\n\n@id(\"a\") forbid (principal, action, resource);";
    let found = lines(twice);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].1, 3);
    assert!(found[0].2.contains("also stands in p.cedar:1"), "{}", found[0].2);
}

#[test]
fn an_id_may_not_stand_in_two_files() {
    let text = r#"@id("a") permit (principal, action, resource);"#;
    let sources = [Source::new("one.cedar", text), Source::new("two.cedar", text)];
    let problems = Policies::parse(&sources, TTL).unwrap_err();
    assert_eq!(problems.len(), 1);
    assert!(
        problems[0]
            .to_string()
            .starts_with("two.cedar:1:1: error: `@id(\"a\")` also stands in one.cedar:1"),
        "{}",
        problems[0]
    );
}

#[test]
fn annotations_that_ask_for_people_are_checked() {
    let permit = |annotations: &str| format!("@id(\"a\") {annotations}\npermit (principal, action, resource);");
    for approvers in ["", " ", ",", "dba,", "dba,,ops"] {
        one_error(&permit(&format!("@approvers(\"{approvers}\")")), "no usable value");
    }
    one_error(&permit("@approvers"), "no usable value");
    for approvals in ["0", "-1", "1.5", "one", "", "+1", "101", "99999999999999999999"] {
        one_error(
            &permit(&format!("@approvers(\"dba\") @approvals(\"{approvals}\")")),
            "`@approvals` must be",
        );
    }
    for ttl in ["", "15", "fifteen", "-1m", "0s", "500ms", "31d", "99999999999999999d"] {
        one_error(&permit(&format!("@approvers(\"dba\") @ttl(\"{ttl}\")")), "`@ttl`");
    }
    one_error(&permit("@approvals(\"2\")"), "without `@approvers`");
    one_error(&permit("@ttl(\"1h\")"), "without `@approvers`");
    one_error(&permit("@message(\"\")"), "`@message` is empty");
    assert!(
        parse(&permit(
            "@approvers(\"dba , on call\") @approvals(\"2\") @ttl(\"1h30m\")"
        ))
        .is_ok()
    );
}

#[test]
fn nobody_can_approve_a_forbid() {
    for annotation in ["@approvers(\"dba\")", "@approvals(\"1\")", "@ttl(\"1h\")"] {
        one_error(
            &format!("@id(\"a\") {annotation} forbid (principal, action, resource);"),
            "which nobody can approve",
        );
    }
}

#[test]
fn an_unknown_annotation_is_a_warning() {
    let text = "@id(\"a\")\n@aprovers(\"dba\")\npermit (principal, action, resource);";
    let found = lines(text);
    assert!(
        matches!(found.as_slice(), [(Severity::Warning, 1, message)] if message.contains("@aprovers")),
        "{found:?}"
    );
    assert!(parse(text).is_ok());
}

#[test]
fn what_the_schema_does_not_know_is_an_error_at_its_place() {
    let scope = |scope: &str| format!("@id(\"a\")\npermit ({scope});");
    for (text, word) in [
        (scope("principal in Hoop::Grup::\"x\", action, resource"), "Grup"),
        (scope("principal in Group::\"x\", action, resource"), "Group"),
        (scope("principal, action == Hoop::Action::\"sql:selekt\", resource"), "sql:selekt"),
        ("// a note\n@id(\"a\") forbid (principal, action, resource == Hoop::User::\"x\");".to_owned(), "impossible"),
        ("@id(\"a\")\npermit (principal, action, resource) when { context.unbound };".to_owned(), "unbound"),
        ("@id(\"a\")\npermit (principal, action == Hoop::Action::\"sql:delete\", resource) when { context.reason == \"x\" };".to_owned(), "reason"),
        ("@id(\"a\")\npermit (principal, action, resource) when { context.hour == \"x\" };".to_owned(), ""),
    ] {
        let found: Vec<_> = lines(&text).into_iter().filter(|(severity, ..)| *severity == Severity::Error).collect();
        assert!(!found.is_empty(), "{text}");
        assert!(found.iter().any(|(_, line, message)| *line == 2 && message.contains(word)), "{text}: {found:?}");
    }
}

#[test]
fn a_permit_that_never_matches_is_only_a_warning() {
    let found = lines("@id(\"a\") permit (principal, action, resource) when { false };");
    assert!(matches!(found.as_slice(), [(Severity::Warning, 1, _)]), "{found:?}");
}

#[test]
fn every_problem_of_every_policy_is_reported_at_once() {
    let text = "permit (principal, action, resource);\n\
        @id(\"a\") @approvers(\"dba\") forbid (principal, action, resource);\n\
        @id(\"b\") permit (principal, action == Hoop::Action::\"nope\", resource);\n\
        @id(\"b\") @approvers(\"dba\") @ttl(\"x\") @approvals(\"y\") permit (principal, action, resource);\n";
    let found = lines(text);
    let by_line: Vec<_> = found.iter().map(|(_, line, _)| *line).collect();
    for line in [1, 2, 3, 4] {
        assert!(by_line.contains(&line), "line {line}: {found:?}");
    }
    assert_eq!(by_line.iter().filter(|line| **line == 4).count(), 3, "{found:?}");
}

#[test]
fn a_grammar_error_is_told_where_it_is() {
    let found =
        lines("@id(\"a\")\npermit (principal, action, resource)\nwhen { context.unbounded }\n@id(\"b\") permit (");
    assert!(!found.is_empty());
    assert!(
        found
            .iter()
            .all(|(severity, line, _)| *severity == Severity::Error && *line == 4),
        "{found:?}"
    );
}

#[test]
fn a_template_is_refused() {
    one_error(
        "@id(\"a\") permit (principal == ?principal, action, resource);",
        "?principal",
    );
}

#[test]
fn an_approval_that_can_never_be_given_is_a_warning() {
    let found =
        lines("@id(\"a\") @approvers(\"dba\") permit (principal, action == Hoop::Action::\"unmask\", resource);");
    assert!(
        matches!(found.as_slice(), [(Severity::Warning, _, message)] if message.contains("`unmask`")),
        "{found:?}"
    );
}

#[test]
fn policies_of_all_protocols_are_valid() {
    let text = r#"
        @id("ssh") permit (principal, action in [Hoop::Action::"ssh:shell", Hoop::Action::"ssh:exec"], resource in Hoop::Tag::"env:test");
        @id("exec") forbid (principal, action == Hoop::Action::"ssh:exec", resource) when { context.command like "*rm -rf*" || context.shell_syntax };
        @id("forward") permit (principal, action == Hoop::Action::"ssh:forward", resource == Hoop::Host::"web-1/db:5432") when { context.port == 5432 };
        @id("sftp") permit (principal, action == Hoop::Action::"sftp:read", resource in Hoop::Connection::"web-1") when { context.path like "/var/log/*" };
        @id("k8s") permit (principal, action in [Hoop::Action::"k8s:get", Hoop::Action::"k8s:list"], resource in Hoop::Namespace::"prod/default");
        @id("dry") permit (principal, action == Hoop::Action::"k8s:delete", resource) when { context.dry_run && context.resource == "pods" };
        @id("secret") forbid (principal, action == Hoop::Action::"unmask", resource == Hoop::Object::"prod/default/secrets/db");
    "#;
    assert_eq!(policies(text).len(), 7);
}

#[test]
fn each_action_has_the_attributes_of_its_kind() {
    for (action, condition) in [
        ("sql:call", "context.call_kind == \"trigger\""),
        (
            "sql:set",
            "context.setting == \"work_mem\" && context has value && context.value == \"4MB\"",
        ),
        ("sql:configure", "context.setting like \"log_*\""),
        ("sql:update", "context.by_key && !context.unbounded"),
        ("connect", "context has reason && context.reason like \"INC-*\""),
    ] {
        let text = format!(
            "@id(\"a\") permit (principal, action == Hoop::Action::\"{action}\", resource) when {{ {condition} }};"
        );
        assert_eq!(lines(&text), [], "{text}");
    }
}

#[test]
fn files_are_read_from_disk_with_their_own_checks() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let file = |name: &str, bytes: &[u8]| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        path
    };
    let good = file("good.cedar", br#"@id("a") permit (principal, action, resource);"#);
    let load = |files: Vec<std::path::PathBuf>| {
        Policies::load(&PolicyFiles {
            files,
            default_approval_ttl: TTL,
        })
    };
    assert_eq!(load(vec![good.clone()]).unwrap().ids().collect::<Vec<_>>(), ["a"]);
    let open = file("open.cedar", b"");
    std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o666)).unwrap();
    let broken = file("broken.cedar", b"@id(\"x\")\n\xff");
    let long = file("long.cedar", &vec![b' '; (1 << 20) + 1]);
    let missing = directory.path().join("missing.cedar");
    let problems = load(vec![good, open, broken, long, missing, directory.path().to_owned()]).unwrap_err();
    let text = crate::config::render(&problems, false);
    for word in [
        "may be written by everybody",
        "not UTF-8",
        "longer than 1MiB",
        "missing.cedar",
        "not a regular file",
    ] {
        assert!(text.contains(word), "{word} is missing in:\n{text}");
    }
    assert_eq!(problems.len(), 5);
}
