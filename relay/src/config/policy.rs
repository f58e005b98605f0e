//! `[policy]`: which Cedar files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::problem::Problem;
use super::reader::Section;
use super::value::Item;

/// `@ttl` where neither a rule nor the file says anything.
pub const DEFAULT_APPROVAL_TTL: Duration = Duration::from_secs(15 * 60);
/// The longest wait for an approval: a month. A request that waits longer is a ticket.
pub const LONGEST_TTL: Duration = Duration::from_secs(30 * 86_400);
/// More files than this are a mistake in a pattern.
const MOST_FILES: usize = 10_000;

/// `[policy]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyFiles {
    /// The files, patterns expanded.
    pub files: Vec<PathBuf>,
    /// `@ttl` where a rule has none.
    pub default_approval_ttl: Duration,
}

impl Default for PolicyFiles {
    fn default() -> Self {
        Self {
            files: Vec::new(),
            default_approval_ttl: DEFAULT_APPROVAL_TTL,
        }
    }
}

pub(super) fn policy(mut section: Section<'_>) -> PolicyFiles {
    let mut policy = PolicyFiles::default();
    if let Some(items) = section.need("files").and_then(|item| item.list()) {
        for item in items {
            policy.files.extend(expand(&item));
        }
    }
    policy.files.sort();
    policy.files.dedup();
    if let Some(ttl) = section
        .get("default_approval_ttl")
        .and_then(|item| item.duration(Duration::from_secs(1)..=LONGEST_TTL))
    {
        policy.default_approval_ttl = ttl;
    }
    section.finish();
    policy
}

fn expand(item: &Item<'_>) -> Vec<PathBuf> {
    let Some(text) = item.text() else { return Vec::new() };
    let directory = item.reader().directory();
    let pattern = if Path::new(text).is_absolute() {
        text.to_owned()
    } else {
        // The directory's own name is no pattern.
        format!("{}/{text}", glob::Pattern::escape(&directory.to_string_lossy()))
    };
    let options = glob::MatchOptions {
        require_literal_leading_dot: true,
        ..glob::MatchOptions::new()
    };
    let paths = match glob::glob_with(&pattern, options) {
        Ok(paths) => paths,
        Err(error) => {
            item.error(format!("`{text}` is not a pattern: {}", error.msg));
            return Vec::new();
        }
    };
    let mut files = Vec::new();
    for path in paths {
        match path {
            Ok(path) if files.len() < MOST_FILES => files.push(path),
            Ok(_) => {
                item.error(format!("`{text}` matches more than {MOST_FILES} files"));
                return Vec::new();
            }
            Err(error) => item.error(format!("`{text}`: {error}")),
        }
    }
    if files.is_empty() {
        if text.contains(['*', '?', '[']) {
            item.warn(format!(
                "`{text}` matches no file: without a policy everything is blocked"
            ));
        } else {
            let problem: Problem = item.problem(format!("there is no policy file `{text}`"));
            item.reader()
                .report(problem.hint(format!("it is looked for in {}", directory.display())));
        }
    }
    files
}
