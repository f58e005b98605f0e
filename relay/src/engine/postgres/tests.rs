//! Real clients through the driver to a real server.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::cell::RefCell;
use std::collections::HashMap;
use std::future::pending;
use std::process::{Output, Stdio};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::Command;
use tokio::sync::Notify;
use tokio::task::{LocalSet, spawn_local};

use super::codec::backend::CancelKey;
use super::codec::frame::{Frame, Side};
use super::codec::write;
use super::drive::{Outside, drive};
use super::lenient::{Lenient, Seen};
use super::session::{Bounds, Conversation};
use super::startup::{Identity, Opening};
use super::throwaway::Server;
use super::{admit, drive};
use crate::config::{PostgresTarget, TlsMode};
use crate::target::postgres::dial;

fn target(server: &Server) -> PostgresTarget {
    PostgresTarget {
        host: server.directory().to_str().unwrap().into(),
        port: server.port(),
        database: "postgres".into(),
        user: "postgres".into(),
        password: None,
        tls: TlsMode::Disable,
        ca: None,
    }
}

/// Every message up to `ReadyForQuery`.
async fn until_ready(client: &mut TcpStream, input: &mut BytesMut) -> Vec<Frame> {
    let mut frames = Vec::new();
    loop {
        while let Some(frame) = Frame::next(Side::Server, input).unwrap() {
            let last = frame.tag() == b'Z';
            frames.push(frame);
            if last {
                return frames;
            }
        }
        assert!(client.read_buf(input).await.unwrap() > 0, "closed");
    }
}

type Keys = Rc<RefCell<HashMap<(u32, u32), Arc<Notify>>>>;

struct Relay {
    port: u16,
    seen: Rc<RefCell<Seen>>,
}

/// Listens, and serves each client with a lenient judge.
async fn relay(server: &Server, approve: Option<bool>) -> Relay {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let target = target(server);
    let seen = Rc::new(RefCell::new(Seen::default()));
    let keys = Keys::default();
    let all = seen.clone();
    spawn_local(async move {
        let mut process = 0;
        loop {
            let (client, _) = listener.accept().await.unwrap();
            client.set_nodelay(true).unwrap();
            process += 1;
            let lenient = Lenient {
                seen: all.clone(),
                approve,
                ..Lenient::default()
            };
            spawn_local(serve(client, target.clone(), lenient, keys.clone(), process));
        }
    });
    Relay { port, seen }
}

async fn serve(mut client: TcpStream, target: PostgresTarget, mut judge: Lenient, keys: Keys, process: u32) {
    let identity = Identity {
        user: &target.user,
        database: &target.database,
    };
    let mut input = BytesMut::new();
    let asked = match admit::opening(&mut client, &mut input, identity).await {
        Some(Opening::Start(asked)) => asked,
        Some(Opening::Cancel(key)) => {
            if let Some(notify) = keys.borrow().get(&(key.process, key.secret)) {
                notify.notify_one();
            }
            return;
        }
        None => return,
    };
    let pins = crate::inspect::sql::settings::PINS;
    let dialled = dial(&target, &admit::settings(&asked, pins, "\"$user\", public"))
        .await
        .unwrap();
    judge.target = dialled.backend_key.map(|key| (target.clone(), key));
    let key = CancelKey { process, secret: 42 };
    let notify = Arc::new(Notify::new());
    keys.borrow_mut().insert((process, 42), notify.clone());
    client
        .write_all(&admit::welcome(&dialled.parameters, key, dialled.status))
        .await
        .unwrap();
    let bounds = Bounds {
        statement: 1 << 20,
        names: 1000,
        masked_row: 1 << 20,
        recorded_row: 256 << 10,
        outstanding: 65_536,
    };
    let core = Conversation::new(judge, bounds, dialled.status, 7);
    let outside = Outside {
        ended: pending(),
        cancelled: move || {
            let notify = notify.clone();
            async move { notify.notified().await }
        },
    };
    let _: drive::Served = drive(core, client, dialled.io, input, dialled.input, 1 << 20, outside).await;
}

async fn psql(server: &Server, port: u16, arguments: &[&str], input: &str) -> Output {
    let mut child = Command::new(server.program("psql"))
        .args([
            "-X",
            "-h",
            "127.0.0.1",
            "-p",
            &port.to_string(),
            "-U",
            "postgres",
            "-d",
            "postgres",
        ])
        .args(arguments)
        .env("PGSSLMODE", "prefer")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).await.unwrap();
    tokio::time::timeout(Duration::from_secs(60), child.wait_with_output())
        .await
        .unwrap()
        .unwrap()
}

fn texts(output: &Output) -> (String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (text(&output.stdout), text(&output.stderr))
}

#[tokio::test]
async fn psql_sees_what_it_sees_directly() {
    let Some(server) = Server::start() else { return };
    server.psql("create table t (id int primary key, name text); insert into t select i, 'n' || i from generate_series(1, 1000) i");
    LocalSet::new()
        .run_until(async {
            let relay = relay(&server, None).await;
            let script = "\\d t\n\\dt+\n\\df pg_catalog.abs\nselect count(*) from t;\nselect 1/0;\nbegin;\nselect 2;\nfoo;\nselect 3;\nrollback;\n\
                \\set FETCH_COUNT 7\nselect * from t where id < 30;\n\\unset FETCH_COUNT\n\\copy t to '/dev/stdout'\ncreate table u (like t);\n\
                copy u from stdin;\n1\ta\n2\tb\n\\.\nselect * from u;\ncopy u from stdin;\nx\ty\n\\.\nselect 'ok';\nselect 4 \\; select 5;\n\
                \\gdesc\nprepare p as select * from t where id = $1;\nexecute p(7);\ndeallocate p;\nexecute p(7);\n\
                select 'select ' || i from generate_series(1,3) i \\gexec\ndo $$ begin raise notice 'hello'; end $$;\n\
                copy (select 1) to stdout\\; copy u from stdin\\; select 9;\n5\tf\n\\.\ndrop table u;\nlisten c;\nnotify c, 'x';\nselect 1;\n";
            for arguments in [&["-a"][..], &["-a", "-v", "ON_ERROR_STOP=1"], &["-a", "-1"], &["-a", "-v", "ON_ERROR_ROLLBACK=1"]] {
                let direct = psql(&server, server.port(), arguments, script).await;
                server.psql("drop table if exists u");
                let through = psql(&server, relay.port, arguments, script).await;
                server.psql("drop table if exists u");
                // The server process that notified differs.
                let same = |text: String| text.lines().filter(|line| !line.contains("PID")).collect::<Vec<_>>().join("\n");
                let (direct_out, direct_err) = texts(&direct);
                let (out, err) = texts(&through);
                assert_eq!(same(out), same(direct_out));
                assert_eq!(same(err), same(direct_err));
                assert_eq!(through.status.code(), direct.status.code());
            }
            assert!(relay.seen.borrow().rows > 50);
        })
        .await;
}

#[tokio::test]
async fn refused_held_and_masked_statements_leave_the_connection_alive() {
    let Some(server) = Server::start() else { return };
    LocalSet::new()
        .run_until(async {
            let relay1 = relay(&server, Some(true)).await;
            let script = "select 'forbidden';\nselect 1;\nbegin;\nselect 'forbidden';\nselect 2;\nrollback;\nselect 3;\n\
                select 'risky', 4;\nselect 5, 'secret';\nselect 'secret' as unmaskable;\nselect 6;\n\
                select 'secret'::int;\ncopy (select 'secret') to stdout;\n";
            let output = psql(&server, relay1.port, &["-A", "-t"], script).await;
            let (out, err) = texts(&output);
            assert_eq!(out, "1\nBEGIN\nROLLBACK\n3\nrisky|4\nx|xxxxxx\n6\nxxxxxx\n", "{err}");
            assert_eq!(err.matches("ERROR:  forbidden").count(), 2, "{err}");
            assert!(err.contains("current transaction is aborted"), "{err}");
            assert!(err.contains("NOTICE:  held"), "{err}");
            assert!(err.contains("cannot be masked"), "{err}");
            assert!(err.contains("ERROR:  invalid text representation"), "{err}");
            assert!(!err.contains("type integer"), "{err}");

            let relay = relay(&server, Some(false)).await;
            let output = psql(&server, relay.port, &["-A", "-t"], "select 'risky';\nbegin;\nselect 'risky';\nselect 1;\nend;\nselect 8;\n").await;
            let (out, err) = texts(&output);
            assert_eq!(out, "BEGIN\nROLLBACK\n8\n", "{err}");
            assert_eq!(err.matches("ERROR:  denied").count(), 2, "{err}");
        })
        .await;
}

#[tokio::test]
async fn pgbench_runs_in_every_mode() {
    let Some(server) = Server::start() else { return };
    LocalSet::new()
        .run_until(async {
            let relay = relay(&server, None).await;
            let bench = |arguments: Vec<&'static str>| {
                let mut command = Command::new(server.program("pgbench"));
                command.args(["-h", "127.0.0.1", "-p", &relay.port.to_string(), "-U", "postgres"]);
                command.args(arguments).arg("postgres");
                async move { command.output().await.unwrap() }
            };
            let made = bench(vec!["-i", "-q", "-s", "1"]).await;
            assert!(made.status.success(), "{}", texts(&made).1);
            for mode in ["simple", "extended", "prepared"] {
                let ran = bench(vec!["-n", "-M", mode, "-c", "4", "-t", "50"]).await;
                let (out, err) = texts(&ran);
                assert!(ran.status.success(), "{mode}: {err}");
                assert!(
                    out.contains("number of transactions actually processed: 200/200"),
                    "{mode}: {out}"
                );
                assert!(
                    out.contains("number of failed transactions: 0 (0.000%)"),
                    "{mode}: {out}"
                );
            }
        })
        .await;
}

#[tokio::test]
async fn a_cancel_request_ends_what_runs_and_what_is_held() {
    let Some(server) = Server::start() else { return };
    LocalSet::new()
        .run_until(async {
            let relay = relay(&server, None).await;
            for (sql, words) in [
                ("select pg_sleep(60)", "user request"),
                ("select 'risky'", "user request"),
            ] {
                let mut client = TcpStream::connect(("127.0.0.1", relay.port)).await.unwrap();
                let mut out = BytesMut::new();
                write::startup(&mut out, [("user", "postgres")]);
                client.write_all(&out).await.unwrap();
                let mut input = BytesMut::new();
                let greeted = until_ready(&mut client, &mut input).await;
                let key = greeted.iter().find(|frame| frame.tag() == b'K').unwrap();
                let key = super::codec::backend::backend_key(key.body()).unwrap();
                let mut query = BytesMut::new();
                write::query(&mut query, sql);
                client.write_all(&query).await.unwrap();
                tokio::time::sleep(Duration::from_millis(200)).await;
                let mut cancel = BytesMut::new();
                write::cancel_request(&mut cancel, key);
                TcpStream::connect(("127.0.0.1", relay.port))
                    .await
                    .unwrap()
                    .write_all(&cancel)
                    .await
                    .unwrap();
                let answers = until_ready(&mut client, &mut input);
                let frames = tokio::time::timeout(Duration::from_secs(20), answers).await.unwrap();
                let error = frames.iter().find(|frame| frame.tag() == b'E').unwrap();
                let report = super::codec::backend::Report::decode(error.body()).unwrap();
                assert_eq!(report.text(b'C').as_deref(), Some("57014"));
                assert!(report.text(b'M').unwrap().contains(words));
            }
        })
        .await;
}

/// A pseudo-random sequence (Knuth's constants): a failing seed can be run again.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }

    fn one<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len() as u64) as usize]
    }
}

/// One pipeline: what a client could send without waiting for any answer.
fn pipeline(random: &mut Random) -> BytesMut {
    const TEXTS: &[&str] = &[
        "select 1",
        "select generate_series(1, 5)",
        "select 1/0",
        "select nothing",
        "not sql",
        "",
        "begin",
        "commit",
        "rollback",
        "savepoint a",
        "rollback to a",
        "select 1 where false",
        "show jit",
        "insert into kept values (1)",
        "insert into kept values (1) returning *",
        "declare c cursor for select generate_series(1, 9)",
        "fetch 2 from c",
        "close c",
        "deallocate s",
    ];
    const QUERIES: &[&str] = &[
        "select 1; select 2",
        "begin; select 1/0; commit",
        "prepare s as select 5",
        "execute s",
        "begin; declare c cursor for select 7; fetch all from c; commit",
        "deallocate all",
        "copy (select generate_series(1, 3)) to stdout",
        "discard all",
    ];
    let (names, portals) = (["", "s", "t"], ["", "p", "c"]);
    let mut out = BytesMut::new();
    let data = |out: &mut BytesMut, end: u8| {
        write::message(out, b'd', |out| out.extend_from_slice(b"1\n2\n"));
        write::message(out, end, |out| {
            if end == b'f' {
                write::string(out, "no")
            }
        });
    };
    for _ in 0..random.below(14) + 2 {
        match random.below(20) {
            0..4 => write::parse(&mut out, random.one(&names), random.one(TEXTS)),
            4..8 => write::bind(&mut out, random.one(&portals), random.one(&names)),
            8..11 => {
                let (portal, rows) = (random.one(&portals), random.below(3));
                write::message(&mut out, b'E', |out| {
                    write::string(out, portal);
                    out.extend_from_slice(&(rows as u32).to_be_bytes());
                });
            }
            11 => write::describe_portal(&mut out, random.one(&portals)),
            12 => write::describe_statement(&mut out, random.one(&names)),
            13 => write::close_statement(&mut out, random.one(&names)),
            14 => write::close_portal(&mut out, random.one(&portals)),
            15 => write::flush(&mut out),
            16 => write::query(&mut out, random.one(TEXTS)),
            17 => write::query(&mut out, random.one(QUERIES)),
            18 if random.below(2) == 0 => {
                write::query(&mut out, "copy kept from stdin");
                data(&mut out, if random.below(3) == 0 { b'f' } else { b'c' });
            }
            18 => {
                write::sync(&mut out);
                write::parse(&mut out, "", "copy kept from stdin");
                write::bind(&mut out, "", "");
                write::execute(&mut out, "");
                data(&mut out, if random.below(3) == 0 { b'f' } else { b'c' });
                write::sync(&mut out);
            }
            _ => write::sync(&mut out),
        }
    }
    write::sync(&mut out);
    write::terminate(&mut out);
    out
}

/// What a server answers to a pipeline, message by message: tag, and the code of an error.
async fn answers(port: u16, sent: &[u8], pieces: usize) -> Vec<String> {
    let mut client = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
    client.set_nodelay(true).unwrap();
    let mut out = BytesMut::new();
    write::startup(&mut out, [("user", "postgres"), ("database", "postgres")]);
    client.write_all(&out).await.unwrap();
    let mut input = BytesMut::new();
    until_ready(&mut client, &mut input).await;
    for piece in sent.chunks(sent.len().div_ceil(pieces)) {
        client.write_all(piece).await.unwrap();
        tokio::task::yield_now().await;
    }
    let all = async { while client.read_buf(&mut input).await.unwrap_or(0) > 0 {} };
    let ended = tokio::time::timeout(Duration::from_secs(20), all).await;
    let mut answers = Vec::new();
    while let Some(frame) = Frame::next(Side::Server, &mut input).unwrap() {
        answers.push(match frame.tag() {
            b'E' => {
                let report = super::codec::backend::Report::decode(frame.body()).unwrap();
                format!("E {} {}", report.text(b'V').unwrap(), report.text(b'C').unwrap())
            }
            b'N' | b'S' => continue,
            tag => format!("{} {:?}", char::from(tag), String::from_utf8_lossy(frame.body())),
        });
    }
    if ended.is_err() {
        answers.push("did not end".into());
    }
    // Who says anything but data while the server takes data has lost the protocol's thread; the server says so twice.
    if let Some(lost) = answers.iter().position(|answer| answer.ends_with("08P01")) {
        answers.truncate(lost);
    }
    answers
}

#[tokio::test]
async fn random_pipelines_are_answered_as_by_the_server_itself() {
    let Some(server) = Server::start() else { return };
    server.psql("create unlogged table kept (a int)");
    LocalSet::new()
        .run_until(async {
            let relay = relay(&server, None).await;
            for seed in 0..200 {
                let mut random = Random(seed);
                random.below(2);
                let sent = pipeline(&mut random);
                let direct = answers(server.port(), &sent, 1).await;
                for pieces in [1, random.below(20) as usize + 2] {
                    let through = answers(relay.port, &sent, pieces).await;
                    assert_eq!(
                        through,
                        direct,
                        "seed {seed} in {pieces} pieces: {:?}",
                        String::from_utf8_lossy(&sent)
                    );
                }
            }
        })
        .await;
}
