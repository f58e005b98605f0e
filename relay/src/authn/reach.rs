//! Whether the identity providers for people can be asked at this moment.

use std::time::{Duration, Instant};

use futures::future::join_all;
use hoop_shared::api::ProviderReached;

use super::Authn;

/// Whoever asks within this time gets the same answer: no number of askers makes the relay ask a provider more often.
const KEPT: Duration = Duration::from_secs(5);

/// The last answer.
#[derive(Debug, Default)]
pub(super) struct Reached(tokio::sync::Mutex<Option<(Instant, Vec<ProviderReached>)>>);

impl Authn {
    /// Asks each identity provider for people who it is, and says which of them answer.
    pub async fn reach_providers(&self) -> Vec<ProviderReached> {
        let mut last = self.reached.0.lock().await;
        if let Some((_, known)) = last.as_ref().filter(|(at, _)| at.elapsed() < KEPT) {
            return known.clone();
        }
        let issuers = self.issuers();
        let asked = issuers.people.iter().map(|person| async {
            let problem = person.issuer.reach().await.err();
            ProviderReached {
                name: person.config.name.clone(),
                ok: problem.is_none(),
                problem: problem.map(|problem| problem.to_string()),
            }
        });
        let reached = join_all(asked).await;
        *last = Some((Instant::now(), reached.clone()));
        reached
    }
}
