//! A client that writes PostgreSQL's messages by hand, in any order, through `hoopctl connect`.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::process::Stdio;
use std::time::Duration;

use crate::person::Person;
use crate::process::Running;

/// One connection of a client of its own.
pub struct Wire {
    socket: UnixStream,
    read: Vec<u8>,
    /// Keeps the session open.
    _session: Running,
}

/// Answers up to a point.
#[derive(Debug)]
pub struct Answers(Vec<(u8, Vec<u8>)>);

/// The client's messages.
pub mod message {
    fn framed(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut out = vec![tag];
        out.extend(u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        out.extend_from_slice(body);
        out
    }

    fn text(out: &mut Vec<u8>, text: &str) {
        out.extend_from_slice(text.as_bytes());
        out.push(0);
    }

    /// Query.
    pub fn query(sql: &str) -> Vec<u8> {
        let mut body = Vec::new();
        text(&mut body, sql);
        framed(b'Q', &body)
    }

    /// Parse, with the parameters' types.
    pub fn parse(name: &str, sql: &str, types: &[u32]) -> Vec<u8> {
        let mut body = Vec::new();
        text(&mut body, name);
        text(&mut body, sql);
        body.extend(u16::try_from(types.len()).unwrap().to_be_bytes());
        body.extend(types.iter().flat_map(|ty| ty.to_be_bytes()));
        framed(b'P', &body)
    }

    /// Bind, with values as text.
    pub fn bind(portal: &str, statement: &str, values: &[&str]) -> Vec<u8> {
        let mut body = Vec::new();
        text(&mut body, portal);
        text(&mut body, statement);
        body.extend([0, 0]);
        body.extend(u16::try_from(values.len()).unwrap().to_be_bytes());
        for value in values {
            body.extend(u32::try_from(value.len()).unwrap().to_be_bytes());
            body.extend_from_slice(value.as_bytes());
        }
        body.extend([0, 0]);
        framed(b'B', &body)
    }

    /// Describe of a statement.
    pub fn describe(name: &str) -> Vec<u8> {
        let mut body = vec![b'S'];
        text(&mut body, name);
        framed(b'D', &body)
    }

    /// Execute; 0 rows are all.
    pub fn execute(portal: &str, rows: u32) -> Vec<u8> {
        let mut body = Vec::new();
        text(&mut body, portal);
        body.extend(rows.to_be_bytes());
        framed(b'E', &body)
    }

    /// Parse, Bind, Execute of an unnamed statement.
    pub fn run(sql: &str) -> Vec<u8> {
        [parse("", sql, &[]), bind("", "", &[]), execute("", 0)].concat()
    }

    /// Sync.
    pub fn sync() -> Vec<u8> {
        framed(b'S', &[])
    }

    /// Flush.
    pub fn flush() -> Vec<u8> {
        framed(b'H', &[])
    }
}

impl Wire {
    /// Opens a session and a connection of it, past the startup.
    #[track_caller]
    pub fn open(person: &Person<'_>) -> Self {
        let script = "echo \"$PGHOST/.s.PGSQL.$PGPORT\"; echo \"$PGUSER\"; echo \"$PGDATABASE\"; cat >/dev/null";
        let mut command = person.command(&["connect", "db-prod", "--reason", "test", "--", "sh", "-c", script]);
        let child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("hoopctl");
        let mut session = Running::new(child);
        let mut lines = BufReader::new(session.child().stdout.take().expect("a pipe")).lines();
        let mut line = || lines.next().expect("a line").expect("text");
        let (path, user, database) = (line(), line(), line());
        let socket = UnixStream::connect(path).expect("the session's socket");
        socket
            .set_read_timeout(Some(Duration::from_secs(30)))
            .expect("a timeout");
        let mut wire = Self {
            socket,
            read: Vec::new(),
            _session: session,
        };
        let mut startup = 196_608_u32.to_be_bytes().to_vec();
        for text in ["user", &user, "database", &database, ""] {
            startup.extend_from_slice(text.as_bytes());
            startup.push(0);
        }
        let length = u32::try_from(startup.len() + 4).expect("short").to_be_bytes();
        wire.send(&[&length[..], &startup]);
        wire.answers(1);
        wire
    }

    /// Sends messages in one write.
    pub fn send(&mut self, messages: &[&[u8]]) {
        self.socket.write_all(&messages.concat()).expect("the session reads");
    }

    /// Reads up to the `count`th `ReadyForQuery`, or to a notice that something waits for people.
    #[track_caller]
    pub fn answers(&mut self, count: usize) -> Answers {
        let mut answers = Vec::new();
        let mut left = count;
        while left > 0 {
            let (tag, body) = self.next();
            left -= usize::from(tag == b'Z');
            let held = tag == b'N' && body.windows(9).any(|window| window == b"waits for");
            answers.push((tag, body));
            if held {
                break;
            }
        }
        Answers(answers)
    }

    /// Reads up to the first message of this kind.
    #[track_caller]
    pub fn until(&mut self, tag: u8) -> Answers {
        let mut answers = Vec::new();
        while answers.last().is_none_or(|(last, _)| *last != tag) {
            answers.push(self.next());
        }
        Answers(answers)
    }

    /// Runs a simple query.
    #[track_caller]
    pub fn query(&mut self, sql: &str) -> Answers {
        self.send(&[&message::query(sql)]);
        self.answers(1)
    }

    #[track_caller]
    fn next(&mut self) -> (u8, Vec<u8>) {
        loop {
            if let Some(length) = self.read.get(1..5) {
                let length = u32::from_be_bytes(length.try_into().unwrap()) as usize + 1;
                if self.read.len() >= length {
                    let message: Vec<u8> = self.read.drain(..length).collect();
                    return (message[0], message[5..].to_vec());
                }
            }
            let mut buffer = [0; 8192];
            let read = self.socket.read(&mut buffer).expect("an answer in time");
            assert!(read > 0, "the connection ended");
            self.read.extend_from_slice(&buffer[..read]);
        }
    }
}

impl Answers {
    /// Every byte of them, as text.
    pub fn text(&self) -> String {
        let bodies = self.0.iter().map(|(tag, body)| {
            let body = String::from_utf8_lossy(body).replace('\0', " ");
            format!("{} {body}\n", char::from(*tag))
        });
        bodies.collect()
    }

    /// The texts of its errors.
    pub fn errors(&self) -> Vec<String> {
        let errors = self.0.iter().filter(|(tag, _)| *tag == b'E');
        errors
            .map(|(_, body)| String::from_utf8_lossy(body).replace('\0', " "))
            .collect()
    }

    /// Something of it waits for people.
    pub fn holds(&self) -> bool {
        self.text().contains("waits for approval")
    }
}
