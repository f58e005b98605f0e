//! `hoopctl doctor`

use anstyle::AnsiColor;
use clap::Args;
use serde::Serialize;

use crate::context::Context;
use crate::credentials::Login;
use crate::error::{Error, Result};
use crate::printer::{Printer, escape};

mod here;
mod relay;

/// Check everything that a login and a connect need; each problem comes with its fix
///
/// On this machine: configuration, permissions, login, certificate, keyring, clients. On the way: name, TCP, TLS, UDP. At the relay: its
/// version and clock, the identity providers as it reaches them, and what policy says about each connection that you may use.
/// The exit code is 1 where something must be fixed; a client that is not installed is not among that.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoopctl doctor\n  hoopctl doctor -o json")]
pub struct DoctorArgs {}

/// What was looked at, and what was found.
#[derive(Debug, Serialize)]
struct Check {
    check: String,
    ok: bool,
    detail: String,
    fix: Option<String>,
    /// Nothing depends on it but what one wants to do.
    #[serde(skip)]
    optional: bool,
}

impl Check {
    fn good(check: &str, detail: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            ok: true,
            detail: detail.into(),
            fix: None,
            optional: false,
        }
    }

    fn bad(check: &str, detail: impl Into<String>, fix: impl Into<String>) -> Self {
        Self {
            check: check.to_owned(),
            ok: false,
            detail: detail.into(),
            fix: Some(fix.into()),
            optional: false,
        }
    }

    fn of_error(check: &str, error: &Error) -> Self {
        let hint = error.refusal().hint.clone();
        Self::bad(
            check,
            error.to_string(),
            hint.unwrap_or_else(|| "see the detail".to_owned()),
        )
    }

    fn optional(mut self) -> Self {
        self.optional = true;
        self
    }
}

/// Runs the command. Its exit code is 1 where a check failed.
///
/// # Errors
/// Stdout cannot be written.
pub async fn run(_: DoctorArgs, context: &Context) -> Result<u8> {
    let mut checks = Vec::new();
    let login: Option<Login> = here::login(context, &mut checks).await;
    relay::checks(login.as_ref(), context, &mut checks).await;
    here::clients(&context.settings.program_path, &mut checks).await;
    context.printer.show(&checks, |checks| text(checks, &context.printer))?;
    let healthy = checks.iter().all(|check| check.ok || check.optional);
    Ok(u8::from(!healthy))
}

fn text(checks: &[Check], printer: &Printer) -> String {
    let width = checks
        .iter()
        .map(|check| check.check.chars().count())
        .max()
        .unwrap_or(0);
    let mut text = String::new();
    for check in checks {
        let (mark, colour) = match (check.ok, check.optional) {
            (true, _) => ("ok  ", AnsiColor::Green),
            (false, true) => ("none", AnsiColor::Yellow),
            (false, false) => ("FAIL", AnsiColor::Red),
        };
        let (mark, detail) = (printer.paint_data(colour, mark), escape::line(&check.detail));
        text.push_str(&format!("{mark}  {:<width$}  {detail}\n", escape::line(&check.check)));
        if let Some(fix) = &check.fix {
            text.push_str(&format!("      {:<width$}  fix: {}\n", "", escape::line(fix)));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_check_always_has_a_fix() {
        assert!(Check::of_error("x", &Error::failed("y")).fix.is_some());
        assert!(Check::bad("x", "y", "z").fix.is_some());
    }

    #[test]
    fn each_line_says_how_it_stands_and_a_fix_stands_below() {
        let checks = [
            Check::good("dns", "fine\u{1b}[2J"),
            Check::bad("clock", "wrong", "set it"),
            Check::bad("psql", "not on the PATH", "install it").optional(),
        ];
        assert_eq!(
            text(&checks, &Printer::new(crate::printer::Manner::default())),
            "ok    dns    fine\\x1b[2J\nFAIL  clock  wrong\n             fix: set it\nnone  psql   not on the PATH\n             fix: install it\n"
        );
    }
}
