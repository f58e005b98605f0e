//! `hoopctl ls`

use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use hoop_shared::api::ConnectionListed;

use crate::complete;
use crate::context::Context;
use crate::error::Result;
use crate::printer::table;

/// List the connections that you may use, and what policy will ask of you
///
/// What is asked is computed by the relay's policies for you, at this hour and from here: `allow`, `block`, `approval by GROUP`, or
/// `depends` with the rules that may match, by their names, where the statement decides.
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoopctl ls\n  hoopctl ls --tag env:prod --tag team:shop -o json")]
pub struct LsArgs {
    /// Only connections that have this tag; given several times, all of them
    #[arg(long, value_name = "K:V", add = ArgValueCandidates::new(complete::tags))]
    tag: Vec<String>,
}

/// Runs the command.
///
/// # Errors
/// There is no login, or the relay cannot be asked.
pub async fn run(arguments: LsArgs, context: &Context) -> Result<u8> {
    let mut connections: Vec<ConnectionListed> = context.relay().await?.get("/v1/connections").await?;
    connections.retain(|connection| has_all(connection, &arguments.tag));
    context.printer.show(&connections, |connections| {
        if connections.is_empty() {
            return String::new();
        }
        let rows: Vec<Vec<String>> = connections.iter().flat_map(rows).collect();
        table(&["NAME", "PROTOCOL", "TAGS", "ASKS"], &rows)
    })?;
    if connections.is_empty() {
        let with = if arguments.tag.is_empty() {
            ""
        } else {
            " with these tags"
        };
        context
            .printer
            .say(format_args!("no connection{with} may be used by you"));
    }
    Ok(0)
}

fn has_all(connection: &ConnectionListed, tags: &[String]) -> bool {
    tags.iter().all(|tag| connection.tags.contains(tag))
}

/// What is asked stands one below another: it is too much for one line.
fn rows(connection: &ConnectionListed) -> Vec<Vec<String>> {
    let mut asks = connection.asks.iter().cloned();
    let first = vec![
        connection.name.clone(),
        connection.protocol.to_string(),
        connection.tags.join(" "),
        asks.next().unwrap_or_default(),
    ];
    let below = asks.map(|ask| vec![String::new(), String::new(), String::new(), ask]);
    std::iter::once(first).chain(below).collect()
}

#[cfg(test)]
mod tests {
    use hoop_shared::protocol::Protocol;

    use super::*;

    #[test]
    fn every_tag_must_be_there() {
        let connection = ConnectionListed {
            name: "db".to_owned(),
            protocol: Protocol::Postgres,
            tags: vec!["env:prod".to_owned(), "team:shop".to_owned()],
            asks: Vec::new(),
        };
        assert!(has_all(&connection, &[]));
        assert!(has_all(&connection, &["team:shop".to_owned(), "env:prod".to_owned()]));
        assert!(!has_all(&connection, &["env:prod".to_owned(), "team:x".to_owned()]));
        assert!(!has_all(&connection, &["env".to_owned()]));
    }

    #[test]
    fn what_is_asked_stands_one_below_another() {
        let connection = ConnectionListed {
            name: "db".to_owned(),
            protocol: Protocol::Postgres,
            tags: vec!["env:prod".to_owned()],
            asks: vec!["read: allow".to_owned(), "write: approval by dba".to_owned()],
        };
        assert_eq!(
            table(&["NAME", "PROTOCOL", "TAGS", "ASKS"], &rows(&connection)),
            "NAME  PROTOCOL  TAGS      ASKS\ndb    postgres  env:prod  read: allow\n                          write: approval by dba\n"
        );
    }
}
