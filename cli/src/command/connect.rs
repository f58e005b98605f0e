//! `hoopctl connect`

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::Path;
use std::rc::Rc;
use std::time::Duration;

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use hoop_shared::refusal::Refusal;
use hoop_shared::wire::Opened;
use time::OffsetDateTime;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::oneshot;

use crate::client::address::{Address, Place};
use crate::client::directory::SocketDirectory;
use crate::client::door::{Door, Listener};
use crate::client::postgres::scram::{Verifier, one_time_password};
use crate::client::process::{self, Client};
use crate::complete;
use crate::context::{Context, lead, rfc3339, spoken};
use crate::error::{Error, Result};
use crate::printer::escape;
use crate::tunnel::Tunnel;

/// How long the relay's word about the end of a session may come after the end of its streams.
const WORD_OF_THE_END: Duration = Duration::from_millis(500);
/// The same where only the client has failed: short, since nearly always the failure is its own.
const WORD_AFTER_A_FAILURE: Duration = Duration::from_millis(150);

/// The longest sleep between two looks at the clock on the wall.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// Turns of the reactor that cancelled tasks are given.
const TURNS: usize = 100;

/// Open a session on a connection, for a client or for the programs that you start
///
/// With a client behind `--`: runs it, pointed at the session by PGHOST, PGPORT, PGUSER, PGDATABASE, PGPASSWORD and DATABASE_URL, and
/// ends with its exit code. Without: prints how to connect and stays until Ctrl-C; with `-o json`, until stdin ends.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  hoopctl connect db-prod -- psql
  hoopctl connect db-prod --reason 'ticket 4711' -- pg_dump -t orders
  hoopctl connect db-prod --listen 127.0.0.1:6432")]
pub struct ConnectArgs {
    /// The connection, as `hoopctl ls` names it
    #[arg(add = ArgValueCandidates::new(complete::connections))]
    name: String,
    /// Why: policy, approvers and the recording see it
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    /// Listen on a loopback port instead of a socket; clients need the session's one-time password. Port 0 takes any
    #[arg(long, value_name = "ADDR", value_parser = loopback)]
    listen: Option<SocketAddr>,
    /// The client to run, with its arguments
    #[arg(last = true, value_name = "CLIENT")]
    client: Vec<OsString>,
}

impl ConnectArgs {
    /// A client on a connection.
    pub fn with_client(name: String, reason: Option<String>, client: Vec<OsString>) -> Self {
        Self {
            name,
            reason,
            listen: None,
            client,
        }
    }
}

/// Reads an address on loopback: `IP:PORT`, `localhost:PORT` or a port alone.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    let on_localhost = |port: &str| {
        port.parse::<u16>()
            .ok()
            .map(|port| SocketAddr::from(([127, 0, 0, 1], port)))
    };
    let address = text
        .parse::<SocketAddr>()
        .ok()
        .or_else(|| {
            on_localhost(
                text.strip_prefix("localhost:")
                    .or_else(|| text.strip_prefix(':'))
                    .unwrap_or(text),
            )
        })
        .ok_or("expected IP:PORT, such as 127.0.0.1:6432")?;
    if !address.ip().is_loopback() {
        return Err("only loopback addresses: what listens elsewhere would let other machines in".to_owned());
    }
    Ok(address)
}

/// Runs the command.
///
/// # Errors
/// The gateway refuses or cannot be reached, the client does not start, or the session is ended from outside.
pub async fn run(arguments: ConnectArgs, context: &Context) -> Result<u8> {
    let Some((program, rest)) = arguments.client.split_first() else {
        let session = Session::open(&arguments, None, context).await?;
        let result = session.stay(context).await;
        session.end().await;
        return result.map(|()| 0);
    };
    process::find(program, &context.settings.program_path)?;
    let name = program_name(program);
    let opened = async {
        let session = Session::open(&arguments, Some(&name), context).await?;
        let application = context
            .settings
            .application_name
            .clone()
            .unwrap_or_else(|| name.clone());
        let variables = session.address.variables(&application);
        Ok((
            Client::start(program, rest, &variables, &context.settings.tls_variables),
            session,
        ))
    };
    let (started, session) = opened.await.map_err(Error::beside_a_client)?;
    let result = match started {
        Ok(client) => session.accompany(client, context).await,
        Err(error) => Err(error),
    };
    session.end().await;
    result.map_err(Error::beside_a_client)
}

fn program_name(program: &OsString) -> String {
    Path::new(program)
        .file_name()
        .unwrap_or(program)
        .to_string_lossy()
        .into_owned()
}

/// An open session with its local end.
struct Session {
    tunnel: Rc<Tunnel>,
    opened: Opened,
    address: Address,
    door: Door,
}

impl Session {
    async fn open(arguments: &ConnectArgs, client: Option<&str>, context: &Context) -> Result<Self> {
        let doing = || format!("cannot open {}", escape::line(&arguments.name));
        // What is wrong on this machine is said before anybody at the relay is asked.
        let password = one_time_password()?;
        let (listener, place) = listen(arguments.listen, &password, context).await?;
        let tunnel = context.tunnel().await.map_err(|error| error.doing(doing()))?;
        context.news.tell(&context.printer);
        let opened = {
            let opening = tunnel.open(&arguments.name, arguments.reason.as_deref(), client);
            let mut opening = std::pin::pin!(opening);
            loop {
                // An approval may take its time: what the relay says about it is shown while one waits.
                tokio::select! {
                    opened = &mut opening => break opened,
                    Some(notice) = tunnel.notice() => context.printer.say(escape::block(&notice)),
                }
            }
        };
        let opened = opened.map_err(|error| Error::from(error.refusal()).doing(doing()))?;
        let tunnel = Rc::new(tunnel);
        let address = Address {
            place,
            session: opened.session.clone(),
            connection: opened.connection.clone(),
            protocol: opened.protocol,
            user: opened.user.clone().unwrap_or_else(|| opened.connection.clone()),
            database: opened.database.clone().unwrap_or_else(|| opened.connection.clone()),
            password,
        };
        let door = Door::new(listener, Rc::clone(&tunnel), opened.session.clone());
        Ok(Self {
            tunnel,
            opened,
            address,
            door,
        })
    }

    /// Serves whoever connects until the person, the caller or the relay ends the session.
    async fn stay(&self, context: &Context) -> Result<()> {
        let printer = &context.printer;
        let failed = |error: std::io::Error| Error::io("cannot handle signals", &error);
        let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
        let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
        let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
        if printer.is_json() {
            printer.json(&self.address.to_json())?;
        } else {
            printer.text(self.address.for_people())?;
            printer.say(format_args!(
                "session {} on {} until {}; Ctrl-C ends it",
                self.opened.session,
                escape::line(&self.opened.connection),
                rfc3339(self.opened.expires)
            ));
        }
        tokio::select! {
            never = self.door.serve() => match never {},
            never = self.notices(context) => match never {},
            ended = self.tunnel.ended(&self.opened.session) => Err(ended_by_relay(&self.opened, ended)),
            () = end_of_stdin(), if printer.is_json() => Ok(()),
            _ = interrupt.recv() => Ok(()),
            _ = terminate.recv() => Ok(()),
            _ = hangup.recv() => Ok(()),
        }
    }

    /// Serves a client program until it ends; gives its exit code, or the error that took its session away.
    async fn accompany(&self, mut client: Client, context: &Context) -> Result<u8> {
        let mut ended = None;
        let code = {
            let around = async {
                tokio::select! {
                    never = self.door.serve() => match never {},
                    never = self.notices(context) => match never {},
                }
            };
            let (mut around, mut over) = (
                std::pin::pin!(around),
                std::pin::pin!(self.tunnel.ended(&self.opened.session)),
            );
            loop {
                tokio::select! {
                    code = client.wait() => break code?,
                    never = &mut around => match never {},
                    refusal = &mut over, if ended.is_none() => {
                        let error = ended_by_relay(&self.opened, refusal);
                        // The client may have to be told by its person: it is said at once. JSON is the last line, so it waits.
                        if context.printer.is_json() {
                            context.printer.say(escape::line(&error.to_string()));
                        } else {
                            context.printer.error(&error);
                        }
                        ended = Some(error);
                    }
                }
            }
        };
        if code == 0 {
            return Ok(0);
        }
        // The end of the streams and the word about it travel apart.
        let said = ended.is_some();
        if ended.is_none() {
            // A client that reads its last error may hang up before the relay does.
            let patience = if self.door.relay_hung_up() {
                WORD_OF_THE_END
            } else {
                WORD_AFTER_A_FAILURE
            };
            let word = tokio::time::timeout(patience, self.tunnel.ended(&self.opened.session)).await;
            ended = word.ok().map(|refusal| ended_by_relay(&self.opened, refusal));
        }
        match ended {
            Some(error) if said && !context.printer.is_json() => Ok(error.beside_a_client().exit_code()),
            Some(error) => Err(error),
            None => Ok(code),
        }
    }

    /// Shows what the relay says, and in time that the session ends, for ever.
    async fn notices(&self, context: &Context) -> std::convert::Infallible {
        let said = async {
            while let Some(notice) = self.tunnel.notice().await {
                context.printer.say(escape::block(&notice));
            }
        };
        tokio::join!(said, self.warn_before_the_end(context));
        std::future::pending().await
    }

    /// Waits until the session ends soon, and says so.
    async fn warn_before_the_end(&self, context: &Context) {
        let left = || self.opened.expires - OffsetDateTime::now_utc();
        let lead = lead(left());
        // A laptop's sleep does not move the end: the clock on the wall is looked at again.
        while let Some(early) = Some(left() - lead).filter(|early| early.is_positive()) {
            tokio::time::sleep(early.unsigned_abs().min(LONGEST_SLEEP)).await;
        }
        context.printer.say(format_args!(
            "session {} on {} ends in {}, at {}",
            self.opened.session,
            escape::line(&self.opened.connection),
            spoken(left()),
            rfc3339(self.opened.expires)
        ));
    }

    /// Ends the session and the tunnel, with a goodbye.
    async fn end(self) {
        drop(self.door);
        self.tunnel.end(&self.opened.session).await;
        // Clients' tasks were cancelled with the door's future: they let go of the tunnel at their next turn.
        let mut tunnel = self.tunnel;
        for _ in 0..TURNS {
            match Rc::try_unwrap(tunnel) {
                Ok(last) => return last.close().await,
                Err(shared) => tunnel = shared,
            }
            tokio::task::yield_now().await;
        }
    }
}

fn ended_by_relay(opened: &Opened, refusal: Refusal) -> Error {
    Error::from(refusal).doing(format!("session {} on {} ended", opened.session, opened.connection))
}

/// Listens where clients will look.
async fn listen(
    port: Option<SocketAddr>,
    password: &secrecy::SecretString,
    context: &Context,
) -> Result<(Listener, Place)> {
    let Some(wanted) = port else {
        let settings = &context.settings;
        let (directory, listener) = SocketDirectory::make(settings.runtime_dir.as_deref(), &settings.temp_dir)?;
        let place = Place::Socket(directory.path().to_owned());
        return Ok((Listener::Socket(directory, listener), place));
    };
    let failed = |error: std::io::Error| {
        Error::io(format!("cannot listen on {wanted}"), &error).hint("choose another port, or 0 for any")
    };
    let listener = TcpListener::bind(wanted).await.map_err(failed)?;
    let bound = listener.local_addr().map_err(failed)?;
    Ok((
        Listener::Port(listener, Rc::new(Verifier::of(password)?)),
        Place::Port(bound),
    ))
}

/// Waits for the end of stdin. The thread that reads it is left behind when something else comes first.
async fn end_of_stdin() {
    let (ended, end) = oneshot::channel();
    let reader = std::thread::Builder::new().name("stdin".to_owned()).spawn(move || {
        // An error is an end too.
        let _ = std::io::copy(&mut std::io::stdin().lock(), &mut std::io::sink());
        // Nobody may be waiting any more.
        let _ = ended.send(());
    });
    if reader.is_err() || end.await.is_err() {
        std::future::pending::<()>().await;
    }
}

#[cfg(test)]
mod tests {
    use hoop_shared::refusal::Code;

    use super::*;

    #[test]
    fn only_loopback_is_listened_on() {
        for text in [
            "127.0.0.1:0",
            "127.8.0.1:6432",
            "[::1]:6432",
            "localhost:6432",
            ":6432",
            "6432",
        ] {
            assert!(loopback(text).is_ok_and(|address| address.ip().is_loopback()), "{text}");
        }
        for text in [
            "0.0.0.0:6432",
            "[::]:6432",
            "192.168.0.1:1",
            "example.com:1",
            "",
            "x",
            "127.0.0.1",
            "65536",
        ] {
            assert!(loopback(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_session_that_is_taken_away_has_the_code_beside_a_clients() {
        assert_eq!(Error::new(Code::SessionRevoked, "x").beside_a_client().exit_code(), 250);
        assert_eq!(Error::new(Code::Blocked, "x").beside_a_client().exit_code(), 245);
    }

    #[test]
    fn a_program_is_named_without_its_directory() {
        assert_eq!(program_name(&"/usr/bin/psql".into()), "psql");
        assert_eq!(program_name(&"psql".into()), "psql");
    }
}
