//! A risky statement waits in flight until another person decides; what was shown is exactly what runs, once.

use hoop_tests::{Cluster, World};

const DELETE: &str = "DELETE FROM orders WHERE id = 7 /* marker_delete */;\n";

#[test]
fn a_held_statement_runs_exactly_once_after_approval_and_never_before() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let psql = ana.psql_start(&format!("{DELETE}SELECT 'after';\n"));
    let request = bo.pending_request();
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
    assert_eq!(request["principal"], "ana");
    assert_eq!(request["connection"], "db-prod");
    assert_eq!(
        request["statement"].as_str().map(str::trim),
        Some("DELETE FROM orders WHERE id = 7 /* marker_delete */;")
    );
    assert_eq!(request["approvers"], serde_json::json!(["dba"]));
    assert_eq!(request["rules"], serde_json::json!(["writes-need-a-dba"]));
    let id = request["id"].as_str().unwrap();
    let approved = bo
        .hoopctl(&["approve", id, "--reason", "fine", "-o", "json"])
        .expect_code(0)
        .json();
    assert!(["approved", "spent"].contains(&approved["status"].as_str().unwrap()));
    let done = psql.finish().expect_code(0);
    assert!(
        done.stderr.contains("NOTICE:  ") && done.stderr.contains(id),
        "{}",
        done.stderr
    );
    assert_eq!(done.stdout.trim(), "after");
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
    assert_eq!(world.database.psql("SELECT count(*) FROM orders").trim(), "999");
    let shown = ana
        .hoopctl(&["requests", "show", id, "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(shown["status"], "spent");
    assert_eq!(shown["decisions"][0]["by"], "bo");
    let session = shown["session"].as_str().unwrap();
    let replay = ana.hoopctl(&["sessions", "replay", session]).expect_code(0).stdout;
    assert!(replay.contains("approved by bo"), "{replay}");
}

#[test]
fn nobody_approves_their_own() {
    let world = World::new()
        .more_policy("@id(\"r\") permit (principal, action == Hoop::Action::\"connect\", resource);")
        .start();
    let (bo, again) = (world.person("bo"), world.person("bo"));
    let psql = bo.psql_start(DELETE);
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    for other_login in [&bo, &again] {
        let refused = other_login.hoopctl(&["approve", &id]);
        assert_eq!(refused.code, 5, "{}", refused.stderr);
    }
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
    drop(psql);
}

#[test]
fn one_who_is_not_in_the_rules_groups_may_not_decide() {
    let world = World::start();
    let (ana, agent) = (world.person("ana"), world.person("agent"));
    let _psql = ana.psql_start(DELETE);
    let id = ana.pending_request()["id"].as_str().unwrap().to_owned();
    let refused = agent.hoopctl(&["approve", &id]);
    assert!(
        refused.code == 5 || refused.code == 1,
        "{}: {}",
        refused.code,
        refused.stderr
    );
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
}

#[test]
fn a_denied_statement_fails_with_the_approvers_reason_and_the_connection_goes_on() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let psql = ana.psql_start(&format!("{DELETE}SELECT 'after';\n"));
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    bo.hoopctl(&["deny", &id, "--reason", "not on a Friday"]).expect_code(0);
    let done = psql.finish().expect_code(0);
    assert!(done.stderr.contains("not on a Friday"), "{}", done.stderr);
    assert_eq!(done.stdout.trim(), "after");
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
    let waited = ana.hoopctl(&["requests", "wait", &id]);
    assert_eq!(waited.code, 7);
}

#[test]
fn an_undecided_statement_expires() {
    let world = World::new()
        .policy(&hoop_tests::POLICY.replace("@ttl(\"15m\")", "@ttl(\"2s\")"))
        .start();
    let ana = world.person("ana");
    let done = ana.psql_script(&format!("{DELETE}SELECT 'after';\n")).expect_code(0);
    assert!(done.stderr.contains("expired"), "{}", done.stderr);
    assert_eq!(done.stdout.trim(), "after");
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
}

#[test]
fn ctrl_c_withdraws_a_held_statement_and_psql_goes_on() {
    let world = World::start();
    let ana = world.person("ana");
    let psql = ana.psql_start(&format!("{DELETE}SELECT 'after';\n"));
    let id = ana.pending_request()["id"].as_str().unwrap().to_owned();
    psql.signal("INT");
    let done = psql.finish();
    let shown = ana
        .hoopctl(&["requests", "show", &id, "-o", "json"])
        .expect_code(0)
        .json();
    assert_eq!(shown["status"], "cancelled", "{}", done.stderr);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
}

#[test]
fn a_client_that_goes_away_withdraws_what_it_asked_for() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let psql = ana.psql_start(DELETE);
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    psql.signal("TERM");
    psql.finish();
    hoop_tests::eventually("the request is withdrawn", || {
        let shown = bo
            .hoopctl(&["requests", "show", &id, "-o", "json"])
            .expect_code(0)
            .json();
        (shown["status"] == "cancelled").then_some(())
    });
    let refused = bo.hoopctl(&["approve", &id]);
    assert_ne!(refused.code, 0);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
}

#[test]
fn two_people_must_approve_where_the_rule_asks_for_two() {
    let world = World::new()
        .policy(&hoop_tests::POLICY.replace("@approvers(\"dba\")", "@approvers(\"dba,agents\")\n@approvals(\"2\")"))
        .start();
    let (ana, bo, agent) = (world.person("ana"), world.person("bo"), world.person("agent"));
    let psql = ana.psql_start(DELETE);
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    let first = bo.hoopctl(&["approve", &id, "-o", "json"]).expect_code(0).json();
    assert_eq!(first["status"], "pending");
    assert_eq!(first["needed"], 2);
    let again = bo.hoopctl(&["approve", &id, "-o", "json"]);
    assert!(
        again.code != 0 || again.json()["status"] == "pending",
        "one person counted twice"
    );
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
    agent.hoopctl(&["approve", &id]).expect_code(0);
    psql.finish().expect_code(0);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
}

#[test]
fn a_relay_restart_expires_what_it_held_and_says_so() {
    let mut world = World::start();
    let id = {
        let (ana, bo) = (world.person("ana"), world.person("bo"));
        let _psql = ana.psql_start(DELETE);
        bo.pending_request()["id"].as_str().unwrap().to_owned()
    };
    world.kill_and_restart();
    let bo = world.person("bo");
    let shown = bo
        .hoopctl(&["requests", "show", &id, "-o", "json"])
        .expect_code(0)
        .json();
    assert!(
        shown["status"] == "expired" || shown["status"] == "cancelled",
        "{shown}"
    );
    assert_ne!(bo.hoopctl(&["approve", &id]).code, 0);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
}

#[test]
fn an_estimate_is_shown_to_approvers_and_read_by_policies_but_tells_nothing_masked() {
    let world = World::new()
        .policy(
            r#"
@id("connect") permit (principal, action == Hoop::Action::"connect", resource);
@id("read") permit (principal, action in [Hoop::Action::"sql:read", Hoop::Action::"sql:infer", Hoop::Action::"sql:call"], resource);
@id("small") permit (principal, action == Hoop::Action::"sql:update", resource)
when { context has estimated_rows && context.estimated_rows < 20 };
@id("big") @approvers("dba") permit (principal, action == Hoop::Action::"sql:delete", resource);
"#,
        )
        .config("[[mask]]\ncolumns = [\"customers.ssn\"]\nwith = \"redact\"\n")
        .start();
    world.database.psql(
        "CREATE FUNCTION noisy(int) RETURNS bool LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RAISE WARNING 'noisy ran'; RETURN true; END $$",
    );
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let small =
        ana.psql_script("UPDATE orders SET status = 'x' WHERE id = 7;\nUPDATE orders SET status = 'x' WHERE id > 7;\n");
    let all = format!("{}{}", small.stdout, small.stderr);
    assert_eq!(all.matches("no policy permits").count(), 1, "{all}");
    let count = world.database.psql("SELECT count(*) FROM orders WHERE status = 'x'");
    assert_eq!(count.trim(), "1", "{all}");
    for (statement, estimate) in [
        ("DELETE FROM orders WHERE id = 7", Some("1")),
        ("DELETE FROM orders", Some("1000")),
        // Statistics hold values of masked columns; and planning would run the function.
        ("DELETE FROM customers WHERE ssn < '2'", None),
        ("DELETE FROM orders WHERE noisy(1)", None),
    ] {
        let psql = ana.psql_start(&format!("{statement};\n"));
        let request = bo.pending_request();
        let id = request["id"].as_str().unwrap();
        let shown = bo.hoopctl(&["requests", "show", id]).expect_code(0).stdout;
        let line = shown.lines().find(|line| line.starts_with("estimate"));
        assert_eq!(
            line.and_then(|line| line.split_whitespace().nth(1)),
            estimate,
            "{statement}:\n{shown}"
        );
        bo.hoopctl(&["deny", id, "--reason", "no"]).expect_code(0);
        let done = psql.finish();
        assert!(
            done.stderr.contains("denied") || done.stderr.contains("blocked"),
            "{}",
            done.stderr
        );
    }
    assert!(!Cluster::get().log().contains("WARNING:  noisy ran"));
}
