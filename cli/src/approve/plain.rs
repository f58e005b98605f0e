//! The queue in lines, for screen readers and for terminals that cannot be drawn on: nothing moves, nothing is overwritten, and nothing is
//! said by colour or place alone. A request keeps its number for as long as it is there, and no other one gets it.

use std::rc::Rc;
use std::time::{Duration, Instant};

use hoop_shared::api::Request;
use hoop_shared::refusal::Code;
use time::OffsetDateTime;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};

use super::alert::Alert;
use super::detail::{self, describe_with};
use super::feed::{Detail, Feed, News};
use super::list::{Entry, List};
use super::{MOST, decide, fetch};
use crate::command::requests::shortened;
use crate::context::Context;
use crate::error::{Error, Result};
use crate::printer::span::{between, short};
use crate::printer::{Printer, escape};
use crate::relay_api::RelayApi;

/// How many requests are listed at a time.
const PAGE: usize = 20;
/// Between looks whether it is time to ring.
const TICK: Duration = Duration::from_secs(1);
/// Bytes of a line of input.
const LONGEST_LINE: usize = 4_000;

const COMMANDS: &str = "\
list           read the list, `more` goes on
NUMBER         read a request
a NUMBER       approve it: it is read first, then a reason and a yes are asked for
d NUMBER       deny it, in the same way
f WORDS        list only what has all of them; `f` alone lists all
q              leave";

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
enum Command {
    List,
    More,
    Show(usize),
    Decide { number: usize, approve: bool },
    Filter(String),
    Help,
    Quit,
}

fn command(line: &str) -> Option<Command> {
    let (word, rest) = line.trim().split_once(char::is_whitespace).unwrap_or((line.trim(), ""));
    let number = |text: &str| text.trim().parse().ok();
    match word {
        "" | "l" | "list" => Some(Command::List),
        "m" | "more" => Some(Command::More),
        "f" | "filter" => Some(Command::Filter(rest.trim().to_owned())),
        "q" | "quit" | "exit" => Some(Command::Quit),
        "h" | "help" | "?" => Some(Command::Help),
        "a" | "approve" => number(rest).map(|number| Command::Decide { number, approve: true }),
        "d" | "deny" => number(rest).map(|number| Command::Decide { number, approve: false }),
        word if rest.is_empty() => number(word).map(Command::Show),
        _ => None,
    }
}

/// Reads commands until the person leaves; gives the exit code.
///
/// # Errors
/// There is no login, the relay refuses, or the terminal cannot be used.
pub async fn run(context: &Context) -> Result<u8> {
    let login = context.login().await?;
    let relay = Rc::new(RelayApi::of(&login, &context.news)?);
    let mut talk = Talk {
        feed: Feed::start(Rc::clone(&relay), Detail::Brief, MOST),
        relay,
        list: List::new(login.whoami.principal.clone(), MOST),
        alert: Alert::new(context.printer.is_quiet(), context.settings.notification),
        lines: BufReader::new(stdin()).lines(),
        printer: context.printer,
        place: 0,
    };
    while talk.list.is_loading() {
        let news = talk.feed.next().await;
        talk.take(news)?;
    }
    context.news.tell(&context.printer);
    talk.say_list(0)?;
    talk.out("Type help for the commands.")?;
    loop {
        let Some(line) = talk.ask("Command: ").await? else {
            return Ok(0);
        };
        match command(&line) {
            Some(Command::Quit) => return Ok(0),
            Some(Command::List) => talk.say_list(0)?,
            Some(Command::More) => talk.say_list(talk.place)?,
            Some(Command::Filter(words)) => {
                talk.list.set_filter(words);
                talk.say_list(0)?;
            }
            Some(Command::Show(number)) => drop(talk.show(number).await?),
            Some(Command::Decide { number, approve }) => talk.decide(number, approve).await?,
            Some(Command::Help) => talk.out(COMMANDS)?,
            None => talk.out("That is no command. Type help for the commands.")?,
        }
    }
}

struct Talk {
    feed: Feed,
    relay: Rc<RelayApi>,
    list: List,
    alert: Alert,
    lines: Lines<BufReader<Stdin>>,
    printer: Printer,
    /// Where `more` goes on.
    place: usize,
}

impl Talk {
    fn out(&self, text: impl AsRef<str>) -> Result<()> {
        self.printer.text(text)
    }

    /// Asks for a line; what happens meanwhile is said. `None` at the end of the input.
    async fn ask(&mut self, question: &str) -> Result<Option<String>> {
        self.printer.prompt(question)?;
        let mut tick = tokio::time::interval(TICK);
        loop {
            tokio::select! {
                line = self.lines.next_line() => {
                    let line = line.map_err(|error| Error::io("cannot read this terminal", &error))?;
                    return Ok(line.map(|line| line.chars().take(LONGEST_LINE).collect()));
                }
                news = self.feed.next() => {
                    if self.take(news)? {
                        self.printer.prompt(question)?;
                    }
                }
                _ = tick.tick() => {
                    if let Some(ring) = self.alert.due(Instant::now()) {
                        self.printer.prompt(&ring)?;
                    }
                }
            }
        }
    }

    /// Takes news; says whether something was said about them.
    fn take(&mut self, news: News) -> Result<bool> {
        match news {
            News::Begin => self.list.begin(),
            News::Complete => drop(self.list.complete()),
            News::Page(requests) => drop(self.list.take(requests)),
            News::Changed(requests) => return self.changed(requests),
            News::OutOfTouch(why) => {
                self.out(format!(
                    "\nThe relay does not answer, trying again: {}",
                    escape::line(&why)
                ))?;
                return Ok(true);
            }
            News::InTouch => {
                self.out("\nThe relay answers again.")?;
                return Ok(true);
            }
            News::Over(error) => return Err(error),
        }
        Ok(false)
    }

    fn changed(&mut self, requests: Vec<Request>) -> Result<bool> {
        let taken = self.list.take(requests);
        let now = OffsetDateTime::now_utc();
        let arrived: Vec<String> = taken
            .arrived
            .iter()
            .filter_map(|key| self.list.get(key))
            .take(PAGE)
            .map(|entry| format!("New: {}", line(entry, now)))
            .collect();
        for entry in taken.arrived.iter().filter_map(|key| self.list.get(key)) {
            self.alert.came(&entry.principal, &entry.connection);
        }
        if arrived.is_empty() {
            return Ok(false);
        }
        let more = taken.arrived.len().saturating_sub(arrived.len());
        let more = if more > 0 {
            format!("\nAnd {more} more.")
        } else {
            String::new()
        };
        self.out(format!("\n{}{more}", arrived.join("\n")))?;
        Ok(true)
    }

    fn say_list(&mut self, from: usize) -> Result<()> {
        let now = OffsetDateTime::now_utc();
        let (waiting, own) = self.list.totals();
        let shown: Vec<String> = self.list.from(from).take(PAGE).map(|entry| line(entry, now)).collect();
        let mut text = match waiting {
            1 => "1 request waits for your decision".to_owned(),
            many => format!("{many} requests wait for your decision"),
        };
        if own > 0 {
            text.push_str(&format!(", {own} of yours for others"));
        }
        if !self.list.filter().is_empty() {
            text.push_str(&format!(
                ", {} with {}",
                self.list.len(),
                escape::line(self.list.filter())
            ));
        }
        text.push('.');
        self.place = from + shown.len();
        for line in shown {
            text.push('\n');
            text.push_str(&line);
        }
        let left = self.list.len().saturating_sub(self.place);
        if left > 0 {
            text.push_str(&format!("\n{left} more: type more."));
        }
        self.out(text)
    }

    /// Reads out a request, whole; `None` where it cannot be.
    async fn show(&mut self, number: usize) -> Result<Option<Request>> {
        let Some(id) = self.list.numbered(number).map(|entry| entry.id.clone()) else {
            self.out(format!("Number {number} does not wait, or no longer."))?;
            return Ok(None);
        };
        match fetch(&self.relay, &id).await {
            Ok(whole) => {
                let lines = describe_with(&whole.request, whole.past.as_deref(), OffsetDateTime::now_utc());
                self.out(detail::text(&lines, false))?;
                Ok(Some(whole.request))
            }
            Err(error) if error.code() == Code::LoginNeeded => Err(error),
            Err(error) => {
                self.out(format!("{id} cannot be read: {}", escape::line(&error.to_string())))?;
                Ok(None)
            }
        }
    }

    async fn decide(&mut self, number: usize, approve: bool) -> Result<()> {
        let Some(request) = self.show(number).await? else {
            return Ok(());
        };
        let (id, verb) = (request.id.clone(), if approve { "approve" } else { "deny" });
        let question = if approve {
            "Reason, empty for none: "
        } else {
            "Reason: "
        };
        let Some(reason) = self.ask(question).await? else {
            return Ok(());
        };
        let reason = Some(reason.trim().to_owned()).filter(|reason| !reason.is_empty());
        if !approve && reason.is_none() {
            return self.out("A denial needs a reason: who asked is told. Nothing was decided.");
        }
        let question = format!("{verb} {id} by {}? Type yes: ", escape::line(&request.principal));
        let Some(answer) = self.ask(&question).await? else {
            return Ok(());
        };
        if answer.trim() != "yes" {
            return self.out(format!("{id} is left as it is."));
        }
        match decide(&self.relay, &id, approve, reason).await {
            Ok(decided) => self.out(format!("{id} is {}.", detail::word(decided.status))),
            Err(error) if error.code() == Code::LoginNeeded => Err(error),
            Err(error) => self.out(format!("{id} is not decided: {}", escape::line(&error.to_string()))),
        }
    }
}

/// One request in a line.
fn line(entry: &Entry, now: OffsetDateTime) -> String {
    format!(
        "{}. {} on {}, {} left: {}",
        entry.number,
        escape::line(&entry.principal),
        escape::line(&entry.connection),
        short(between(now, entry.expires)),
        shortened(&entry.statement),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_command_or_nothing() {
        for (line, expected) in [
            ("", Some(Command::List)),
            (" 12 ", Some(Command::Show(12))),
            (
                "a 3",
                Some(Command::Decide {
                    number: 3,
                    approve: true,
                }),
            ),
            (
                "deny 3",
                Some(Command::Decide {
                    number: 3,
                    approve: false,
                }),
            ),
            ("f who:ana orders", Some(Command::Filter("who:ana orders".to_owned()))),
            ("f", Some(Command::Filter(String::new()))),
            ("a", None),
            ("a x", None),
            ("yes", None),
            ("12 13", None),
            ("-1", None),
        ] {
            assert_eq!(command(line), expected, "{line:?}");
        }
    }
}
