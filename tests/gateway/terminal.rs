//! What a person sees on a terminal: psql with Ctrl-C, the queue of approvals, the demo.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use hoop_tests::{Cluster, Running, Terminal, World, eventually, program, run};

#[test]
fn ctrl_c_cancels_the_query_and_psql_and_the_terminal_live_on() {
    let world = World::start();
    let ana = world.person("ana");
    let terminal = Terminal::start(&ana.psql_command(&[]));
    terminal.wait_for("=>");
    terminal.enter("SELECT pg_sleep(100) /* marker_ctrl_c */;");
    eventually("the query runs", || {
        (Cluster::get().executions(&world.database, "marker_ctrl_c") == 1).then_some(())
    });
    terminal.press("C-c");
    terminal.wait_for("ERROR:  canceling statement due to user request");
    // At the prompt it only begins a new line, as ever.
    terminal.type_text("SELECT 'half");
    terminal.press("C-c");
    eventually("psql prompts again", || {
        terminal.screen().trim_end().ends_with("=>").then_some(())
    });
    terminal.enter("SELECT 'still ' || 'here';");
    terminal.wait_for("still here");
    // A held statement is withdrawn the same way.
    terminal.enter("DELETE FROM orders WHERE id = 7;");
    terminal.wait_for("waits for approval by dba");
    terminal.press("C-c");
    eventually("the request is withdrawn", || {
        let listed = ana.hoopctl(&["requests", "ls", "-o", "json"]).expect_code(0).json();
        listed
            .as_array()?
            .iter()
            .any(|request| request["status"] == "cancelled")
            .then_some(())
    });
    terminal.enter("SELECT 'and ' || 'here';");
    terminal.wait_for("and here");
    terminal.enter("\\q");
    assert_eq!(terminal.end(), 0);
    assert_eq!(Cluster::get().executions(&world.database, "DELETE FROM orders"), 0);
}

#[test]
fn a_client_that_is_killed_leaves_the_terminal_as_it_was() {
    let world = World::start();
    let ana = world.person("ana");
    let script = "stty -echo -icanon raw; kill -KILL $$";
    let terminal = Terminal::start(&ana.command(&["connect", "db-prod", "--", "sh", "-c", script]));
    assert_eq!(terminal.end(), 137);
}

#[test]
fn an_approver_sees_who_why_and_what_and_decides_on_the_live_screen() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let queue = Terminal::start(&bo.command(&["approve"]));
    queue.wait_for("Nothing waits for your decision");
    let psql = ana.psql_start("DELETE FROM orders WHERE id = 7 /* marker_screen \u{1b}[31m */;\nSELECT 'after';\n");
    let shown = queue.wait_for("1 request waits for your decision");
    for part in [
        "ana",
        "engineers",
        "db-prod",
        "sql:delete",
        "public.orders",
        "writes-need-a-dba",
        "1 of dba",
    ] {
        assert!(
            shown.contains(part) || queue.wait_for(part).contains(part),
            "{part} is not shown:\n{shown}"
        );
    }
    assert!(queue.screen().contains("marker_screen"), "{}", queue.screen());
    assert_eq!(Cluster::get().executions(&world.database, "marker_screen"), 0);
    approve(&queue, "looks right");
    eventually("the statement runs", || {
        (Cluster::get().executions(&world.database, "marker_screen") == 1).then_some(())
    });
    assert_eq!(psql.finish().expect_code(0).stdout.trim(), "after");
    queue.wait_for("Nothing waits for your decision");
    queue.press("q");
    assert_eq!(queue.end(), 0);
    assert!(
        !queue.screen().contains("Nothing waits"),
        "the screen is left behind:\n{}",
        queue.screen()
    );
}

/// Approves the request that is shown, on the live screen.
fn approve(queue: &Terminal, reason: &str) {
    // Nothing can be decided before all of it is there.
    eventually("the queue asks for a reason", || {
        queue.press("a");
        std::thread::sleep(std::time::Duration::from_millis(500));
        queue.screen().contains("reason (Enter for none)").then_some(())
    });
    // It may have been asked for more than once.
    queue.press("C-u");
    queue.enter(reason);
    queue.wait_for("? y/N");
    queue.press("y");
}

/// What the demo has running or lying about, told by its temporary folder.
fn traces(folder: &std::path::Path) -> Vec<String> {
    let name = folder.display().to_string();
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .flatten()
        .map(|entry| entry.path().display().to_string())
        .collect();
    let processes = std::fs::read_dir("/proc").unwrap().flatten();
    for process in processes.filter(|entry| {
        entry
            .file_name()
            .to_string_lossy()
            .bytes()
            .all(|byte| byte.is_ascii_digit())
    }) {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        let line = String::from_utf8_lossy(&line).replace('\0', " ");
        if line.contains(&name) && !line.contains("tmux") && !line.starts_with("sh ") {
            found.push(line);
        }
    }
    found
}

/// The demo on a terminal, with a temporary folder of its own.
fn demo(temporary: &std::path::Path) -> Command {
    let mut demo = Command::new("bash");
    let binaries = program("hoopctl").parent().unwrap().to_owned();
    let path = std::env::var("PATH").unwrap();
    demo.arg(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../relay/demo/run.sh"))
        .env("PATH", format!("{}:{path}", binaries.display()))
        .env("PG_BIN", Cluster::get().program("initdb").parent().unwrap())
        .env("TMPDIR", temporary)
        .env_remove("NO_COLOR");
    demo
}

/// A temporary folder that the demo's PostgreSQL can enter.
fn temporary() -> tempfile::TempDir {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::Builder::new()
        .prefix("hoop-demo")
        .permissions(std::fs::Permissions::from_mode(0o711))
        .tempdir();
    folder.unwrap()
}

#[test]
fn the_demo_leaves_the_person_in_psql_and_ends_all_that_it_started() {
    let folder = temporary();
    let terminal = Terminal::start(&demo(folder.path()));
    let screen = terminal.wait_for("shop=>");
    for tip in [
        "SELECT * FROM customers LIMIT 5;",
        "DROP TABLE orders;",
        "hoopctl --profile bo approve",
        "\\q",
    ] {
        assert!(screen.contains(tip), "{tip} is not among what to try:\n{screen}");
    }
    terminal.enter("SELECT email, ssn FROM customers WHERE id = 4;");
    terminal.wait_for("***");
    terminal.enter("DROP TABLE orders;");
    terminal.wait_for("ERROR:  blocked by policy no-drop");
    terminal.enter("DELETE FROM orders WHERE id = 7;");
    let screen = terminal.wait_for("waits for approval by dba");

    // In a second terminal, with exactly the lines that the demo prints.
    let lines: Vec<&str> = screen
        .lines()
        .map(str::trim)
        .filter(|line| line.starts_with("export ") || line.ends_with("--profile bo approve"))
        .collect();
    assert_eq!(lines.len(), 2, "{screen}");
    let queue = Terminal::start(Command::new("bash").args(["-c", &lines.join("\n")]));
    queue.wait_for("1 request waits for your decision");
    approve(&queue, "");
    terminal.wait_for("DELETE 1");
    queue.wait_for("Nothing waits for your decision");
    queue.press("q");
    assert_eq!(queue.end(), 0);

    // Ctrl-C in the middle of a query is psql's, not the demo's.
    terminal.enter("SELECT pg_sleep(100);");
    std::thread::sleep(std::time::Duration::from_secs(2));
    terminal.press("C-c");
    terminal.wait_for("canceling statement due to user request");
    terminal.enter("\\q");
    let screen = terminal.wait_for("everything that the demo started is ended and removed");
    assert!(screen.contains("approved by bo"), "the replay is shown:\n{screen}");
    assert_eq!(terminal.end(), 0);
    assert_eq!(traces(folder.path()), Vec::<String>::new());
}

#[test]
fn the_demo_without_a_terminal_is_a_tour_that_checks_itself() {
    let folder = temporary();
    let mut tour = demo(folder.path());
    tour.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let done = Running::new(tour.spawn().unwrap()).finish().expect_code(0);
    for shown in [
        "blocked by policy no-drop: DROP TABLE is not allowed on db-demo",
        "waits for approval by dba",
        "DELETE 1",
        "looks right",
        "approved by bo",
        "everything that the demo started is ended and removed",
    ] {
        assert!(done.stdout.contains(shown), "{shown} is not in:\n{}", done.stdout);
    }
    for hidden in ["105-15-1035", "customer5@example", "4111 1111"] {
        assert!(!done.stdout.contains(hidden), "{hidden} is in:\n{}", done.stdout);
    }
    // What the README shows is what the demo says, but for ids, times and the line about the client.
    let readme = std::fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let printed = readme
        .split("```\n== psql through the gateway")
        .nth(1)
        .and_then(|rest| rest.split("```").next())
        .unwrap();
    let changing = ["DETAIL:", "NOTICE:", "HINT:  an approver runs"];
    for line in printed
        .lines()
        .skip(1)
        .filter(|line| !changing.iter().any(|word| line.contains(word)))
    {
        assert!(
            done.stdout.lines().any(|said| said.trim_end() == line),
            "the README shows `{line}`, the demo does not say it:\n{}",
            done.stdout
        );
    }
    assert_eq!(traces(folder.path()), Vec::<String>::new());
}

#[test]
fn what_the_demo_cannot_do_is_said_with_a_fix() {
    let folder = temporary();
    let mut broken = demo(folder.path());
    broken.env("PG_BIN", folder.path().join("nowhere"));
    let done = run(&mut broken);
    assert_eq!(done.code, 1, "{}", done.stdout);
    assert!(
        done.stderr.contains("error: ") && done.stderr.contains("hint: "),
        "{}",
        done.stderr
    );
    assert_eq!(traces(folder.path()), Vec::<String>::new());
}

#[test]
fn a_login_on_a_terminal_asks_about_an_unknown_relay_once_and_shows_url_code_and_qr_code() {
    let world = World::start();
    let ana = world.stranger();
    let terminal = Terminal::start(&ana.command(&["login", &world.relay]));
    let screen = terminal.wait_for(&world.pin);
    assert!(
        !screen.contains("/device"),
        "nothing is sent before the relay is known:\n{screen}"
    );
    terminal.enter("y");
    let screen = terminal.wait_for("compare its code");
    assert!(screen.contains(&format!("{}/device", world.issuer)), "{screen}");
    assert!(
        screen.contains('\u{2588}') || screen.contains('\u{2580}'),
        "no QR code:\n{screen}"
    );
    let words = screen.split_whitespace();
    let code = words
        .rev()
        .find(|word| word.len() == 9 && word.as_bytes()[4] == b'-' && *word == word.to_uppercase())
        .unwrap();
    world.choose(code, "ana");
    assert_eq!(terminal.end(), 0);
    assert_eq!(
        ana.hoopctl(&["whoami", "-o", "json"]).expect_code(0).json()["principal"],
        "ana"
    );
    // The relay is known from here on, also after a logout.
    ana.hoopctl(&["logout"]).expect_code(0);
    let again = Terminal::start(&ana.command(&["login"]));
    let screen = again.wait_for("compare its code");
    assert!(!screen.contains(&world.pin), "asked twice:\n{screen}");
    again.press("C-c");
    assert_eq!(again.end(), 130);
}

#[test]
fn a_relay_that_the_person_does_not_confirm_gets_nothing() {
    let world = World::start();
    let ana = world.stranger();
    let terminal = Terminal::start(&ana.command(&["login", &world.relay]));
    terminal.wait_for(&world.pin);
    terminal.enter("");
    assert_ne!(terminal.end(), 0);
    assert!(!terminal.screen().contains("/device"), "{}", terminal.screen());
}

#[test]
fn ctrl_c_while_the_demo_starts_ends_all_that_it_started() {
    let folder = temporary();
    let terminal = Terminal::start(&demo(folder.path()));
    terminal.wait_for("hoop-relay dev");
    terminal.press("C-c");
    assert_eq!(terminal.end(), 130);
    assert_eq!(traces(folder.path()), Vec::<String>::new());
}
