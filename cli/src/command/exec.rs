//! `hoopctl exec`

use std::ffi::OsString;
use std::io::{IsTerminal, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use hoop_shared::refusal::Code;
use hoop_shared::wire::run::LONGEST_KEY;

use crate::command::connect::{self, ConnectArgs};
use crate::complete;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::exec::follow::{Follow, Part};
use crate::exec::job::{Job, Ran};
use crate::exec::rows::{Pipe, ResultFile};
use crate::exec::script::{self, Parameters};
use crate::exec::waiting::Patience;
use crate::login::at_hand;
use crate::printer::{Output, span};

/// Bytes of a script: one of the relay's messages may be as long, and larger loads are for COPY.
const LONGEST_SCRIPT: u64 = 16 << 20;

/// Run statements on a connection and print their results, without any client installed
///
/// Runs what -c, -f or the standard input say, one statement after another, and stops at the first error. Each -c is one message, as with
/// psql; a file or the standard input is split into its statements. What waits for approval is waited for, and with --no-wait left: the
/// relay runs it once it is approved, and `hoopctl requests wait ID` gives the result. Without a login, the workload token that is at hand
/// is used (see `hoopctl login --workload`). With `-- CLIENT`, runs a client as `hoopctl connect` does.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hoopctl exec db-prod -c 'SELECT count(*) FROM orders' -o json
  hoopctl exec db-prod -c 'SELECT * FROM orders WHERE id = :id' --param id=7
  hoopctl exec db-prod -f migration.sql --single-transaction --wait 30m
  hoopctl exec db-prod -c 'DELETE FROM orders WHERE id = 7' --no-wait --idempotency-key job-4711
  hoopctl exec db-prod -- pg_dump -t orders

NULL: `NULL` in a table, nothing in CSV (the empty text is \"\" there), null in JSON.
Values in JSON are as PostgreSQL's to_json has them.")]
pub struct ExecArgs {
    /// The connection, as `hoopctl ls` names it
    #[arg(add = ArgValueCandidates::new(complete::connections))]
    name: String,
    /// A statement to run; may be given several times
    #[arg(short, long = "command", value_name = "STATEMENT", conflicts_with = "file")]
    command: Vec<String>,
    /// A file of statements; `-` is the standard input, which is also read where neither -c nor -f is given
    #[arg(short, long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// A value for :NAME (or $N) in the statements: bound, never spliced in. Without `=VALUE` it is NULL
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    parameters: Vec<(String, Option<String>)>,
    /// All of it in one transaction: everything or nothing
    #[arg(short = '1', long)]
    single_transaction: bool,
    /// Why: policy, approvers and the recording see it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// How long to wait for approvals at most; then what waits is left, as with --no-wait [default: until they expire]
    #[arg(long, value_name = "DURATION", value_parser = span::parse, conflicts_with = "no_wait")]
    wait: Option<Duration>,
    /// Do not wait for approvals: exit with 6, and leave the rest to the relay
    #[arg(long)]
    no_wait: bool,
    /// Never run the same twice under this key: a second call gives the first one's result, or waits for it
    #[arg(long, value_name = "KEY", value_parser = key)]
    idempotency_key: Option<String>,
    /// How to print rows [default: table]
    #[arg(id = "output", short, long = "output", value_name = "FORMAT", value_parser = Output::of_rows(), hide_default_value = true)]
    output: Option<Output>,
    /// What NULL is in a table or CSV
    #[arg(long, value_name = "TEXT")]
    null: Option<String>,
    /// Write the results to this file, readable by you alone, once all of it is there
    #[arg(long, value_name = "FILE")]
    result_file: Option<PathBuf>,
    /// A client to run instead, with its arguments
    #[arg(
        last = true,
        value_name = "CLIENT",
        conflicts_with_all = ["command", "file", "parameters", "single_transaction", "wait", "no_wait", "idempotency_key", "null", "result_file"]
    )]
    client: Vec<OsString>,
}

fn parameter(text: &str) -> Result<(String, Option<String>), String> {
    let (name, value) = match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    };
    let is_name = !name.is_empty()
        && name.chars().all(|c| c.is_alphanumeric() || c == '_')
        && (name.bytes().all(|byte| byte.is_ascii_digit()) || !name.starts_with(|c: char| c.is_ascii_digit()));
    if is_name {
        Ok((name.to_owned(), value))
    } else {
        Err("expected NAME=VALUE, where NAME has letters, digits and _".to_owned())
    }
}

fn key(text: &str) -> Result<String, String> {
    let fits = (1..=LONGEST_KEY).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!(
            "a key has 1 to {LONGEST_KEY} printable ASCII characters without blanks"
        ))
    }
}

/// Runs the command.
///
/// # Errors
/// There is nothing to run, the gateway refuses or cannot be reached, a statement fails, or its approval is left, denied or expired.
pub async fn run(arguments: ExecArgs, context: &Context) -> Result<u8> {
    if !arguments.client.is_empty() {
        let context = at_hand::context(context).await.map_err(Error::beside_a_client)?;
        let connect = ConnectArgs::with_client(arguments.name, arguments.reason, arguments.client);
        return connect::run(connect, &context).await;
    }
    let (texts, is_script) = texts(&arguments)?;
    let mut parameters = Parameters::new();
    for (name, value) in arguments.parameters {
        if parameters.insert(name.clone(), value).is_some() {
            return Err(Error::new(Code::Usage, format!("the parameter {name} is given twice")));
        }
    }
    let job = Job {
        connection: arguments.name,
        reason: arguments.reason,
        units: script::units(&texts, is_script, &parameters)?,
        single_transaction: arguments.single_transaction,
        patience: match (arguments.wait, arguments.no_wait) {
            (_, true) => Patience::None,
            (Some(longest), false) => Patience::For(longest),
            (None, false) => Patience::Ttl,
        },
        key: arguments.idempotency_key,
        null: arguments.null,
        output: context.printer.output(),
    };
    // A place that cannot be written is found before anything runs.
    let file = match arguments.result_file {
        Some(path) => Some((ResultFile::make(&path)?, path)),
        None => None,
    };
    let context = at_hand::context(context).await?;
    let pipe = Pipe::start(file)?;
    let ran = ran(&job, &pipe, &context).await;
    let written = pipe.end(ran.is_ok()).await;
    ran?;
    written.map(|()| 0)
}

/// Runs a job, or follows the same one that was begun before.
async fn ran(job: &Job, pipe: &Pipe, context: &Context) -> Result<()> {
    let session = match job.run(pipe, context).await? {
        Ran::Done => return Ok(()),
        Ran::Before(session) => session,
    };
    context.printer.say(format_args!(
        "this key was used before, in session {session}: nothing runs again, its result follows"
    ));
    let relay = context.relay().await?;
    let follow = Follow {
        relay: &relay,
        session,
        request: None,
        part: Part::All,
        patience: job.patience,
        output: job.output,
        null: job.null.clone(),
    };
    follow.run(pipe, context).await
}

/// What is to be run, and whether it is a script.
fn texts(arguments: &ExecArgs) -> Result<(Vec<String>, bool)> {
    if !arguments.command.is_empty() {
        return Ok((arguments.command.clone(), false));
    }
    let text = match &arguments.file {
        Some(path) if path != Path::new("-") => crate::settings::read_small(path, LONGEST_SCRIPT)
            .map_err(|error| Error::io(format!("cannot read {}", path.display()), &error))?,
        None if std::io::stdin().is_terminal() => {
            return Err(
                Error::new(Code::Usage, "there is nothing to run").hint("give a statement with -c or a file with -f")
            );
        }
        _ => {
            let mut text = String::new();
            let read = std::io::stdin()
                .lock()
                .take(LONGEST_SCRIPT + 1)
                .read_to_string(&mut text)
                .map_err(|error| Error::io("cannot read the standard input", &error))?;
            if read as u64 > LONGEST_SCRIPT {
                return Err(Error::new(Code::Usage, "the standard input is longer than 16 MiB")
                    .hint("load more with COPY: `hoopctl connect NAME -- psql`"));
            }
            text
        }
    };
    Ok((vec![text], true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_has_a_name_and_a_value_or_is_null() {
        assert_eq!(parameter("id=7"), Ok(("id".to_owned(), Some("7".to_owned()))));
        assert_eq!(parameter("a_1=x=y"), Ok(("a_1".to_owned(), Some("x=y".to_owned()))));
        assert_eq!(parameter("empty="), Ok(("empty".to_owned(), Some(String::new()))));
        assert_eq!(parameter("nothing"), Ok(("nothing".to_owned(), None)));
        assert_eq!(parameter("1=x"), Ok(("1".to_owned(), Some("x".to_owned()))));
        for wrong in ["", "=x", "a b=c", "1a=x", "a;=x"] {
            assert!(parameter(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_key_is_plain() {
        assert!(key("job-4711/step:2").is_ok());
        for wrong in ["", "a b", "a\n", "é", &"x".repeat(201)] {
            assert!(key(wrong).is_err(), "{wrong}");
        }
    }
}
