//! Opening a session: the connection by its name, policy's answer to `connect`, an approval where it asks for one, the
//! limits, then the one place that makes a [`Grant`].

use std::net::IpAddr;
use std::sync::Arc;
use std::time::SystemTime;

use hoop_shared::id::SessionId;
use hoop_shared::refusal::{Code, Refusal};
use time::OffsetDateTime;

use super::{End, Grant, NewRun, Registry, Rules, Run, Session, SharedRules, same_connection};
use crate::approval::{Ask, Desk};
use crate::authn::Identity;
use crate::config::Connection;
use crate::policy::{Admission, AdmissionReview, Circumstances, ConnectBlocked, ConnectDecision, Reason, Verdict};
use crate::record::{Header, KeptResults, Recordings};

/// The longest reason, in characters: a sentence or two, shown to approvers and kept with the recording.
const LONGEST_REASON: usize = 1_000;
/// The longest name, in bytes, for which names like it are looked for.
const LONGEST_NAME: usize = 64;

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Wish {
    /// The connection's name.
    pub connection: String,
    /// Why.
    pub reason: Option<String>,
    /// Where it comes from.
    pub source: IpAddr,
    /// One run.
    pub run: Option<NewRun>,
}

/// Where sessions are opened.
#[derive(Clone, Debug)]
pub struct Door {
    /// What sessions run by.
    pub rules: SharedRules,
    /// Where operations, and sessions that need it, wait for approval.
    pub desk: Desk,
    /// The running sessions.
    pub registry: Arc<Registry>,
    /// Where sessions are recorded.
    pub recordings: Arc<Recordings>,
    /// Where results of runs are kept.
    pub results: Arc<KeptResults>,
}

impl Door {
    /// Opens a session. `held` is told what to say to the person while the session waits for approval.
    ///
    /// Cancel safe: dropped, a request that waits is withdrawn, and no session is left behind.
    ///
    /// # Errors
    /// There is no such connection, policy refuses, nobody approves, or a limit is reached.
    pub async fn open(
        &self,
        identity: Arc<Identity>,
        wish: Wish,
        held: impl Fn(String),
    ) -> Result<Arc<Session>, Refusal> {
        if wish
            .reason
            .as_ref()
            .is_some_and(|reason| reason.chars().count() > LONGEST_REASON)
        {
            let message = format!("the reason has more than {LONGEST_REASON} characters");
            return Err(Refusal::new(Code::Usage, message));
        }
        let rules = self.rules.load_full();
        let Some(connection) = rules.config().connection(&wish.connection) else {
            return Err(unknown(&rules, &identity, &wish));
        };
        let id =
            SessionId::random().map_err(|_| Refusal::new(Code::RelayFault, "the relay cannot make a session id"))?;
        let decision = rules
            .policies()
            .connect(&identity, connection, wish.reason.as_deref(), wish.source);
        let admission = match decision {
            ConnectDecision::Allow(admission) => admission,
            ConnectDecision::Block(blocked) => return Err(refused(&blocked, connection)),
            ConnectDecision::RequireApproval(review) => {
                self.approved(&id, &identity, connection, &wish, review, held).await?
            }
        };
        // While it waited the rules may have changed: what was approved was for this connection as it was.
        let now = self.rules.load_full();
        if !Arc::ptr_eq(&now, &rules) && !still_allowed(&now, &identity, connection, &wish) {
            return Err(changed());
        }
        let run = wish.run.as_ref().map(|new| Run::new(new, Arc::clone(&self.results)));
        let run = run
            .transpose()
            .map_err(|_| Refusal::new(Code::RelayFault, "the relay has no randomness"))?;
        let grant = grant(id, admission, identity, Arc::clone(connection), wish, &now)?;
        self.registry
            .room(grant.identity(), now.config().limits.sessions_per_principal)?;
        let recorder = self.recordings.start(&header(&grant)).map_err(|error| {
            tracing::error!(%error, "a session cannot be recorded");
            Refusal::new(Code::RelayFault, "the relay cannot record the session").hint("tell the relay's operator")
        })?;
        let session = Arc::new(Session::new(
            grant,
            Arc::clone(&self.rules),
            &now,
            self.desk.clone(),
            recorder,
            run.map(Arc::new),
        ));
        self.registry.add(Arc::clone(&session))?;
        // A reload looks at the registry: one that came before this session was in it has not seen it.
        if !Arc::ptr_eq(&now, &self.rules.load_full()) {
            session.end(End::ConnectionChanged);
            self.registry.remove(session.id());
            return Err(changed());
        }
        Ok(session)
    }

    async fn approved(
        &self,
        id: &SessionId,
        identity: &Identity,
        connection: &Connection,
        wish: &Wish,
        review: AdmissionReview,
        held: impl Fn(String),
    ) -> Result<Admission, Refusal> {
        let ask = Ask::session(id, identity, &connection.name, wish.reason.as_deref(), &review);
        let mut request = self.desk.hold(ask).await?;
        let groups: Vec<_> = review
            .requirements
            .iter()
            .flat_map(|rule| rule.approvers.iter().cloned())
            .collect();
        held(format!(
            "{id}: opening a session on {} waits for approval by {}; an approver runs: hoopctl approve {id}",
            connection.name,
            groups.join(", "),
            id = request.id()
        ));
        if let Some(refusal) = request.decided().await.refusal(request.id()) {
            return Err(refusal);
        }
        Ok(review.approve(request.release().await?))
    }
}

/// Under rules that came while a session was being opened: the connection is as it was, and policy does not refuse.
fn still_allowed(now: &Rules, identity: &Identity, connection: &Connection, wish: &Wish) -> bool {
    let around = Circumstances {
        reason: wish.reason.as_deref(),
        source: wish.source,
        now: SystemTime::now(),
    };
    now.config().connection(&connection.name).is_some_and(|current| {
        same_connection(connection, current)
            && !matches!(
                now.policies().judge_connect(identity, current, &around),
                Verdict::Block { .. }
            )
    })
}

fn changed() -> Refusal {
    Refusal::new(
        Code::Failed,
        "the relay's configuration changed while the session was being opened",
    )
    .hint("try again")
}

/// Makes the grant out of the admission, which names login and connection.
fn grant(
    id: SessionId,
    admission: Admission,
    identity: Arc<Identity>,
    connection: Arc<Connection>,
    wish: Wish,
    rules: &Rules,
) -> Result<Grant, Refusal> {
    if !admission.covers(identity.login(), &connection.name) {
        return Err(Refusal::new(Code::RelayFault, "the admission is for another session"));
    }
    let longest = rules.config().session.max_duration;
    Ok(Grant::new(id, identity, connection, wish.reason, wish.source, longest))
}

fn refused(blocked: &ConnectBlocked, connection: &Connection) -> Refusal {
    let name = &connection.name;
    let rule = blocked.rules.first();
    let message = match (blocked.reason, &blocked.message, rule) {
        (Reason::Forbidden, Some(message), Some(rule)) => format!("blocked by policy {rule}: {message}"),
        (Reason::Forbidden, _, Some(rule)) => format!("blocked by policy {rule}: connect is not allowed on {name}"),
        (Reason::PolicyError, ..) => format!("blocked: the relay's policies cannot decide about connect on {name}"),
        _ => format!("blocked: no policy permits connect on {name}"),
    };
    let refusal = Refusal::new(Code::Blocked, message).hint("`hoopctl ls` shows what you may use");
    match rule {
        Some(rule) => refusal.rule(rule),
        None => refusal,
    }
}

fn header(grant: &Grant) -> Header {
    let identity = grant.identity();
    Header {
        session: grant.session().clone(),
        connection: grant.connection().name.clone(),
        protocol: grant.connection().protocol,
        principal: identity.label().to_owned(),
        principal_kind: identity.kind(),
        groups: identity.groups().to_vec(),
        issuer: identity.issuer().to_owned(),
        subject: identity.subject().to_owned(),
        reason: grant.reason().map(str::to_owned),
        source: grant.source(),
        started: OffsetDateTime::now_utc(),
    }
}

/// Nothing has the name that was asked for: names those that are like it, of those that the principal may open.
fn unknown(rules: &Rules, identity: &Identity, wish: &Wish) -> Refusal {
    let asked = wish.connection.to_lowercase();
    let mut nearest: Vec<(usize, &str)> = rules
        .config()
        .connections
        .iter()
        // A name as long as that costs the product of the lengths, and is a slip of no finger.
        .filter(|_| asked.len() <= LONGEST_NAME)
        .filter(|connection| {
            let answer = rules
                .policies()
                .connect(identity, connection, wish.reason.as_deref(), wish.source);
            !matches!(answer, ConnectDecision::Block(_))
        })
        .map(|connection| {
            (
                strsim::damerau_levenshtein(&asked, &connection.name),
                connection.name.as_str(),
            )
        })
        .filter(|(distance, name)| *distance <= (name.len() / 3).max(1))
        .collect();
    nearest.sort_unstable();
    let names: Vec<String> = nearest.iter().take(3).map(|(_, name)| format!("`{name}`")).collect();
    let hint = if names.is_empty() {
        "`hoopctl ls` shows those that you may use".to_owned()
    } else {
        format!(
            "did you mean {}? `hoopctl ls` shows those that you may use",
            names.join(" or ")
        )
    };
    Refusal::new(Code::NotFound, "the relay has no connection of this name").hint(hint)
}
