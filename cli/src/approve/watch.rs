//! `hoopctl approve --watch`: a line for each request that waits, then one for each that is new or changed. For bots.

use std::collections::HashMap;
use std::rc::Rc;

use hoop_shared::api::{Request, RequestStatus};
use hoop_shared::id::RequestId;
use hoop_shared::refusal::Code;
use time::OffsetDateTime;

use super::detail;
use super::feed::{Detail, Feed, News};
use crate::command::requests::{path, shortened};
use crate::context::{Context, rfc3339};
use crate::error::Result;
use crate::printer::escape;
use crate::relay_api::RelayApi;

/// What is told again only when it changes: where a request stands, and how many decided.
type State = (RequestStatus, usize);

/// Writes until the login ends, or nobody reads any more.
///
/// # Errors
/// There is no login, or the relay refuses.
pub async fn run(context: &Context) -> Result<u8> {
    let relay = Rc::new(RelayApi::of(&context.login().await?, &context.news)?);
    let mut feed = Feed::start(Rc::clone(&relay), Detail::Usual, usize::MAX);
    let mut told: HashMap<RequestId, State> = HashMap::new();
    let mut trouble = None;
    loop {
        match feed.next().await {
            News::Page(requests) | News::Changed(requests) => {
                for request in requests {
                    let state = (request.status, request.decisions.len());
                    let known = told.get(&request.id).copied();
                    if request.status == RequestStatus::Pending || request.status == RequestStatus::Approved {
                        told.insert(request.id.clone(), state);
                    } else {
                        told.remove(&request.id);
                    }
                    if known != Some(state) {
                        write(&whole(&relay, request).await?, context)?;
                    }
                }
            }
            News::OutOfTouch(why) => {
                if trouble.as_ref() != Some(&why) {
                    context
                        .printer
                        .say(format_args!("trying again: {}", escape::line(&why)));
                    trouble = Some(why);
                }
            }
            News::InTouch => {
                context.printer.say("the relay answers again");
                trouble = None;
            }
            News::Begin => context.news.tell(&context.printer),
            News::Complete => {}
            News::Over(error) => return Err(error),
        }
    }
}

/// A list has the beginning of what is long; a bot gets all of it.
async fn whole(relay: &RelayApi, listed: Request) -> Result<Request> {
    if !listed.details.iter().any(|(name, _)| name == "shortened") {
        return Ok(listed);
    }
    match relay.get(&path(&listed.id)).await {
        // It may be seen no more, or not now: the list's has at least what changed.
        Err(error) if matches!(error.code(), Code::NotFound | Code::RelayUnreachable | Code::RelayFault) => Ok(listed),
        fetched => fetched,
    }
}

fn write(request: &Request, context: &Context) -> Result<()> {
    context
        .printer
        .show(request, |request| line(request, OffsetDateTime::now_utc()))
}

fn line(request: &Request, now: OffsetDateTime) -> String {
    format!(
        "{} {} {}, {} on {}: {}",
        rfc3339(now),
        request.id,
        detail::status(request, now),
        escape::line(&request.principal),
        escape::line(&request.connection),
        shortened(&request.statement),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::approve::detail::samples::{NOW, request};

    #[test]
    fn a_line_says_what_happened_to_which_request() {
        assert_eq!(
            line(&request(1, "agent\u{1b}", "select 1"), NOW),
            "2026-11-24T03:42:17Z r-000000000001 pending, 13m left, agent\\x1b on db-prod: select 1"
        );
    }
}
