//! SIGHUP: everything is read and checked again, then replaced at once, or nothing is. Running sessions follow.

use std::time::SystemTime;

use metrics::counter;
use tracing::{error, info, warn};

use super::certificate::ServerCertificate;
use super::{Relay, ServeError, rules};
use crate::approval::DeskOptions;
use crate::authn::Identity;
use crate::config::{Config, render};
use crate::policy::{Circumstances, Policies, Verdict};
use crate::session::{Door, End, Grant, same_connection};

impl Relay {
    /// Reloads, and says how it went.
    pub(super) fn reload(&self) {
        let result = self.replace();
        counter!("hoop_reloads_total", "result" => if result.is_ok() { "done" } else { "refused" }).increment(1);
        match result {
            Ok(()) => info!("configuration and policies reloaded"),
            Err(ServeError::Configuration(problems)) => {
                error!(problems = %render(&problems, false), "reload refused: the old configuration and policies hold");
            }
            Err(refused) => error!(error = %refused, "reload refused: the old configuration and policies hold"),
        }
    }

    fn replace(&self) -> Result<(), ServeError> {
        let config = self.load()?;
        let before = self.door.rules.load_full();
        fixed(before.config(), &config);
        let rules = rules(config, &self.mask_key, Some(&before))?;
        let certificate = ServerCertificate::open(rules.config())?;
        let tls = certificate.tls(&self.authn)?;
        // The last step that can fail; what follows cannot.
        self.authn.reconfigure(rules.config())?;
        self.tls.store(std::sync::Arc::new(tls));
        self.desk.set_options(DeskOptions {
            pending_per_session: rules.config().limits.pending_requests_per_session,
        });
        let rules = std::sync::Arc::new(rules);
        self.door.rules.store(std::sync::Arc::clone(&rules));
        self.door
            .registry
            .end_where(|grant| no_longer(grant, rules.config(), rules.policies()));
        Ok(())
    }
}

/// Says what a reload does not change.
fn fixed(before: &Config, after: &Config) {
    let changed = [
        ("listen.address", before.listen != after.listen),
        ("storage.data_dir", before.data_dir != after.data_dir),
        ("recording", before.recording != after.recording),
        (
            "limits.recording_bytes",
            before.limits.recording_bytes != after.limits.recording_bytes,
        ),
        ("telemetry.metrics", before.metrics != after.metrics),
    ];
    for (setting, _) in changed.iter().filter(|(_, changed)| *changed) {
        warn!(setting, "a change of this setting needs a restart");
    }
}

/// Why a session ends under new rules; `None` where it may go on.
fn no_longer(grant: &Grant, config: &Config, policies: &Policies) -> Option<End> {
    let before = grant.connection();
    let Some(now) = config
        .connection(&before.name)
        .filter(|now| same_connection(before, now))
    else {
        return Some(End::ConnectionChanged);
    };
    let around = Circumstances {
        reason: grant.reason(),
        source: grant.source(),
        now: SystemTime::now(),
    };
    not_permitted(policies.judge_connect(grant.identity(), now, &around))
}

/// Ends the sessions of a person whose groups changed and no longer permit `connect`.
pub(super) fn follow_groups(door: &Door, newest: &Identity) {
    let rules = door.rules.load_full();
    door.registry.end_where(|grant| {
        if !grant.identity().same_principal(newest) {
            return None;
        }
        let around = Circumstances {
            reason: grant.reason(),
            source: grant.source(),
            now: SystemTime::now(),
        };
        not_permitted(rules.policies().judge_connect(newest, grant.connection(), &around))
    });
}

fn not_permitted(verdict: Verdict) -> Option<End> {
    match verdict {
        Verdict::Block { rules, .. } => Some(End::NotPermitted {
            rule: rules.into_iter().next(),
        }),
        // One that was opened before approval was asked for goes on; its operations are decided by the new policies.
        Verdict::Allow { .. } | Verdict::RequireApproval { .. } => None,
    }
}
