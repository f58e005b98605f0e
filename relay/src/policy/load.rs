//! Reading policy files: every problem of every file, each at its place.

use std::collections::HashMap;
use std::ops::Range;
use std::path::PathBuf;
use std::str::FromStr as _;
use std::sync::Arc;
use std::time::Duration;

use cedar_policy::{Effect, Policy, PolicyId, PolicySet, ValidationMode, ValidationWarning, Validator};
use miette::Diagnostic;

use crate::config::{self, Problem, Source};

use super::effect::{Action, SqlAction};
use super::rule::{Rule, Trouble};
use super::schema::CEDAR_SCHEMA;

/// The longest policy file, in bytes.
const FILE_BYTES: usize = 1 << 20;
/// The most policies of all files together.
const MOST_POLICIES: usize = 20_000;
/// The deepest brackets of a policy: what reads it further on recurses.
const DEEPEST: usize = 64;
/// The most operators and brackets of a file: a chain of them is a deep tree too.
const MOST_OPERATORS: usize = 100_000;
/// The longest run of operators without a separating `;`, which bounds one policy's tree.
const MOST_OPERATORS_OF_ONE: usize = 2_000;

/// The rules of all files, and every problem.
pub(super) struct Loaded {
    pub(super) rules: Vec<Rule>,
    pub(super) problems: Vec<Problem>,
}

/// A policy and where it stands.
struct Placed {
    policy: Policy,
    source: Arc<Source>,
    span: Range<usize>,
}

/// Reads the files.
pub(super) fn files(paths: &[PathBuf], default_ttl: Duration) -> Loaded {
    let mut sources = Vec::new();
    let mut problems = Vec::new();
    for path in paths {
        match config::read_file(path, FILE_BYTES) {
            Ok(text) => sources.push(Source::new(path, text)),
            Err(problem) => problems.push(*problem),
        }
    }
    let mut loaded = self::sources(&sources, default_ttl);
    problems.append(&mut loaded.problems);
    Loaded {
        rules: loaded.rules,
        problems,
    }
}

/// Reads the texts of files.
pub(super) fn sources(sources: &[Arc<Source>], default_ttl: Duration) -> Loaded {
    let mut problems = Vec::new();
    let mut placed: Vec<Placed> = Vec::new();
    for source in sources {
        match too_deep(source.text()) {
            Some(at) => {
                problems.push(
                    Problem::error("this is nested too deeply, or too long an expression").at(source, at..at + 1),
                );
            }
            None => parse(source, &mut placed, &mut problems),
        }
    }
    if placed.len() > MOST_POLICIES {
        problems.push(Problem::error(format!("more than {MOST_POLICIES} policies")));
        return Loaded {
            rules: Vec::new(),
            problems,
        };
    }
    // Cedar's texts name a policy by its id; so a good `@id` becomes it.
    let mut names: HashMap<String, usize> = HashMap::new();
    let mut firsts = Vec::new();
    let mut set = PolicySet::new();
    for (index, found) in placed.iter_mut().enumerate() {
        let (line, _) = found.source.position(found.span.start);
        let wanted = found.policy.annotation("id").unwrap_or_default().to_owned();
        let free = !wanted.is_empty() && !names.contains_key(&wanted);
        if let (false, Some(first)) = (wanted.is_empty(), names.get(&wanted).copied()) {
            firsts.push((index, first));
        }
        let name = if free {
            wanted
        } else {
            format!("{}:{line}:{index}", found.source.path().display())
        };
        found.policy = found.policy.new_id(PolicyId::new(&name));
        names.insert(name, index);
        if let Err(error) = set.add(found.policy.clone()) {
            problems.push(Problem::error(error.to_string()).at(&found.source, found.span.clone()));
        }
    }
    for (again, first) in firsts {
        if let (Some(again), Some(first)) = (placed.get(again), placed.get(first)) {
            problems.push(doubled(again, first));
        }
    }
    let result = Validator::new(CEDAR_SCHEMA.clone()).validate(&set, ValidationMode::Strict);
    let place = |id: &PolicyId| names.get(AsRef::<str>::as_ref(id)).and_then(|index| placed.get(*index));
    for error in result.validation_errors() {
        problems.push(of_cedar(error, Problem::error, place(error.policy_id())));
    }
    for warning in result.validation_warnings() {
        let found = place(warning.policy_id());
        // A permit that never matches opens nothing. A forbid that never matches was meant to close something.
        let forbids = found.is_some_and(|found| found.policy.effect() == Effect::Forbid);
        let impossible = matches!(warning, ValidationWarning::ImpossiblePolicy(_));
        problems.push(of_cedar(
            warning,
            if forbids && impossible {
                Problem::error
            } else {
                Problem::warning
            },
            found,
        ));
    }
    let mut rules = Vec::with_capacity(placed.len());
    for found in placed {
        let mut troubles = Vec::new();
        let rule = Rule::read(found.policy, default_ttl, &mut troubles);
        if let Some(rule) = &rule
            && rule.requirement.is_some()
            && let Some(action) = never_waits(rule)
        {
            let message = format!("nothing can wait for an approval of `{action}`: this policy never permits it");
            troubles.push(Trouble::Warning(message, Some("leave out `@approvers`".to_owned())));
        }
        for trouble in troubles {
            let (problem, hint) = match trouble {
                Trouble::Error(message, hint) => (Problem::error(message), hint),
                Trouble::Warning(message, hint) => (Problem::warning(message), hint),
            };
            let problem = problem.at(&found.source, head(found.source.text(), &found.span));
            problems.push(match hint {
                Some(hint) => problem.hint(hint),
                None => problem,
            });
        }
        rules.extend(rule);
    }
    Loaded { rules, problems }
}

/// Policies, in the order of the file. Cedar reports all errors of its grammar at once.
fn parse(source: &Arc<Source>, placed: &mut Vec<Placed>, problems: &mut Vec<Problem>) {
    let set = match PolicySet::from_str(source.text()) {
        Ok(set) => set,
        Err(errors) => {
            for error in errors.iter() {
                problems.push(labelled(
                    error,
                    Problem::error,
                    source,
                    &(0..source.text().len().min(1)),
                ));
            }
            return;
        }
    };
    for template in set.templates() {
        let span = template.as_ref().loc().map_or(0..0, |loc| loc.start()..loc.end());
        let problem = Problem::error("a policy has no place for `?principal` or `?resource`: the relay fills in none");
        problems.push(problem.at(source, head(source.text(), &span)));
    }
    let mut found: Vec<_> = set
        .policies()
        .map(|policy| {
            let span = span_of(policy).unwrap_or(0..0);
            Placed {
                policy: policy.clone(),
                source: Arc::clone(source),
                span,
            }
        })
        .collect();
    found.sort_by_key(|found| found.span.start);
    placed.append(&mut found);
}

fn doubled(again: &Placed, first: &Placed) -> Problem {
    let (line, _) = first.source.position(first.span.start);
    let id = again.policy.annotation("id").unwrap_or_default();
    Problem::error(format!(
        "`@id(\"{id}\")` also stands in {}:{line}",
        first.source.path().display()
    ))
    .at(&again.source, head(again.source.text(), &again.span))
    .hint("decisions and recordings name a policy by its `@id`: give each its own")
}

/// An action that the rule names and that is asked on the spot, if it names no other.
fn never_waits(rule: &Rule) -> Option<Action> {
    let waits = SqlAction::ALL
        .iter()
        .map(|sql| Action::Sql(*sql))
        .chain([Action::Connect]);
    if waits.into_iter().any(|action| rule.meets_action(action)) {
        return None;
    }
    let asked = [
        Action::Unmask,
        Action::Watch,
        Action::Kill,
        Action::Replay,
        Action::Export,
    ];
    asked.into_iter().find(|action| rule.meets_action(*action))
}

/// The first line of a policy: what a picture shows of it.
fn head(text: &str, span: &Range<usize>) -> Range<usize> {
    let body = text.get(span.clone()).unwrap_or_default();
    let first = body.lines().next().unwrap_or_default();
    span.start..span.start + first.len()
}

fn of_cedar(error: &dyn Diagnostic, make: fn(String) -> Problem, place: Option<&Placed>) -> Problem {
    match place {
        Some(found) => labelled(error, make, &found.source, &head(found.source.text(), &found.span)),
        None => make(error.to_string()),
    }
}

/// Cedar's own words, at the place that it names, else at `otherwise`.
fn labelled(
    error: &dyn Diagnostic,
    make: fn(String) -> Problem,
    source: &Arc<Source>,
    otherwise: &Range<usize>,
) -> Problem {
    let label = error.labels().and_then(|mut labels| labels.next());
    let span = label.as_ref().map_or_else(
        || otherwise.clone(),
        |label| label.offset()..label.offset() + label.len(),
    );
    let said = label.as_ref().and_then(|label| label.label()).map(str::to_owned);
    let mut problem = make(error.to_string()).at(source, span);
    let help = error.help().map(|help| help.to_string());
    let hint: Vec<_> = [said, help].into_iter().flatten().collect();
    if !hint.is_empty() {
        problem = problem.hint(hint.join("; "));
    }
    problem
}

fn span_of(policy: &Policy) -> Option<Range<usize>> {
    policy.as_ref().loc().map(|loc| loc.start()..loc.end())
}

/// Where a text's brackets are deeper, or its operators more, than what reads a tree of them should be given.
fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let (mut depth, mut all, mut of_one, mut at) = (0_usize, 0_usize, 0_usize, 0);
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at += 1;
                while let Some(byte) = bytes.get(at) {
                    match byte {
                        b'\\' => at += 1,
                        b'"' => break,
                        _ => {}
                    }
                    at += 1;
                }
            }
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += memchr::memchr(b'\n', bytes.get(at..).unwrap_or_default()).unwrap_or(bytes.len());
            }
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth = depth.saturating_sub(1),
            b';' => of_one = 0,
            _ => {}
        }
        if matches!(
            byte,
            b'(' | b'[' | b'{' | b'&' | b'|' | b'!' | b'-' | b'+' | b'*' | b'.' | b'<' | b'>' | b'='
        ) || (*byte == b'i' && bytes.get(at..at + 3) == Some(b"if "))
        {
            all += 1;
            of_one += 1;
        }
        if depth > DEEPEST || all > MOST_OPERATORS || of_one > MOST_OPERATORS_OF_ONE {
            return Some(at);
        }
        at += 1;
    }
    None
}
