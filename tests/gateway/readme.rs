//! The relay for one's own database, exactly as the README prints it: its two files and its commands, with a real OpenID provider and
//! a real PostgreSQL. Only what names the reader's own machines is replaced.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use hoop_tests::{Cluster, Finished, OidcProvider, PASSWORD, Running, eventually, program, read_user_code, run};

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap()
}

/// The block of a language that begins with this line.
fn block(readme: &str, language: &str, first: &str) -> String {
    let fence = format!("```{language}\n");
    let blocks = readme.split(&fence).skip(1);
    let mut blocks = blocks.map(|rest| rest.split("```").next().unwrap());
    blocks
        .find(|block| block.starts_with(first))
        .unwrap_or_else(|| panic!("no {language} block with {first}"))
        .to_owned()
}

/// Replaces each of these, which must be there.
fn replaced(text: String, pairs: &[(&str, &str)]) -> String {
    pairs.iter().fold(text, |text, (from, to)| {
        assert!(text.contains(from), "{from} is not in the README any more:\n{text}");
        text.replace(from, to)
    })
}

struct Somebody {
    home: PathBuf,
}

impl Somebody {
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(program("hoopctl"));
        command
            .args(arguments)
            .env("HOME", &self.home)
            .env("HOOPCTL_CONFIG_DIR", self.home.join("hoopctl"))
            .env("HOOPCTL_CREDENTIAL_STORE", "file")
            .env("XDG_RUNTIME_DIR", &self.home)
            .env("PSQLRC", "/dev/null")
            .env("PATH", path());
        command
    }

    fn hoopctl(&self, arguments: &[&str]) -> Finished {
        run(&mut self.command(arguments))
    }

    fn log_in(folder: &Path, provider: &OidcProvider, name: &str, relay: &str, pin: &str) -> Self {
        let person = Self {
            home: folder.join(name),
        };
        std::fs::create_dir(&person.home).unwrap();
        // hoopctl login relay.example.com --pin PIN
        let mut login = person.command(&["login", relay, "--pin", pin]);
        let login = login.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut login = Running::new(login.spawn().unwrap());
        let code = read_user_code(login.child().stderr.take().unwrap());
        provider.approve(&code, name);
        login.finish().expect_code(0);
        person
    }
}

/// PATH with the psql of the test's PostgreSQL.
fn path() -> String {
    let folder = Cluster::get().program("psql");
    format!(
        "{}:{}",
        folder.parent().unwrap().display(),
        std::env::var("PATH").unwrap()
    )
}

#[test]
fn the_relay_for_ones_own_database_works_as_the_readme_prints_it() {
    let (readme, folder, provider) = (readme(), tempfile::tempdir().unwrap(), OidcProvider::start());
    let database = Cluster::get().database();
    let data = folder.path().join("data").display().to_string();
    let address = format!("127.0.0.1:{}", Cluster::get().port());
    let config = replaced(
        block(&readme, "toml", "# relay.toml"),
        &[
            ("/var/lib/hoop", &data),
            ("https://id.example.com", &provider.issuer),
            ("10.0.0.5:5432", &address),
            ("database = \"shop\"", &format!("database = \"{}\"", database.name)),
            ("user = \"hoop\"", "user = \"shop_gateway\""),
            ("tls = \"verify-full\"", "tls = \"disable\""),
        ],
    );
    assert!(
        config.lines().count() + block(&readme, "cedar", "// policy.cedar").lines().count() < 40,
        "short enough to be read"
    );
    std::fs::write(folder.path().join("relay.toml"), config).unwrap();
    std::fs::write(
        folder.path().join("policy.cedar"),
        block(&readme, "cedar", "// policy.cedar"),
    )
    .unwrap();
    let commands = block(&readme, "sh", "hoop-relay check");
    for command in [
        "hoop-relay check --config relay.toml",
        "hoop-relay serve --config relay.toml",
        "hoopctl login relay.example.com --pin PIN",
        "hoopctl connect db-prod -- psql",
    ] {
        assert!(commands.contains(command), "the README has other commands:\n{commands}");
    }

    let relay = |arguments: &[&str]| {
        let mut relay = Command::new(program("hoop-relay"));
        relay
            .args(arguments)
            .current_dir(folder.path())
            .env("DB_PROD_PASSWORD", PASSWORD);
        relay
    };
    run(&mut relay(&["check", "--config", "relay.toml"])).expect_code(0);
    let log = std::fs::File::create(folder.path().join("log")).unwrap();
    let mut serve = relay(&["serve", "--config", "relay.toml", "--listen", "127.0.0.1:0"]);
    let mut serve = Running::new(
        serve
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .unwrap(),
    );
    let mut line = String::new();
    BufReader::new(serve.child().stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| {
        panic!(
            "{line}\n{}",
            std::fs::read_to_string(folder.path().join("log")).unwrap()
        )
    });
    assert!(ready["issuer"].is_null(), "{ready}");
    let (at, pin) = (ready["relay"].as_str().unwrap(), ready["pin"].as_str().unwrap());

    let frank = Somebody::log_in(folder.path(), &provider, "frank", at, pin);
    let carol = Somebody::log_in(folder.path(), &provider, "carol", at, pin);
    assert_eq!(
        frank.hoopctl(&["whoami", "-o", "json"]).expect_code(0).json()["groups"],
        serde_json::json!(["engineers"])
    );
    // hoopctl connect db-prod -- psql
    let psql = |sql: &str| frank.command(&["connect", "db-prod", "--", "psql", "-XqAtc", sql]);
    assert_eq!(
        run(&mut psql("SELECT count(*) FROM orders"))
            .expect_code(0)
            .stdout
            .trim(),
        "1000"
    );
    let dropped = run(&mut psql("DROP TABLE orders"));
    assert!(dropped.stderr.contains("blocked by policy"), "{}", dropped.stderr);
    let refused = carol.hoopctl(&["connect", "db-prod", "--", "psql", "-XqAtc", "SELECT 1"]);
    assert_eq!(
        refused.code, 245,
        "a dba approves, and need not connect: {}",
        refused.stderr
    );

    let mut delete = psql("DELETE FROM orders WHERE id = 7");
    let delete = Running::new(
        delete
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap(),
    );
    let id = eventually("the write waits for a dba", || {
        let listed = carol.hoopctl(&["requests", "ls", "-o", "json"]).expect_code(0).json();
        listed[0]["id"].as_str().map(str::to_owned)
    });
    carol.hoopctl(&["approve", &id]).expect_code(0);
    delete.finish().expect_code(0);
    assert_eq!(database.psql("SELECT count(*) FROM orders").trim(), "999");
    serve.signal("TERM");
    assert_eq!(
        serve.finish().code,
        0,
        "{}",
        std::fs::read_to_string(folder.path().join("log")).unwrap()
    );
}
