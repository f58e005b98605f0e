//! `relay.toml`: the relay's whole configuration.
//!
//! ```text
//! file ▸ TOML tree with spans ▸ one reader per section ▸ Config
//!                                      ▾
//!                                  Problems: all of them, each with file, line and column
//! ```
//!
//! Reading is strict: a key that no section asked for is an error, a secret that stands in the file itself is an error,
//! and nothing is taken from a file that has an error. The keys are described in `relay/docs/configuration.md`.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

pub mod cases;
mod connection;
mod file;
mod identity;
mod limits;
mod listen;
mod mask;
mod name;
mod policy;
mod problem;
pub mod quantity;
mod reader;
mod recording;
mod secret;
mod value;

pub use connection::{Connection, PostgresTarget, Target, TlsMode};
pub use identity::{Claims, IdentityProvider, JWKS_BYTES, WorkloadIdentity};
pub use limits::{LIMITS, Limit, Limits, Unit};
pub use listen::{DEFAULT_DATA_DIR, DEFAULT_LISTEN, KeyError, TlsFiles, read_chain, read_key};
pub use mask::{DETECTORS, Detector, MaskRule, MaskWhat, MaskWith, pattern_matches};
pub use name::{is_connection, valid_group};
pub use policy::{DEFAULT_APPROVAL_TTL, LONGEST_TTL, PolicyFiles};
pub use problem::{Problem, Severity, Source, any_error, render};
pub use recording::{Recording, SessionTimes};
pub use secret::{Links, SecretError, private_file};

use crate::policy::Policies;
pub(crate) use file::read_file;
use reader::{Reader, Section};

/// A valid configuration. Everything in it was checked; secrets are read.
#[derive(Clone, Debug)]
pub struct Config {
    /// `[listen] address`.
    pub listen: SocketAddr,
    /// `[tls]`: certificate chain and key files; `None`: a private CA in `data_dir`.
    pub tls: Option<TlsFiles>,
    /// `[storage] data_dir`.
    pub data_dir: PathBuf,
    /// `[recording]`.
    pub recording: Recording,
    /// `[limits]`.
    pub limits: Limits,
    /// `[telemetry] metrics`.
    pub metrics: Option<SocketAddr>,
    /// `[session]`.
    pub session: SessionTimes,
    /// `[[identity_provider]]`.
    pub identity_providers: Vec<IdentityProvider>,
    /// `[[workload_identity]]`.
    pub workload_identities: Vec<WorkloadIdentity>,
    /// `[policy]`.
    pub policy: PolicyFiles,
    /// `[[connection]]`, by order of the file.
    pub connections: Vec<Arc<Connection>>,
    /// `[[mask]]`.
    pub masks: Vec<MaskRule>,
}

impl Default for Config {
    /// What an empty file says.
    fn default() -> Self {
        Self {
            listen: DEFAULT_LISTEN,
            tls: None,
            data_dir: PathBuf::from(DEFAULT_DATA_DIR),
            recording: Recording::default(),
            limits: Limits::default(),
            metrics: None,
            session: SessionTimes::default(),
            identity_providers: Vec::new(),
            workload_identities: Vec::new(),
            policy: PolicyFiles::default(),
            connections: Vec::new(),
            masks: Vec::new(),
        }
    }
}

/// What a configuration is read for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// `serve`: somebody must be able to log in.
    Serve,
    /// `dev`: listens on loopback, brings its own identity provider and keeps its data elsewhere.
    Dev,
}

/// A configuration and what is odd about it.
#[derive(Debug)]
pub struct Loaded {
    /// The configuration.
    pub config: Config,
    /// Warnings.
    pub warnings: Vec<Problem>,
}

/// The longest configuration file, in bytes.
const FILE_BYTES: usize = 4 << 20;

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// Every problem of the file, warnings among them, if one is an error.
    pub fn load(path: &Path, purpose: Purpose) -> Result<Loaded, Vec<Problem>> {
        let text = read_file(path, FILE_BYTES).map_err(|problem| vec![*problem])?;
        Self::parse(Source::new(path, text), purpose)
    }

    /// Reads a configuration's text. Relative paths begin at the directory of the source's path.
    ///
    /// # Errors
    /// Every problem of the text, warnings among them, if one is an error.
    pub fn parse(source: Arc<Source>, purpose: Purpose) -> Result<Loaded, Vec<Problem>> {
        let (config, warnings) = Self::examine(source, purpose);
        match config {
            Some(config) if !any_error(&warnings) => Ok(Loaded { config, warnings }),
            _ => Err(warnings),
        }
    }

    /// Reads a configuration's text as far as it can be read, for finding problems in the files that it names.
    fn examine(source: Arc<Source>, purpose: Purpose) -> (Option<Self>, Vec<Problem>) {
        let reader = Reader::new(source);
        let config = read(&reader, purpose);
        (config, reader.into_problems())
    }

    /// Finds every problem of a configuration file and of the policies that it names. Gives what was read if none is an error.
    pub fn check(path: &Path, purpose: Purpose) -> (Option<(Self, Policies)>, Vec<Problem>) {
        let text = match read_file(path, FILE_BYTES) {
            Ok(text) => text,
            Err(problem) => return (None, vec![*problem]),
        };
        let (config, mut problems) = Self::examine(Source::new(path, text), purpose);
        let policies = config.as_ref().map(|config| Policies::load(&config.policy));
        let policies = match policies {
            Some(Ok(policies)) => {
                problems.extend_from_slice(policies.warnings());
                Some(policies)
            }
            Some(Err(found)) => {
                problems.extend(found);
                None
            }
            None => None,
        };
        let whole = config.zip(policies).filter(|_| !any_error(&problems));
        (whole, problems)
    }

    /// The connection of a name.
    pub fn connection(&self, name: &str) -> Option<&Arc<Connection>> {
        self.connections.iter().find(|connection| connection.name == name)
    }
}

/// The file as TOML has it; reports what breaks the grammar.
fn tree(reader: &Reader) -> Option<toml::Spanned<toml::de::DeTable<'_>>> {
    let text = reader.source().text();
    let (tree, errors) = toml::de::DeTable::parse_recoverable(text);
    let broken = !errors.is_empty();
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        let problem = Problem::error(error.message().trim_end()).at(reader.source(), span.clone());
        // What broke the grammar may be a secret without its quotes.
        reader.report(if looks_secret(line_of(text, span.start)) {
            problem.private()
        } else {
            problem
        });
    }
    (!broken).then_some(tree)
}

/// Reads the whole file. `None` where its TOML is broken.
fn read(reader: &Reader, purpose: Purpose) -> Option<Config> {
    let tree = tree(reader)?;
    let mut top = Section::new(reader, String::new(), 0..0, tree.get_ref());
    let mut config = Config::default();
    if let Some(section) = top.get("listen").and_then(|item| item.section()) {
        config.listen = listen::listen(section);
    }
    if let Some(section) = top.get("tls").and_then(|item| item.section()) {
        config.tls = listen::tls(section);
    }
    if let Some(data_dir) = top
        .get("storage")
        .and_then(|item| item.section())
        .and_then(listen::storage)
    {
        config.data_dir = data_dir;
    }
    if purpose == Purpose::Serve
        && let Some(problem) = listen::check_data_dir(&config.data_dir)
    {
        reader.report(problem);
    }
    if let Some(section) = top.get("recording").and_then(|item| item.section()) {
        config.recording = recording::recording(section);
    }
    if let Some(section) = top.get("limits").and_then(|item| item.section()) {
        config.limits = limits::limits(section);
    }
    if let Some(section) = top.get("telemetry").and_then(|item| item.section()) {
        config.metrics = listen::telemetry(section);
    }
    if let Some(section) = top.get("session").and_then(|item| item.section()) {
        config.session = recording::session(section);
    }
    if let Some(section) = top.get("policy").and_then(|item| item.section()) {
        config.policy = policy::policy(section);
    } else if purpose == Purpose::Serve {
        reader.report(
            Problem::warning("there is no `[policy]`: everything is blocked")
                .of_file(reader.source().path())
                .hint("[policy] files = [\"policies/*.cedar\"]"),
        );
    }
    let mut seen = Names::new(reader, "identity provider");
    if let Some(item) = top.get("identity_provider") {
        for section in item.sections() {
            let span = section.span();
            config
                .identity_providers
                .extend(identity::provider(section).filter(|found| seen.first(&found.name, &span)));
        }
    }
    if let Some(item) = top.get("workload_identity") {
        for section in item.sections() {
            let span = section.span();
            config
                .workload_identities
                .extend(identity::workload(section).filter(|found| seen.first(&found.name, &span)));
        }
    }
    let named = top.has("identity_provider") || top.has("workload_identity");
    if purpose == Purpose::Serve && !named {
        reader.report(
            Problem::error("nobody could log in: there is no `[[identity_provider]]` and no `[[workload_identity]]`")
                .of_file(reader.source().path()),
        );
    }
    let mut seen = Names::new(reader, "connection");
    if let Some(item) = top.get("connection") {
        for section in item.sections() {
            let span = section.span();
            let found = connection::connection(section).filter(|found| seen.first(&found.name, &span));
            config.connections.extend(found.map(Arc::new));
        }
    }
    if let Some(item) = top.get("mask") {
        for section in item.sections() {
            config.masks.extend(mask::rule(section, &config.connections));
        }
    }
    top.finish();
    Some(config)
}

/// Names that may stand once only.
struct Names<'a> {
    reader: &'a Reader,
    what: &'static str,
    seen: Vec<(String, std::ops::Range<usize>)>,
}

impl<'a> Names<'a> {
    fn new(reader: &'a Reader, what: &'static str) -> Self {
        Self {
            reader,
            what,
            seen: Vec::new(),
        }
    }

    /// Whether this is the first of its name; a second one is reported.
    fn first(&mut self, name: &str, span: &std::ops::Range<usize>) -> bool {
        let Some((_, other)) = self.seen.iter().find(|(seen, _)| seen == name) else {
            self.seen.push((name.to_owned(), span.clone()));
            return true;
        };
        let (line, _) = self.reader.source().position(other.start);
        self.reader.report_at(
            span.clone(),
            format!("there is another {} called `{name}`, on line {line}", self.what),
        );
        false
    }
}

fn line_of(text: &str, offset: usize) -> &str {
    let offset = offset.min(text.len());
    let bytes = text.as_bytes();
    let start = memchr::memrchr(b'\n', &bytes[..offset]).map_or(0, |at| at + 1);
    let end = memchr::memchr(b'\n', &bytes[offset..]).map_or(text.len(), |at| offset + at);
    text.get(start..end).unwrap_or_default()
}

fn looks_secret(line: &str) -> bool {
    let line = line.to_lowercase();
    ["pass", "secret", "token", "key", "pw", "@"]
        .iter()
        .any(|word| line.contains(word))
}

#[cfg(test)]
mod tests;
