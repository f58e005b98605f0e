//! Where a platform puts the OIDC token of its workloads.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretString;

use crate::settings::environment::Environment;

/// The token itself.
pub const TOKEN_VARIABLE: &str = "HOOPCTL_ID_TOKEN";
/// The file that holds the token.
pub const TOKEN_FILE_VARIABLE: &str = "HOOPCTL_ID_TOKEN_FILE";
/// The variable that a GitLab job names under `id_tokens:`.
pub const GITLAB_VARIABLE: &str = "HOOP_ID_TOKEN";
/// Where a pod mounts a projected token for the relay's audience. Never the default token: that one is for the API server.
pub const KUBERNETES_FILE: &str = "/var/run/secrets/hoop/token";

/// Every place where a token may be, in the order in which they are tried.
#[derive(Clone, Default)]
pub struct WorkloadSources {
    /// `HOOPCTL_ID_TOKEN`.
    pub token: Option<SecretString>,
    /// `HOOPCTL_ID_TOKEN_FILE`.
    pub token_file: Option<PathBuf>,
    /// GitHub Actions.
    pub github: Option<GitHub>,
    /// GitLab.
    pub gitlab: Option<SecretString>,
    /// A Kubernetes projected token.
    pub kubernetes: Option<PathBuf>,
}

/// Where GitHub Actions gives tokens for an audience.
#[derive(Clone)]
pub struct GitHub {
    /// `ACTIONS_ID_TOKEN_REQUEST_URL`.
    pub url: String,
    /// `ACTIONS_ID_TOKEN_REQUEST_TOKEN`: authorises the request.
    pub bearer: SecretString,
}

impl WorkloadSources {
    /// Finds what the environment names.
    pub(super) fn find(environment: &Environment) -> Self {
        let secret = |name| environment.text(name).map(SecretString::from);
        let github = environment
            .text("ACTIONS_ID_TOKEN_REQUEST_URL")
            .zip(secret("ACTIONS_ID_TOKEN_REQUEST_TOKEN"))
            .map(|(url, bearer)| GitHub { url, bearer });
        let in_cluster = environment.value("KUBERNETES_SERVICE_HOST").is_some();
        Self {
            token: secret(TOKEN_VARIABLE),
            token_file: environment.path(TOKEN_FILE_VARIABLE),
            github,
            gitlab: environment.value("GITLAB_CI").and_then(|_| secret(GITLAB_VARIABLE)),
            kubernetes: Some(PathBuf::from(KUBERNETES_FILE)).filter(|path| in_cluster && path.exists()),
        }
    }

    /// Whether there is any.
    pub fn any(&self) -> bool {
        self.token.is_some()
            || self.token_file.is_some()
            || self.github.is_some()
            || self.gitlab.is_some()
            || self.kubernetes.is_some()
    }
}

impl fmt::Debug for WorkloadSources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkloadSources")
            .field("token", &self.token.is_some())
            .field("token_file", &self.token_file)
            .field("github", &self.github.is_some())
            .field("gitlab", &self.gitlab.is_some())
            .field("kubernetes", &self.kubernetes)
            .finish()
    }
}
