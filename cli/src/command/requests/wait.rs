//! Waiting for a decision: long questions to the relay, one after another, through short losses of the way there.

use std::time::Duration;

use hoop_shared::api::{Request, RequestStatus, RunShown};
use hoop_shared::id::{RequestId, SessionId};
use hoop_shared::refusal::Code;
use tokio::time::Instant;

use super::{WaitArgs, ended, path, show};
use crate::context::Context;
use crate::error::Result;
use crate::exec::follow::{Follow, Part};
use crate::exec::rows::{Pipe, ResultFile};
use crate::exec::waiting::Patience;
use crate::login::at_hand;
use crate::relay_api::RelayApi;

/// How long the relay is asked to wait at a time.
const AT_A_TIME: Duration = Duration::from_secs(50);
/// How much longer its answer may take on the way.
const ON_THE_WAY: Duration = Duration::from_secs(15);
/// How long the relay may be out of reach before waiting ends.
const UNREACHABLE: Duration = Duration::from_secs(60);
/// Between tries.
const PAUSE: Duration = Duration::from_secs(2);

/// Waits for a request: for the result of what an `exec` left, else for what is decided.
pub(super) async fn run(arguments: WaitArgs, context: &Context) -> Result<u8> {
    let context = at_hand::context(context).await?;
    let relay = context.relay().await?;
    let begun = Instant::now();
    let request: Request = relay.get(&path(&arguments.id)).await?;
    if !can_be_followed(&relay, &request.session).await? {
        let request = until_decided(&relay, &arguments.id, arguments.wait).await?;
        // Its client may have left it meanwhile.
        if request.status == RequestStatus::Pending || !can_be_followed(&relay, &request.session).await? {
            show(&request, &context)?;
            return ended(&request);
        }
    }
    let file = match arguments.result_file {
        Some(path) => Some((ResultFile::make(&path)?, path)),
        None => None,
    };
    let pipe = Pipe::start(file)?;
    let follow = Follow {
        relay: &relay,
        session: request.session,
        request: Some(arguments.id),
        part: Part::Left,
        patience: match arguments.wait {
            Some(longest) => Patience::For(longest.saturating_sub(begun.elapsed())),
            None => Patience::Ttl,
        },
        output: context.printer.output(),
        null: arguments.null,
    };
    let followed = follow.run(&pipe, &context).await;
    let written = pipe.end(followed.is_ok()).await;
    followed?;
    written.map(|()| 0)
}

/// Whether a session is a run whose result is kept for us.
async fn can_be_followed(relay: &RelayApi, session: &SessionId) -> Result<bool> {
    match relay.get::<RunShown>(&format!("/v1/runs/{session}")).await {
        Ok(run) => Ok(run.is_left || run.has_key),
        Err(error) if error.code() == Code::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Waits until a request is no longer pending, or `longest` is over: then it is still pending.
///
/// # Errors
/// The relay refuses, or stays out of reach.
async fn until_decided(relay: &RelayApi, id: &RequestId, longest: Option<Duration>) -> Result<Request> {
    let until = longest.and_then(|longest| Instant::now().checked_add(longest));
    let mut reached = Instant::now();
    loop {
        let left = until.map_or(AT_A_TIME, |until| {
            until.saturating_duration_since(Instant::now()).min(AT_A_TIME)
        });
        // A part of a second is waited here: the relay counts whole ones.
        let question = format!("{}/wait?seconds={}", path(id), left.as_secs());
        match relay.get_within::<Request>(&question, left + ON_THE_WAY).await {
            Ok(request) => {
                reached = Instant::now();
                let over = until.is_some_and(|until| Instant::now() + Duration::from_millis(10) >= until);
                if request.status != RequestStatus::Pending || over {
                    return Ok(request);
                }
                if left < Duration::from_secs(1) {
                    tokio::time::sleep(left).await;
                }
            }
            Err(error) if error.code() == Code::RelayUnreachable && reached.elapsed() < UNREACHABLE => {
                tokio::time::sleep(PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}
