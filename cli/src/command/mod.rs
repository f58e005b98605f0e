//! One file for each command: its arguments, and what it does.

use crate::args::Command;
use crate::context::Context;
use crate::error::Result;

pub mod approve;
pub mod completions;
pub mod connect;
pub mod deny;
pub mod doctor;
pub mod exec;
pub mod login;
pub mod logout;
pub mod ls;
pub mod man_pages;
pub mod requests;
pub mod sessions;
pub mod status;
pub mod whoami;

/// Runs a command; gives its exit code.
///
/// # Errors
/// Whatever makes the command fail; the error has its exit code.
pub async fn run(command: Command, context: &Context) -> Result<u8> {
    match command {
        Command::Login(arguments) => login::run(arguments, context).await,
        Command::Logout(arguments) => logout::run(arguments, context).await,
        Command::Whoami(arguments) => whoami::run(arguments, context).await,
        Command::Ls(arguments) => ls::run(arguments, context).await,
        Command::Status(arguments) => status::run(arguments, context).await,
        Command::Doctor(arguments) => doctor::run(arguments, context).await,
        Command::Connect(arguments) => connect::run(arguments, context).await,
        Command::Exec(arguments) => exec::run(arguments, context).await,
        Command::Requests(arguments) => requests::run(arguments, context).await,
        Command::Approve(arguments) => approve::run(arguments, context).await,
        Command::Deny(arguments) => deny::run(arguments, context).await,
        Command::Sessions(arguments) => sessions::run(arguments, context).await,
        Command::Completions(arguments) => completions::run(&arguments, context),
        Command::ManPages(arguments) => man_pages::run(&arguments, context),
    }
}
