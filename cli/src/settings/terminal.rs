//! What this terminal can do beyond text.

use crate::settings::environment::Environment;

/// How the terminal shows a desktop notification.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Notification {
    /// It does not, or is not known to.
    #[default]
    None,
    /// `OSC 9 ; text`: iTerm2, kitty, WezTerm, Ghostty.
    Osc9,
    /// `OSC 777 ; notify ; title ; text`: urxvt, foot, Konsole, VTE.
    Osc777,
}

impl Notification {
    /// What the terminal says of itself. A terminal that does not know the sequence may print it, so none is sent to an unknown one, nor
    /// through a multiplexer, which passes only the bell on.
    pub fn of(environment: &Environment) -> Self {
        let term = environment.text("TERM").unwrap_or_default();
        let is = |prefix: &str| term.starts_with(prefix);
        if environment.value("TMUX").is_some() || environment.value("STY").is_some() || is("screen") || is("tmux") {
            return Self::None;
        }
        match environment.text("TERM_PROGRAM").as_deref() {
            Some("iTerm.app" | "WezTerm" | "ghostty") => return Self::Osc9,
            _ if is("xterm-kitty") || is("xterm-ghostty") => return Self::Osc9,
            _ => {}
        }
        let by_variable = ["KONSOLE_VERSION", "VTE_VERSION"]
            .iter()
            .any(|name| environment.value(name).is_some());
        if by_variable || is("foot") || is("rxvt-unicode") {
            return Self::Osc777;
        }
        Self::None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_notification_is_sent_only_where_the_terminal_is_known_to_have_it() {
        for (variables, expected) in [
            (vec![("TERM", "xterm-256color")], Notification::None),
            (vec![("TERM", "linux")], Notification::None),
            (vec![], Notification::None),
            (vec![("TERM", "xterm-kitty")], Notification::Osc9),
            (vec![("TERM", "foot")], Notification::Osc777),
            (
                vec![("TERM", "xterm-256color"), ("VTE_VERSION", "7200")],
                Notification::Osc777,
            ),
            (vec![("TERM_PROGRAM", "iTerm.app")], Notification::Osc9),
            (
                vec![("TERM_PROGRAM", "WezTerm"), ("TMUX", "/tmp/x,1,0")],
                Notification::None,
            ),
            (
                vec![("TERM", "screen.xterm-256color"), ("VTE_VERSION", "1")],
                Notification::None,
            ),
        ] {
            let environment: Environment = variables.clone().into_iter().collect();
            assert_eq!(Notification::of(&environment), expected, "{variables:?}");
        }
    }
}
