//! Processes of a test: found beside the test binary, ended with it, never waited for without a deadline.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::time::{Duration, Instant};

/// No single command of a test takes longer.
const DEADLINE: Duration = Duration::from_secs(120);
/// How long anything may take that is waited for. Far above what it takes: a busy machine is slow, and that is no defect.
const PATIENCE: Duration = Duration::from_secs(60);

/// Where a binary of this workspace is: beside the test's own.
pub fn program(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the test binary has a path");
    let folder = test
        .parent()
        .and_then(std::path::Path::parent)
        .expect("target/PROFILE/deps");
    let program = folder.join(name);
    assert!(
        program.exists(),
        "{} is not built: run tests/run.sh, which builds it",
        program.display()
    );
    program
}

/// What a command left behind.
#[derive(Debug)]
pub struct Finished {
    /// Its exit code; 128 + n for a signal.
    pub code: i32,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    fn new(status: ExitStatus, output: &Output) -> Self {
        use std::os::unix::process::ExitStatusExt;
        Self {
            code: status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or(0)),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Passes it on if it ended with `code`, else shows everything.
    #[track_caller]
    pub fn expect_code(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    /// Standard output as JSON.
    #[track_caller]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|error| panic!("{error}: not JSON:\n{}\nstderr:\n{}", self.stdout, self.stderr))
    }
}

/// Runs a command to its end, killing it past the deadline.
#[track_caller]
pub fn run(command: &mut Command) -> Finished {
    let child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let child = child.unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"));
    Running::new(child).finish()
}

/// A process that a test started; killed when dropped.
pub struct Running {
    child: Option<Child>,
}

impl Running {
    /// Takes care of a child.
    pub fn new(child: Child) -> Self {
        Self { child: Some(child) }
    }

    /// The child, for its pipes.
    pub fn child(&mut self) -> &mut Child {
        self.child.as_mut().expect("not finished")
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.as_ref().expect("not finished").id()
    }

    /// Sends a signal by name: `INT`, `TERM`, `KILL`, `HUP`.
    pub fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .arg(format!("-{name}"))
            .arg(self.pid().to_string())
            .status()
            .expect("kill");
        assert!(sent.success(), "cannot send {name}");
    }

    /// Whether it has ended.
    pub fn ended(&mut self) -> bool {
        self.child().try_wait().expect("wait").is_some()
    }

    /// Waits for its end, reading both pipes meanwhile.
    #[track_caller]
    pub fn finish(self) -> Finished {
        self.finish_within(DEADLINE)
    }

    /// The same for a command that does much.
    #[track_caller]
    pub fn finish_within(mut self, limit: Duration) -> Finished {
        drop(self.child().stdin.take());
        self.wait(limit)
    }

    /// Waits for its end as [`Running::finish`] does, but leaves its standard input open.
    #[track_caller]
    pub fn finish_without_eof(self) -> Finished {
        self.wait(DEADLINE)
    }

    #[track_caller]
    fn wait(mut self, limit: Duration) -> Finished {
        let mut child = self.child.take().expect("finished once");
        let _stdin = child.stdin.take();
        let stdout = read_all(child.stdout.take());
        let stderr = read_all(child.stderr.take());
        let deadline = Instant::now() + limit;
        let (status, late) = loop {
            if let Some(status) = child.try_wait().expect("wait") {
                break (status, false);
            }
            if Instant::now() > deadline {
                child.kill().expect("kill");
                break (child.wait().expect("wait"), true);
            }
            std::thread::sleep(Duration::from_millis(5));
        };
        let output = Output {
            status,
            stdout: stdout.join().expect("reader"),
            stderr: stderr.join().expect("reader"),
        };
        let finished = Finished::new(status, &output);
        assert!(
            !late,
            "still running after {DEADLINE:?}; stdout:\n{}\nstderr:\n{}",
            finished.stdout, finished.stderr
        );
        finished
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn read_all(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        bytes
    })
}

/// Python with the drivers of the tests, and a script.
pub fn python(script: &str) -> Command {
    let interpreter =
        std::env::var_os("HOOP_TEST_PYTHON").expect("tests/run.sh installs the drivers and sets HOOP_TEST_PYTHON");
    let mut command = Command::new(interpreter);
    command.args(["-c", script]).env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Waits until `holds` gives something, or fails with `what`.
#[track_caller]
pub fn eventually<T>(what: &str, mut holds: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(value) = holds() {
            return value;
        }
        assert!(Instant::now() < deadline, "did not happen in time: {what}");
        std::thread::sleep(Duration::from_millis(30));
    }
}
