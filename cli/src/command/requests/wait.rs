//! Waiting for a decision: long questions to the relay, one after another, through short losses of the way there.

use std::time::Duration;

use hoop_shared::api::{Request, RequestStatus};
use hoop_shared::id::RequestId;
use hoop_shared::refusal::Code;
use tokio::time::Instant;

use super::path;
use crate::error::Result;
use crate::relay_api::RelayApi;

/// How long the relay is asked to wait at a time.
const AT_A_TIME: Duration = Duration::from_secs(50);
/// How much longer its answer may take on the way.
const ON_THE_WAY: Duration = Duration::from_secs(15);
/// How long the relay may be out of reach before waiting ends.
const UNREACHABLE: Duration = Duration::from_secs(60);
/// Between tries.
const PAUSE: Duration = Duration::from_secs(2);

/// Waits until a request is no longer pending, or `longest` is over: then it is still pending.
///
/// # Errors
/// The relay refuses, or stays out of reach.
pub async fn until_decided(relay: &RelayApi, id: &RequestId, longest: Option<Duration>) -> Result<Request> {
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
