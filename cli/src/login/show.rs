//! What both ways of a person to log in show: an address that is safe to open, and a line that moves while one waits.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::printer::Printer;

/// Whether a URI may be shown and opened: https, or http on loopback; printable; nothing that a shell or terminal could take for its own.
pub(super) fn fit_to_open(uri: &str) -> bool {
    let printable = uri
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !b"\"'`\\<>|".contains(&byte));
    let Ok(parsed) = reqwest::Url::parse(uri) else {
        return false;
    };
    let scheme_fits = match parsed.scheme() {
        "https" => true,
        "http" => match parsed.host_str() {
            Some("localhost") => true,
            Some(host) => host
                .trim_matches(['[', ']'])
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback()),
            None => false,
        },
        _ => false,
    };
    printable && scheme_fits && parsed.username().is_empty() && parsed.password().is_none()
}

/// A line that moves while one waits, on a terminal alone.
pub(super) struct Waiting(Option<ProgressBar>);

impl Waiting {
    pub(super) fn start(printer: &Printer) -> Self {
        if !printer.stderr_is_terminal() || printer.is_quiet() {
            return Self(None);
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        bar.set_style(ProgressStyle::default_spinner());
        bar.set_message("waiting for you to confirm in the browser (Ctrl-C gives up)");
        bar.enable_steady_tick(Duration::from_millis(120));
        Self(Some(bar))
    }

    pub(super) fn say(&self, text: &str, printer: &Printer) {
        match &self.0 {
            Some(bar) => bar.suspend(|| printer.say(text)),
            None => printer.say(text),
        }
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if let Some(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_safe_urls_are_shown() {
        for uri in [
            "https://login.example/device?user_code=ABCD-EFGH",
            "http://127.0.0.1:8080/device",
            "http://localhost/x",
            "http://[::1]:1/",
        ] {
            assert!(fit_to_open(uri), "{uri}");
        }
        for uri in [
            "http://login.example/device",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "-x",
            "https://u:p@login.example/",
            "https://login.example/\u{1b}[2J",
            "https://login.example/`id`",
            "http://127.0.0.1.example/",
            "",
        ] {
            assert!(!fit_to_open(uri), "{uri}");
        }
    }
}
