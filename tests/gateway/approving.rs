//! `hoopctl approve`: the queue on a real terminal, in lines, and as a stream for bots.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use hoop_tests::{Cluster, Kind, Person, Running, Terminal, World};
use serde_json::Value;

const DELETE: &str = "DELETE FROM orders WHERE id = 7 /* marker_delete */;\n";

/// The queue of a person on a terminal.
fn queue(person: &Person<'_>, kind: Kind, more: &[&str], variables: &[(&str, &str)]) -> Terminal {
    let mut arguments = vec!["approve"];
    arguments.extend(more);
    let mut command = person.command(&arguments);
    // What a multiplexer sets: the program must see the terminal that the test names.
    command
        .env_remove("TMUX")
        .env_remove("TERM_PROGRAM")
        .env_remove("NO_COLOR");
    Terminal::of_kind(kind, command.envs(variables.iter().copied()))
}

/// A screen without what differs from run to run: ids, spans of time, times, digests and the lengths of rules and gaps.
fn normalised(screen: &str) -> String {
    let mut out = Vec::new();
    for line in screen.trim_end().lines() {
        let mut words = Vec::new();
        for word in line.split_whitespace() {
            let bare = word.trim_end_matches([',', '!', '?']);
            let rest = &word[bare.len()..];
            let is_span = bare.len() > 1
                && bare.ends_with(['s', 'm', 'h', 'd'])
                && bare[..bare.len() - 1].bytes().all(|byte| byte.is_ascii_digit());
            let is_id = |prefix| bare.len() == 14 && bare.starts_with(prefix);
            words.push(if is_span {
                format!("SPAN{rest}")
            } else if is_id("r-") {
                format!("REQUEST{rest}")
            } else if is_id("s-") {
                format!("SESSION{rest}")
            } else if bare.len() == 20 && bare.ends_with('Z') && bare.contains('T') {
                format!("TIME{rest}")
            } else if !bare.is_empty() && bare.chars().all(|c| c == '─') {
                "─".to_owned()
            } else {
                word.to_owned()
            });
        }
        out.push(words.join(" "));
    }
    out.join("\n") + "\n"
}

/// Compares a screen with the file that keeps it; with `UPDATE` set, writes that file.
#[track_caller]
fn compare(name: &str, screen: &str) {
    let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("gateway/screens/{name}.txt"));
    let screen = normalised(screen);
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, screen).unwrap();
        return;
    }
    let kept = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        kept == screen,
        "{} is not as kept; the screen is:\n{screen}",
        file.display()
    );
}

#[test]
fn the_queue_fits_a_terminal_of_80_by_24_and_decides() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    // Something to have been asked for before.
    let denied = ana.psql_start("UPDATE orders SET status = 'x' WHERE id = 3;\n");
    let id = bo.pending_request()["id"].as_str().unwrap().to_owned();
    bo.hoopctl(&["deny", &id, "--reason", "not on a Friday"]).expect_code(0);
    denied.finish();
    let psql = ana.psql_start(DELETE);
    bo.pending_request();

    let terminal = queue(&bo, Kind::small(), &[], &[]);
    let screen = terminal.until(&[
        "1 request waits",
        "before      of the last 1: 1 denied",
        "DELETE FROM orders",
    ]);
    assert_eq!(screen.lines().count(), 24, "{screen}");
    compare("queue", &screen);
    terminal.press("G");
    terminal.until(&["asked before"]);
    terminal.press("a");
    terminal.until(&["reason (Enter for none)"]);
    terminal.type_text("fine");
    terminal.press("Enter");
    let question = terminal.until(&["? y/N"]);
    compare("question", question.lines().last().unwrap());
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 0);
    terminal.press("y");
    let done = terminal.until(&["Nothing waits for your decision"]);
    assert!(done.contains("approved r-"), "{done}");
    psql.finish().expect_code(0);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
    terminal.press("q");
    assert_eq!(terminal.end(), 0);
    assert!(
        !terminal.screen().contains("Nothing waits"),
        "the terminal is as it was before"
    );
}

#[test]
fn a_denial_in_the_queue_needs_a_reason_and_ends_the_request() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let psql = ana.psql_start(DELETE);
    let terminal = queue(&bo, Kind::small(), &[], &[]);
    terminal.until(&["DELETE FROM orders"]);
    terminal.until(&["statement"]);
    terminal.press("d");
    terminal.press("Enter");
    terminal.until(&["a denial needs a reason"]);
    terminal.type_text("use the archive job");
    terminal.press("Enter");
    terminal.press("y");
    terminal.until(&["denied r-"]);
    let done = psql.finish();
    assert!(done.stderr.contains("use the archive job"), "{}", done.stderr);
    terminal.press("C-c");
    assert_eq!(terminal.end(), 0);
}

#[test]
fn a_request_that_comes_rings_and_shows_a_notification_where_the_terminal_has_it() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let terminal = queue(&bo, Kind::small(), &[], &[("TERM_PROGRAM", "WezTerm")]);
    let bytes = terminal.bytes();
    terminal.until(&["Nothing waits for your decision"]);
    let psql = ana.psql_start(DELETE);
    terminal.until(&["1 request waits for your decision"]);
    let written = hoop_tests::eventually("the bell", || {
        let written = String::from_utf8_lossy(&std::fs::read(&bytes).unwrap()).into_owned();
        written.contains('\u{7}').then_some(written)
    });
    assert!(
        written.contains("\u{7}\u{1b}]9;hoopctl: 1 request waits for you: ana on db-prod\u{1b}\\"),
        "{written:?}"
    );
    assert!(
        !written.contains("]9;hoopctl: DELETE"),
        "a statement is not for the desktop"
    );
    psql.signal("TERM");
    // Withdrawn elsewhere: it goes from the screen by itself.
    terminal.until(&["Nothing waits for your decision"]);
}

#[test]
fn sixteen_colours_are_enough_and_none_are_too() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let _psql = ana.psql_start(DELETE);
    bo.pending_request();
    let kind = Kind {
        term: "xterm-16color",
        ..Kind::small()
    };
    for (variables, coloured) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let terminal = queue(&bo, kind, &[], variables);
        let bytes = terminal.bytes();
        terminal.until(&["DELETE FROM orders"]);
        // Everything is drawn anew.
        terminal.press("/");
        terminal.press("x");
        terminal.press("Escape");
        terminal.until(&["statement"]);
        terminal.press("q");
        terminal.end();
        let written = String::from_utf8_lossy(&std::fs::read(&bytes).unwrap()).into_owned();
        assert!(
            !written.contains("38;5") && !written.contains("48;5") && !written.contains("38;2"),
            "{written:?}"
        );
        assert_eq!(written.contains("\u{1b}[36"), coloured, "{written:?}");
    }
}

#[test]
fn screen_readers_get_lines_and_a_number_that_stays() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let psql = ana.psql_start(DELETE);
    bo.pending_request();
    let terminal = queue(
        &bo,
        Kind {
            size: (100, 60),
            ..Kind::default()
        },
        &["--plain"],
        &[],
    );
    let bytes = terminal.bytes();
    terminal.until(&["1 request waits for your decision.", "1. ana on db-prod", "Command:"]);
    let other = ana.psql_start("UPDATE orders SET status = 'y' WHERE id = 4;\n");
    terminal.until(&["New: 2. ana on db-prod"]);
    terminal.type_text("2");
    terminal.press("Enter");
    terminal.until(&["| UPDATE orders SET status = 'y' WHERE id = 4;"]);
    terminal.type_text("a 1");
    terminal.press("Enter");
    terminal.until(&["| DELETE FROM orders WHERE id = 7", "Reason, empty for none:"]);
    terminal.type_text("checked");
    terminal.press("Enter");
    terminal.until(&["Type yes:"]);
    terminal.type_text("yes");
    terminal.press("Enter");
    terminal.until(&["is approved"]);
    psql.finish().expect_code(0);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
    terminal.type_text("d 1");
    terminal.press("Enter");
    terminal.until(&["Number 1 does not wait, or no longer."]);
    terminal.type_text("q");
    terminal.press("Enter");
    assert_eq!(terminal.end(), 0);
    let written = String::from_utf8_lossy(&std::fs::read(&bytes).unwrap()).into_owned();
    assert!(
        !written.contains("\u{1b}["),
        "nothing moves and nothing is coloured: {written:?}"
    );
    drop(other);
}

/// Makes nine thousand nine hundred and ninety-nine more of the one request that is held.
fn multiply(world: &World) {
    let script = r#"
import sqlite3, sys
store = sqlite3.connect(sys.argv[1], timeout=30)
columns = "kind, status, session, connection, label, principal, issuer, subject, login, groups, reason, parameters, effects, rules, requirements, digest, details, created, expires, revision"
with store:
    store.execute(f"""
        WITH RECURSIVE counter (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM counter WHERE n < 9999)
        INSERT INTO requests (id, statement, {columns})
        SELECT printf('r-%012d', n), 'DELETE FROM orders WHERE id = ' || n || ' -- copy', {columns.replace('created', 'created + n').replace('revision', 'revision + n')}
        FROM counter, requests WHERE id = (SELECT id FROM requests WHERE status = 'pending')""")
    store.execute("INSERT OR IGNORE INTO request_approvers (request, approver) SELECT number, 'dba' FROM requests")
"#;
    hoop_tests::run(hoop_tests::python(script).arg(world.data().join("relay.db"))).expect_code(0);
}

#[test]
fn ten_thousand_requests_leave_the_queue_quick_and_small() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let psql = ana.psql_start(DELETE);
    let first = bo.pending_request()["id"].as_str().unwrap().to_owned();
    multiply(&world);
    let terminal = queue(&bo, Kind::small(), &[], &[]);
    let began = Instant::now();
    terminal.until(&["10000 requests wait for your decision"]);
    assert!(began.elapsed() < Duration::from_secs(60), "{:?}", began.elapsed());
    terminal.until(&[&format!("─ {first} ─")]);
    let quick = |what: &str, since: Instant| {
        assert!(
            since.elapsed() < Duration::from_secs(15),
            "{what} took {:?}",
            since.elapsed()
        );
    };
    let since = Instant::now();
    terminal.press("End");
    terminal.until(&["─ r-000000009999 ─"]);
    quick("going to the end", since);
    let since = Instant::now();
    terminal.type_text("/id = 4711 ");
    terminal.until(&["1 with: id = 4711"]);
    quick("filtering", since);
    terminal.press("Enter");
    terminal.until(&["─ r-000000004711 ─", "│ DELETE FROM orders WHERE id = 4711"]);
    let status = std::fs::read_to_string(format!("/proc/{}/status", terminal.pid())).unwrap();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    let kilobytes: u64 = resident.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(kilobytes < 150_000, "{kilobytes} kB");
    // One of them is real, and is decided like any other.
    terminal.press("Escape");
    terminal.until(&["10000 requests wait for your decision\n"]);
    terminal.press("Home");
    terminal.until(&[&format!("─ {first} ─")]);
    terminal.until(&["marker_delete"]);
    terminal.press("a");
    terminal.until(&["reason (Enter for none)"]);
    terminal.press("Enter");
    terminal.until(&["? y/N"]);
    terminal.press("y");
    terminal.until(&["9999 requests wait for your decision"]);
    psql.finish().expect_code(0);
    assert_eq!(Cluster::get().executions(&world.database, "marker_delete"), 1);
}

/// `approve --watch -o json` and its lines.
struct Watch {
    running: Running,
    lines: mpsc::Receiver<Value>,
}

impl Watch {
    fn start(person: &Person<'_>) -> Self {
        let mut command = person.command(&["approve", "--watch", "-o", "json"]);
        let child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut running = Running::new(child.expect("hoopctl"));
        let stdout = running.child().stdout.take().expect("a pipe");
        let (send, lines) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let value = serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"));
                if send.send(value).is_err() {
                    return;
                }
            }
        });
        Self { running, lines }
    }

    /// The next line about a request with this status.
    #[track_caller]
    fn next(&self, status: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let value = self
                .lines
                .recv_timeout(left)
                .unwrap_or_else(|_| panic!("no request became {status}"));
            if value["status"] == status {
                return value;
            }
        }
    }
}

#[test]
fn a_bot_gets_a_line_for_every_change_that_it_may_see_also_after_the_relay_was_away() {
    let mut world = World::start();
    let home = |person: Person<'_>| person.home().to_owned();
    let (ana, bo, agent) = (
        home(world.person("ana")),
        home(world.person("bo")),
        home(world.person("agent")),
    );
    let start = |world: &World| world.returning(ana.clone()).psql_start(DELETE);
    let before = start(&world);
    world.returning(bo.clone()).pending_request();
    let mut watch = Watch::start(&world.returning(bo.clone()));
    let mut stranger = Watch::start(&world.returning(agent.clone()));
    let waiting = watch.next("pending");
    assert_eq!(
        (&waiting["principal"], &waiting["connection"]),
        (&"ana".into(), &"db-prod".into())
    );
    assert!(
        waiting["statement"].as_str().unwrap().contains("marker_delete"),
        "{waiting}"
    );
    let id = waiting["id"].as_str().unwrap();
    world
        .returning(bo.clone())
        .hoopctl(&["deny", id, "--reason", "no"])
        .expect_code(0);
    let denied = watch.next("denied");
    assert_eq!(
        (&denied["id"], &denied["decisions"][0]["reason"]),
        (&waiting["id"], &"no".into())
    );
    before.finish();
    world.kill_and_restart();
    let after = start(&world);
    let again = watch.next("pending");
    assert_ne!(again["id"], waiting["id"]);
    assert!(!watch.running.ended());
    assert!(
        stranger.lines.try_recv().is_err(),
        "who may not see a request learns nothing of it"
    );
    assert!(!stranger.running.ended());
    drop(after);
}
