//! The terminal while the queue has it: raw mode, the alternate screen, and colours as every colour terminal knows them.

use std::io::{self, Stdout, Write};

use crossterm::terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode};
use crossterm::{cursor, execute};
use ratatui::backend::CrosstermBackend;

use crate::error::{Error, Result};

/// What is drawn on.
pub type Screen = ratatui::Terminal<CrosstermBackend<Classic<Stdout>>>;

/// The terminal in raw mode on its alternate screen, until it is dropped. A panic restores it too, before its message is written.
pub struct Terminal(pub Screen);

impl Terminal {
    /// Takes the terminal.
    ///
    /// # Errors
    /// It cannot be used.
    pub fn enter() -> Result<Self> {
        let taken = || {
            enable_raw_mode()?;
            execute!(io::stdout(), EnterAlternateScreen)?;
            Screen::new(CrosstermBackend::new(Classic::new(io::stdout())))
        };
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            restore();
            before(panic);
        }));
        match taken() {
            Ok(screen) => Ok(Self(screen)),
            Err(error) => {
                restore();
                Err(unusable(&error))
            }
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        restore();
    }
}

/// Gives the terminal back. Nobody can be told that it is gone.
fn restore() {
    let _ = disable_raw_mode();
    let _ = execute!(io::stdout(), LeaveAlternateScreen, cursor::Show);
}

/// The error of a terminal that cannot be used.
pub fn unusable(error: &io::Error) -> Error {
    Error::io("cannot use this terminal", error)
}

/// Writes what is drawn in one piece, with the first 16 colours in the old form (`ESC [ 36 m`, ECMA-48) in place of that of 256-colour
/// terminals (`ESC [ 38 ; 5 ; 6 m`), which others read as blinking.
#[derive(Debug)]
pub struct Classic<W> {
    out: W,
    pending: Vec<u8>,
}

impl<W: Write> Classic<W> {
    /// Writes to `out`.
    pub fn new(out: W) -> Self {
        Self {
            out,
            pending: Vec::new(),
        }
    }
}

impl<W: Write> Write for Classic<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.pending.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let bytes = std::mem::take(&mut self.pending);
        self.out.write_all(&classic(&bytes))?;
        self.out.flush()
    }
}

/// Rewrites the colours of whole sequences. What is drawn is flushed only after whole ones.
fn classic(bytes: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    while let Some(place) = rest.windows(2).position(|pair| pair == b"\x1b[") {
        let (before, sequence) = rest.split_at(place);
        out.extend_from_slice(before);
        let parameters = sequence.get(2..).unwrap_or_default();
        let length = parameters
            .iter()
            .take_while(|byte| matches!(byte, b'0'..=b'9' | b';'))
            .count();
        let (parameters, after) = parameters.split_at(length);
        out.extend_from_slice(b"\x1b[");
        if after.first() == Some(&b'm') {
            out.extend_from_slice(graphics(&String::from_utf8_lossy(parameters)).as_bytes());
        } else {
            out.extend_from_slice(parameters);
        }
        rest = after;
    }
    out.extend_from_slice(rest);
    out
}

/// The parameters of a colour sequence, in the old form where there is one.
fn graphics(parameters: &str) -> String {
    let all: Vec<&str> = parameters.split(';').collect();
    let mut rest = all.as_slice();
    let mut out: Vec<String> = Vec::new();
    while let [first, more @ ..] = rest {
        rest = more;
        if let ("38" | "48", ["5", number, behind @ ..]) = (*first, more)
            && let Ok(number @ 0..16) = number.parse::<u8>()
        {
            let bright = if number < 8 { 30 } else { 90 - 8 };
            let ground = if *first == "48" { 10 } else { 0 };
            out.push((bright + ground + number).to_string());
            rest = behind;
        } else {
            out.push((*first).to_owned());
        }
    }
    out.join(";")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_16_colours_are_written_as_old_terminals_read_them() {
        for (drawn, written) in [
            ("\x1b[38;5;6mx", "\x1b[36mx"),
            ("\x1b[38;5;9;48;5;0mx", "\x1b[91;40mx"),
            ("\x1b[1m\x1b[48;5;15m", "\x1b[1m\x1b[107m"),
            ("\x1b[39;49m\x1b[0m", "\x1b[39;49m\x1b[0m"),
            ("\x1b[38;5;16m\x1b[38;2;1;2;3m", "\x1b[38;5;16m\x1b[38;2;1;2;3m"),
            ("\x1b[3;5Hé\x1b[?25l\x1b[m", "\x1b[3;5Hé\x1b[?25l\x1b[m"),
            ("plain \x1b", "plain \x1b"),
        ] {
            let mut out = Vec::new();
            let mut writer = Classic::new(&mut out);
            // As it is drawn: in small pieces.
            for byte in drawn.as_bytes() {
                assert!(writer.write_all(&[*byte]).is_ok());
            }
            assert!(writer.flush().is_ok());
            assert_eq!(String::from_utf8_lossy(&out), written, "{drawn:?}");
        }
    }
}
