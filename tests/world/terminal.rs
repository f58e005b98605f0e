//! A real terminal for programs that need one: tmux holds it, keys go in, the screen comes out.

use std::path::PathBuf;
use std::process::Command;

use crate::process::{eventually, run};

/// What kind of terminal, and how large.
#[derive(Clone, Copy, Debug)]
pub struct Kind {
    /// What `TERM` says to the program.
    pub term: &'static str,
    /// Columns and lines.
    pub size: (u16, u16),
}

impl Default for Kind {
    fn default() -> Self {
        Self {
            term: "xterm-256color",
            size: (120, 40),
        }
    }
}

impl Kind {
    /// The smallest that programs must do with.
    pub fn small() -> Self {
        Self {
            size: (80, 24),
            ..Self::default()
        }
    }
}

/// One terminal with a program in it; both end when this is dropped.
pub struct Terminal {
    folder: tempfile::TempDir,
}

/// What the shell around the program prints when it has ended, before its exit code. In two parts: the command line shows them apart.
const ENDED: &str = "ended with code ";

impl Terminal {
    /// Starts a command with its environment on a terminal of 120 by 40. Afterwards its exit code and the terminal's modes are shown.
    #[track_caller]
    pub fn start(command: &Command) -> Self {
        Self::of_kind(Kind::default(), command)
    }

    /// The same on another kind of terminal.
    #[track_caller]
    pub fn of_kind(kind: Kind, command: &Command) -> Self {
        let folder = tempfile::Builder::new()
            .prefix("hoop-terminal")
            .tempdir()
            .expect("tempdir");
        let mut words = vec!["env".to_owned()];
        let mut changes: Vec<(String, Option<String>)> = command
            .get_envs()
            .map(|(name, value)| {
                let text = |part: &std::ffi::OsStr| part.to_str().expect("text").to_owned();
                (text(name), value.map(text))
            })
            .collect();
        changes.sort();
        // `env` takes what to remove first.
        for (name, _) in changes.iter().filter(|(_, value)| value.is_none()) {
            words.extend(["-u".to_owned(), name.clone()]);
        }
        for (name, value) in &changes {
            if let Some(value) = value {
                words.push(format!("{name}={value}"));
            }
        }
        words.push(command.get_program().to_str().expect("text").to_owned());
        words.extend(command.get_args().map(|word| word.to_str().expect("text").to_owned()));
        let quoted: Vec<String> = words
            .iter()
            .map(|word| format!("'{}'", word.replace('\'', "'\\''")))
            .collect();
        let (first, second) = ENDED.split_at(5);
        let script = format!(
            "trap : INT\nbefore=$(stty -g)\n{}\ncode=$?\n[ \"$(stty -g)\" = \"$before\" ] && echo terminal as before || echo terminal changed\n\
             printf '{first}%s%s\\n' '{second}' $code\nsleep 1000\n",
            quoted.join(" ")
        );
        let file = folder.path().join("run.sh");
        std::fs::write(&file, script).expect("run.sh");
        let config = folder.path().join("tmux.conf");
        std::fs::write(
            &config,
            format!(
                "set -g default-terminal {}\nset -g status off\nset -g escape-time 0\n",
                kind.term
            ),
        )
        .expect("tmux.conf");
        let terminal = Self { folder };
        terminal.tmux(&[
            "-u",
            "-f",
            &config.display().to_string(),
            "new-session",
            "-d",
            "-x",
            &kind.size.0.to_string(),
            "-y",
            &kind.size.1.to_string(),
            &format!("sh {}", file.display()),
        ]);
        terminal
    }

    fn socket(&self) -> PathBuf {
        self.folder.path().join("tmux")
    }

    #[track_caller]
    fn tmux(&self, arguments: &[&str]) -> String {
        let mut command = Command::new("tmux");
        command
            .arg("-S")
            .arg(self.socket())
            .args(arguments)
            .env("TERM", "xterm-256color")
            .env_remove("TMUX");
        run(&mut command).expect_code(0).stdout
    }

    /// What the terminal shows, with what has scrolled away.
    #[track_caller]
    pub fn screen(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-J", "-S", "-2000"])
    }

    /// What the terminal shows now, without what has scrolled away.
    #[track_caller]
    pub fn visible(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
    }

    /// Waits until the terminal shows all of these texts at once; gives what it shows then.
    #[track_caller]
    pub fn until(&self, texts: &[&str]) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually("a screen", || {
                last = self.visible();
                texts.iter().all(|text| last.contains(text)).then_some(())
            });
        }));
        assert!(
            found.is_ok(),
            "not all of {texts:?} are on the screen:\n{}",
            last.trim_end()
        );
        last
    }

    /// Keeps every byte that the program writes from now on; gives the file.
    #[track_caller]
    pub fn bytes(&self) -> PathBuf {
        let file = self.folder.path().join("bytes");
        std::fs::write(&file, "").expect("a file");
        self.tmux(&["pipe-pane", &format!("exec cat >> '{}'", file.display())]);
        file
    }

    /// The program's process id.
    #[track_caller]
    pub fn pid(&self) -> u32 {
        let shell = self.tmux(&["list-panes", "-F", "#{pane_pid}"]);
        let shell = shell.trim();
        eventually("the program runs", || {
            let children = std::fs::read_to_string(format!("/proc/{shell}/task/{shell}/children")).ok()?;
            children.split_whitespace().next()?.parse().ok()
        })
    }

    /// Types text.
    #[track_caller]
    pub fn type_text(&self, text: &str) {
        // At the end of an argument a semicolon is tmux's own.
        let text = text
            .strip_suffix(';')
            .map_or_else(|| text.to_owned(), |before| format!("{before}\\;"));
        self.tmux(&["send-keys", "-l", &text]);
    }

    /// Presses a key by tmux's name for it: `Enter`, `C-c`, `Down`.
    #[track_caller]
    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    /// Types a line and ends it.
    #[track_caller]
    pub fn enter(&self, line: &str) {
        self.type_text(line);
        self.press("Enter");
    }

    /// Waits until the terminal shows a text; gives all that it shows.
    #[track_caller]
    pub fn wait_for(&self, text: &str) -> String {
        let mut last = String::new();
        let found = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            eventually(text, || {
                last = self.screen();
                last.contains(text).then_some(())
            });
        }));
        assert!(
            found.is_ok(),
            "`{text}` does not appear on the terminal:\n{}",
            last.trim_end()
        );
        last
    }

    /// Waits for the program's end; gives its exit code. The terminal must be as it was before.
    #[track_caller]
    pub fn end(&self) -> i32 {
        let screen = self.wait_for(ENDED);
        assert!(screen.contains("terminal as before"), "{screen}");
        let code = screen
            .rsplit(ENDED)
            .next()
            .and_then(|rest| rest.split_whitespace().next());
        code.and_then(|code| code.parse().ok())
            .unwrap_or_else(|| panic!("no exit code:\n{screen}"))
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(self.socket())
            .arg("kill-server")
            .output();
    }
}
