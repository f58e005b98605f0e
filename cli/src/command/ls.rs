//! `hoopctl ls`

use clap::Args;
use hoop_shared::api::ConnectionListed;

use crate::context::Context;
use crate::error::Result;
use crate::printer::table;

/// List the connections that you may use, and what policy will ask of you
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  hoopctl ls\n  hoopctl ls --tag env:prod --tag team:shop -o json")]
pub struct LsArgs {
    /// Only connections that have this tag; given several times, all of them
    #[arg(long, value_name = "K:V")]
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
        let rows: Vec<Vec<String>> = connections.iter().map(row).collect();
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

fn row(connection: &ConnectionListed) -> Vec<String> {
    vec![
        connection.name.clone(),
        connection.protocol.to_string(),
        connection.tags.join(" "),
        connection.asks.join(", "),
    ]
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
}
