//! The TAB key of real shells, and manual pages.

use std::process::Command;

use hoop_tests::{Person, Terminal, World, program, run};

const DELETE: &str = "DELETE FROM orders WHERE id = 7;\n";

/// The folder with `hoopctl`, first on the PATH.
fn path() -> String {
    let folder = program("hoopctl").parent().unwrap().display().to_string();
    format!("{folder}:{}", std::env::var("PATH").unwrap_or_default())
}

/// Asks bash for the completions of a line whose last word is being typed.
fn bash(person: &Person<'_>, words: &[&str]) -> Vec<String> {
    let script = program("hoopctl");
    let quoted: Vec<String> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = words.last().unwrap();
    let text = format!(
        "source <('{}' completions bash)\nCOMP_WORDS=({})\nCOMP_CWORD={}\nCOMP_LINE='{}'\nCOMP_POINT=${{#COMP_LINE}}\nCOMP_TYPE=9\n\
         _clap_complete_hoopctl hoopctl '{last}' ''\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
        script.display(),
        quoted.join(" "),
        words.len() - 1,
        words.join(" "),
    );
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-c", &text]);
    for (name, value) in person.command(&[]).get_envs() {
        if let Some(value) = value {
            bash.env(name, value);
        }
    }
    let done = run(bash.env("PATH", path())).expect_code(0);
    assert_eq!(done.stderr, "", "whoever types is not disturbed");
    done.stdout
        .lines()
        .filter(|line| !line.is_empty())
        .map(str::to_owned)
        .collect()
}

#[test]
fn bash_completes_commands_and_the_names_that_the_relay_knows() {
    let world = World::start();
    let (ana, bo) = (world.person("ana"), world.person("bo"));
    let _psql = ana.psql_start(DELETE);
    let request = bo.pending_request();
    let (id, session) = (request["id"].as_str().unwrap(), request["session"].as_str().unwrap());
    assert_eq!(bash(&bo, &["hoopctl", "conn"]), ["connect"]);
    assert_eq!(bash(&bo, &["hoopctl", "connect", "db"]), ["db-prod"]);
    assert_eq!(bash(&bo, &["hoopctl", "exec", "db"]), ["db-prod"]);
    assert_eq!(bash(&bo, &["hoopctl", "ls", "--tag", "env"]), ["env:demo"]);
    assert_eq!(bash(&bo, &["hoopctl", "approve", "r-"]), [id]);
    assert_eq!(bash(&bo, &["hoopctl", "requests", "show", "r-"]), [id]);
    assert_eq!(
        bash(&ana, &["hoopctl", "approve", "r-"]),
        Vec::<String>::new(),
        "nobody approves their own"
    );
    assert_eq!(bash(&ana, &["hoopctl", "requests", "cancel", "r-"]), [id]);
    assert_eq!(bash(&ana, &["hoopctl", "sessions", "show", "s-"]), [session]);
    assert_eq!(bash(&ana, &["hoopctl", "requests", "wait", "r-"]), [id]);
    // What has ended can be looked at, but not ended again.
    ana.psql("SELECT 1").expect_code(0);
    assert_eq!(bash(&ana, &["hoopctl", "sessions", "kill", "s-"]), [session]);
    for looked_at in ["show", "replay", "verify"] {
        assert_eq!(
            bash(&ana, &["hoopctl", "sessions", looked_at, "s-"]).len(),
            2,
            "{looked_at}"
        );
    }
    assert_eq!(bash(&ana, &["hoopctl", "--profile", "def"]), ["default"]);
    assert_eq!(
        bash(&ana, &["hoopctl", "--profile", "other", "connect", "db"]),
        Vec::<String>::new()
    );
}

#[test]
fn without_a_login_or_a_relay_nothing_is_offered_and_nothing_is_said() {
    let world = World::start();
    let (stranger, ana) = (world.stranger(), world.person("ana"));
    assert_eq!(bash(&stranger, &["hoopctl", "connect", "db"]), Vec::<String>::new());
    assert_eq!(bash(&stranger, &["hoopctl", "sess"]), ["sessions"]);
    world.signal("KILL");
    let since = std::time::Instant::now();
    assert_eq!(bash(&ana, &["hoopctl", "connect", "db"]), Vec::<String>::new());
    assert!(since.elapsed().as_secs() < 8, "{:?}", since.elapsed());
}

/// Types a line into an interactive shell and presses TAB.
fn tab(person: &Person<'_>, shell: &str, arguments: &[&str], first: &str, line: &str, completed: &str) {
    let mut of_shell = Command::new(shell);
    of_shell.args(arguments);
    for (name, value) in person.command(&[]).get_envs() {
        if let Some(value) = value {
            of_shell.env(name, value);
        }
    }
    let terminal = Terminal::start(of_shell.env("PATH", path()).env("PS1", "% "));
    terminal.enter(first);
    terminal.until(&["ready"]);
    terminal.type_text(line);
    terminal.press("Tab");
    terminal.until(&[completed]);
}

#[test]
fn the_tab_key_works_in_bash_zsh_and_fish() {
    let world = World::start();
    let ana = world.person("ana");
    let folder = tempfile::tempdir().unwrap();
    let write = |shell: &str, name: &str| {
        let script = ana.hoopctl(&["completions", shell]).expect_code(0).stdout;
        std::fs::write(folder.path().join(name), script).unwrap();
    };
    write("bash", "hoopctl.bash");
    write("zsh", "_hoopctl");
    write("fish", "hoopctl.fish");
    let here = folder.path().display().to_string();
    tab(
        &ana,
        "bash",
        &["--norc", "--noprofile"],
        &format!("source '{here}/hoopctl.bash'; printf 're%s\\n' ady"),
        "hoopctl connect db-",
        "hoopctl connect db-prod",
    );
    tab(
        &ana,
        "zsh",
        &["-f"],
        &format!("fpath=('{here}' $fpath); autoload -Uz compinit; compinit -u -d '{here}/dump'; printf 're%s\\n' ady"),
        "hoopctl connect db-",
        "hoopctl connect db-prod",
    );
    tab(
        &ana,
        "fish",
        &["--no-config"],
        &format!("source '{here}/hoopctl.fish'; printf 're%s\\n' ady"),
        "hoopctl connect db-p",
        "hoopctl connect db-prod",
    );
}

#[test]
fn the_manual_pages_are_whole_and_well_formed() {
    let folder = tempfile::tempdir().unwrap();
    run(Command::new(program("hoopctl"))
        .arg("--quiet")
        .arg("man-pages")
        .arg(folder.path())
        .env("HOME", folder.path()))
    .expect_code(0);
    run(Command::new(program("hoop-relay")).arg("man-pages").arg(folder.path())).expect_code(0);
    let mut names: Vec<String> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for name in [
        "hoopctl.1",
        "hoopctl-connect.1",
        "hoopctl-requests-wait.1",
        "hoop-relay-serve.1",
        "hoop-relay-policy-explain.1",
    ] {
        assert!(names.iter().any(|found| found == name), "{name} is not among {names:?}");
    }
    assert!(
        !names.iter().any(|name| name.contains("man-pages")),
        "hidden commands have no page"
    );
    for name in &names {
        let file = folder.path().join(name);
        run(Command::new("mandoc").args(["-T", "lint", "-W", "error"]).arg(&file)).expect_code(0);
        let page = std::fs::read_to_string(&file).unwrap();
        assert!(page.contains(".SH SYNOPSIS"), "{name}:\n{page}");
        assert!(
            page.contains("xample") || name.starts_with("hoop-relay"),
            "{name}:\n{page}"
        );
    }
    let approve = std::fs::read_to_string(folder.path().join("hoopctl-approve.1")).unwrap();
    assert!(approve.contains("\\-\\-watch"), "{approve}");
}
