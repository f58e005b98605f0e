//! `policy test CASES.toml`: what a set of policies is expected to say.

use std::path::Path;
use std::sync::Arc;

use super::problem::{Problem, Source, any_error};
use super::reader::{Reader, Section};

/// The longest file of cases, in bytes.
const FILE_BYTES: usize = 4 << 20;

/// `[[case]]`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// Who asks.
    pub principal: String,
    /// The groups of who asks.
    pub groups: Vec<String>,
    /// Where.
    pub connection: String,
    /// What.
    pub statement: String,
    /// Why, as the principal would say.
    pub reason: Option<String>,
    /// What policy must say.
    pub expect: Expect,
    /// A rule that the answer must rest on.
    pub rule: Option<String>,
    /// Where the case begins in its file: a line, from 1.
    pub line: usize,
}

/// What policy must say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// It passes.
    Allow,
    /// It does not.
    Block,
    /// It waits for people.
    Approval,
}

impl Expect {
    /// The word of the file.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Allow => "allow",
            Self::Block => "block",
            Self::Approval => "approval",
        }
    }
}

/// Reads a file of cases.
///
/// # Errors
/// Every problem of the file.
pub fn cases(path: &Path) -> Result<Vec<Case>, Vec<Problem>> {
    let text = super::read_file(path, FILE_BYTES).map_err(|problem| vec![*problem])?;
    parse(Source::new(path, text))
}

/// Reads the text of a file of cases.
///
/// # Errors
/// As [`cases`].
pub fn parse(source: Arc<Source>) -> Result<Vec<Case>, Vec<Problem>> {
    let reader = Reader::new(source);
    let mut cases = Vec::new();
    let tree = super::tree(&reader);
    if let Some(tree) = &tree {
        let mut top = Section::new(&reader, String::new(), 0..0, tree.get_ref());
        match top.get("case") {
            Some(item) => {
                for section in item.sections() {
                    cases.extend(case(section));
                }
            }
            None => reader.report(Problem::error("there is no `[[case]]`").of_file(reader.source().path())),
        }
        top.finish();
    }
    let problems = reader.into_problems();
    if any_error(&problems) { Err(problems) } else { Ok(cases) }
}

fn case(mut section: Section<'_>) -> Option<Case> {
    let (line, _) = section.reader().source().position(section.span().start);
    let principal = section.need("principal").and_then(|item| item.text());
    let groups = match section.get("groups") {
        Some(item) if item.value().as_array().is_some_and(|array| array.is_empty()) => Some(Vec::new()),
        Some(item) => item.texts(),
        None => Some(Vec::new()),
    };
    let connection = section.need("connection").and_then(|item| item.text());
    let statement = section.need("statement").and_then(|item| item.free_text());
    let reason = section.get("reason").and_then(|item| item.text()).map(str::to_owned);
    let expect = section.need("expect").and_then(|item| {
        item.word(&[
            ("allow", Expect::Allow),
            ("block", Expect::Block),
            ("approval", Expect::Approval),
        ])
    });
    let rule = section.get("rule").and_then(|item| item.text()).map(str::to_owned);
    section.finish();
    Some(Case {
        principal: principal?.to_owned(),
        groups: groups?,
        connection: connection?.to_owned(),
        statement: statement?.to_owned(),
        reason,
        expect: expect?,
        rule,
        line,
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn cases_are_read_with_their_lines() {
        let text = "# gate\n[[case]]\nprincipal = \"ana\"\ngroups = [\"dba\"]\nconnection = \"db\"\nstatement = \"\"\"\nSELECT 1;\nSELECT 2\"\"\"\n\
            expect = \"allow\"\n\n[[case]]\nprincipal = \"x\"\nconnection = \"db\"\nstatement = \"\"\nexpect = \"block\"\nrule = \"r\"\n";
        let cases = parse(Source::new("c.toml", text)).unwrap();
        assert_eq!(
            (cases[0].line, cases[0].expect, cases[0].statement.as_str()),
            (2, Expect::Allow, "SELECT 1;\nSELECT 2")
        );
        assert_eq!(
            (cases[1].line, cases[1].rule.as_deref(), cases[1].groups.len()),
            (11, Some("r"), 0)
        );
    }

    #[test]
    fn every_problem_of_the_cases_is_told() {
        let text = "[[case]]\nprincipal = \"ana\"\nconection = \"db\"\nstatement = 1\nexpect = \"deny\"\n[[cases]]\n";
        let problems = parse(Source::new("c.toml", text)).unwrap_err();
        let text = super::super::render(&problems, false);
        for word in [
            "`case.connection` is missing",
            "did you mean `connection`?",
            "`case.statement` must be a string",
            "`case.expect` is not `deny`",
            "did you mean `case`?",
        ] {
            assert!(text.contains(word), "{word}: {text}");
        }
        assert!(parse(Source::new("c.toml", "")).is_err());
    }
}
