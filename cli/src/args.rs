//! The command line. Doc comments are the help.
//!
//! To add a command: a file in `command/` with its arguments (`#[derive(clap::Args)]`, the doc comment is the help, an example in
//! `after_help`) and a function `run(arguments, &Context) -> Result<u8>`; its variant here; its arm in `command::run`; then
//! `UPDATE=1 cargo test -p hoopctl --test cli` writes the completions and the help snapshots anew.

use clap::{Args, Parser, Subcommand};
use clap_complete::engine::ArgValueCandidates;

use crate::command;
use crate::complete;
use crate::printer::Output;

/// Reach databases through a gateway that knows who acts, decides about every statement, masks what must not be seen, and records it all.
#[derive(Debug, Parser)]
#[command(
    name = "hoopctl",
    version,
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100,
    after_help = "\
Examples:
  hoopctl login relay.example.com
  hoopctl ls
  hoopctl connect db-prod -- psql
  hoopctl exec db-prod -c 'SELECT count(*) FROM orders' -o json

Exit codes:
  0 done   1 failed   2 usage   3 configuration   4 login needed   5 blocked by policy
  6 waits for approval   7 approval denied   8 approval expired
  9 relay or target unreachable   10 session revoked or over its limit
  `connect NAME -- CLIENT` and `exec NAME -- CLIENT` return the client's own code;
  240 + the code above where the gateway refused or ended the session itself

Environment:
  HOOPCTL_RELAY, HOOPCTL_PROFILE, HOOPCTL_OUTPUT, HOOPCTL_CA_FILE, HOOPCTL_CONFIG_DIR,
  HOOPCTL_CREDENTIAL_STORE=keyring|file, HOOPCTL_ID_TOKEN, HOOPCTL_ID_TOKEN_FILE, HOOPCTL_LOG, NO_COLOR"
)]
pub struct Cli {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Options of every command.
#[derive(Clone, Debug, Default, Args)]
#[command(next_help_heading = "Global options")]
pub struct Global {
    /// How to print: data goes to stdout, everything else to stderr
    #[arg(short, long, global = true, value_parser = Output::plain(), value_name = "FORMAT")]
    pub output: Option<Output>,
    /// Say only what is needed
    #[arg(long, global = true)]
    pub quiet: bool,
    /// Never ask: what would need an answer is an error
    #[arg(long, global = true)]
    pub no_input: bool,
    /// The profile: one login at one relay [default: default]
    #[arg(long, global = true, value_name = "NAME", add = ArgValueCandidates::new(complete::profiles))]
    pub profile: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
#[allow(missing_docs, reason = "the help of a command is the doc comment of its arguments")]
pub enum Command {
    Login(command::login::LoginArgs),
    Logout(command::logout::LogoutArgs),
    Whoami(command::whoami::WhoamiArgs),
    Ls(command::ls::LsArgs),
    Status(command::status::StatusArgs),
    Doctor(command::doctor::DoctorArgs),
    Connect(command::connect::ConnectArgs),
    Exec(command::exec::ExecArgs),
    Requests(command::requests::RequestsArgs),
    Approve(command::approve::ApproveArgs),
    Deny(command::deny::DenyArgs),
    Sessions(command::sessions::SessionsArgs),
    Completions(command::completions::CompletionsArgs),
    #[command(hide = true)]
    ManPages(command::man_pages::ManPagesArgs),
}
