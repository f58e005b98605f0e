//! The statements of a unit as steps: what each changes in the session, and where its result comes from, names resolved.

use std::cell::OnceCell;
use std::rc::Rc;
use std::sync::Arc;

use hoop_shared::api::EffectShown;
use hoop_shared::refusal::{Code, Refusal};

use super::judge::{Judge, Unready};
use super::known::Known;
use super::names::{Meaning, Names, Prepared};
use crate::inspect::catalog::TEMPORARY;
use crate::inspect::sql::{Changes, Kind, Lineage, Reach, Statement, sorted_names};
use crate::policy::{Action, Effect, Resource, SqlAction, Standing};

/// How deep EXECUTE may lead to EXECUTE.
const DEPTH: usize = 4;

/// What a statement may change of what names mean.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Change {
    /// Nothing.
    #[default]
    Nothing,
    /// Which schemas are searched, or what is temporary: functions of users can.
    Scope,
    /// The catalog.
    Catalog,
}

impl Change {
    /// What these effects change by themselves.
    pub fn of_effects(effects: &[Effect]) -> Self {
        let of_action = |effect: &Effect| match effect.action {
            // Nobody else sees what is temporary, and it is learnt with the scope.
            Action::Sql(action) if action.group() == "sql:ddl" && is_temporary(&effect.resource) => Self::Scope,
            Action::Sql(action) if action.group() == "sql:ddl" => Self::Catalog,
            Action::Sql(SqlAction::Unknown | SqlAction::Extension | SqlAction::System | SqlAction::Role) => {
                Self::Catalog
            }
            _ => Self::Nothing,
        };
        effects.iter().map(of_action).max().unwrap_or_default()
    }

    fn of(statement: &Statement) -> Self {
        let of_names = if statement.changes_names() {
            Self::Scope
        } else {
            Self::Nothing
        };
        Self::of_effects(&statement.effects).max(of_names)
    }
}

/// Whether an effect may be a setting's change to any value: by a function, or by what cannot be read.
fn sets(effect: &Effect) -> bool {
    matches!(
        effect.action,
        Action::Sql(SqlAction::Set | SqlAction::Configure | SqlAction::SetRole | SqlAction::Call | SqlAction::Unknown)
    )
}

/// Whether an effect changes who may do what.
fn grants(effect: &Effect) -> bool {
    matches!(effect.action, Action::Sql(SqlAction::Grant | SqlAction::Revoke))
}

/// It belongs to the session alone.
fn is_temporary(resource: &Resource) -> bool {
    match resource {
        Resource::Schema(schema)
        | Resource::Table(schema, _)
        | Resource::Column(schema, _, _)
        | Resource::Function(schema, _, _) => &**schema == TEMPORARY,
        _ => false,
    }
}

/// One statement.
#[derive(Debug)]
pub struct Step {
    /// What it does to the session's state.
    pub kind: Kind,
    /// What it may change of what names mean.
    pub change: Change,
    /// Its result's columns.
    pub lineage: Lineage,
    /// It may have a result.
    pub has_result: bool,
    /// Its result may hold a masked value.
    pub reach: Reach,
    /// It may set what the server reports (`ParameterStatus`), other than to constants.
    pub sets: bool,
    /// What a PREPARE makes.
    pub makes: Option<Made>,
}

/// What a PREPARE keeps.
#[derive(Debug)]
pub struct Made {
    /// The text that it stands in.
    pub text: Arc<str>,
    /// Its number there.
    pub index: usize,
    /// What that text means.
    pub meaning: Meaning,
}

impl Step {
    /// It makes or drops prepared statements.
    pub fn changes_statements(&self) -> bool {
        matches!(
            self.kind,
            Kind::Prepare { .. } | Kind::Deallocate { .. } | Kind::Discard { .. }
        )
    }

    /// It makes or drops portals.
    pub fn changes_portals(&self) -> bool {
        matches!(
            self.kind,
            Kind::Declare { .. }
                | Kind::Close { .. }
                | Kind::Discard { .. }
                | Kind::Commit
                | Kind::Rollback
                | Kind::RollbackTo
        )
    }

    /// What follows can only be judged when it is done.
    pub fn is_barrier(&self) -> bool {
        self.change != Change::Nothing || self.changes_statements() || matches!(self.kind, Kind::SearchPath)
    }

    /// It ends a transaction or savepoint, and with it what was changed there.
    pub fn ends(&self) -> bool {
        matches!(
            self.kind,
            Kind::Commit | Kind::Rollback | Kind::RollbackTo | Kind::Savepoint
        )
    }

    /// It runs what another message made, whose own text is not before the reader.
    fn runs_another(&self) -> bool {
        matches!(self.kind, Kind::Execute { .. } | Kind::Fetch { .. })
    }

    /// What names mean is nothing to it.
    fn names_nothing(&self) -> bool {
        self.ends() || matches!(self.kind, Kind::Begin | Kind::Close { .. } | Kind::Deallocate { .. })
    }

    /// It may ask the client for data.
    pub fn takes_data(&self) -> bool {
        matches!(self.kind, Kind::CopyIn)
    }
}

/// A unit's statements, resolved. Those of a text that comes again are shared, and with them what was found out about them.
#[derive(Debug, Default)]
pub struct Steps {
    /// In order.
    pub steps: Rc<[Rc<Step>]>,
    /// Effects of all of them.
    pub effects: Vec<Effect>,
    /// Tables that the text names.
    pub tables: Arc<[String]>,
    /// Functions that the text calls.
    pub functions: Arc<[String]>,
    /// What policy said about just these effects, tables and functions.
    pub standing: Standing,
    /// The effects as the session's recording shows them.
    pub shown: OnceCell<Arc<[EffectShown]>>,
    /// The statements that they run by name: the name, and the text that made it.
    pub runs: Vec<(String, Arc<str>)>,
    /// Some result may hold a masked value.
    pub reach: Reach,
    /// The names that their meaning rests on, as sorted numbers.
    pub uses: Arc<[u64]>,
    /// The names that they change for everybody.
    pub changes: Changes,
}

impl Steps {
    /// Of a text whose statements cannot be resolved now.
    pub fn none(reading: &Known) -> Rc<Self> {
        Rc::new(Found::default().steps(reading))
    }
}

/// Steps that are being resolved.
#[derive(Debug, Default)]
struct Found {
    steps: Vec<Rc<Step>>,
    effects: Vec<Effect>,
    runs: Vec<(String, Arc<str>)>,
    reach: Reach,
    /// What those statements mean that they run by name.
    readings: Vec<Rc<Known>>,
}

impl Found {
    fn steps(self, reading: &Known) -> Steps {
        let (mut uses, mut changes) = (reading.uses.clone(), reading.changes.clone());
        for run in &self.readings {
            uses = sorted_names(uses.iter().chain(run.uses.iter()).copied().collect());
            changes = changes.and(&run.changes);
        }
        Steps {
            steps: self.steps.into(),
            effects: self.effects,
            tables: reading.tables.as_slice().into(),
            functions: reading.functions.as_slice().into(),
            runs: self.runs,
            reach: self.reach,
            uses,
            changes,
            ..Steps::default()
        }
    }
}

/// Why statements cannot be resolved.
#[derive(Debug)]
pub enum Unresolved {
    /// Something must be learnt first.
    Unready(Unready),
    /// They depend on what the server has, and answers are outstanding.
    Outstanding,
    /// They execute a statement that the server does not have.
    Missing(String),
    /// They execute a statement of which nobody but the server knows any longer what it does.
    Changed,
    /// They cannot pass.
    Refused(Refusal),
}

impl From<Unready> for Unresolved {
    fn from(unready: Unready) -> Self {
        Self::Unready(unready)
    }
}

/// Resolves the statements of a text. `settled`: every earlier answer has arrived, so that `names` is exact.
pub fn resolve<J: Judge>(
    judge: &mut J,
    names: &Names,
    settled: bool,
    reserved: &str,
    text: &Arc<str>,
    reading: &Rc<Known>,
) -> Result<Rc<Steps>, Unresolved> {
    if let Some(steps) = reading.steps() {
        return Ok(steps.clone());
    }
    let meaning = Meaning {
        path: judge.search_path(),
        reading: reading.clone(),
    };
    let mut resolver = Resolver {
        judge,
        names,
        settled,
        reserved,
        made: Vec::new(),
        cursors: Vec::new(),
        out: Found::default(),
    };
    let mut moved = false;
    for (index, statement) in reading.statements.iter().enumerate() {
        let place = (text, index, &meaning);
        let step = resolver.statement(place, statement, statement, statement.touches_masked, 0)?;
        if moved && !step.names_nothing() {
            return Err(Unresolved::Refused(names_moved()));
        }
        moved |= step.runs_another() && step.change != Change::Nothing;
        resolver.out.effects.extend(statement.effects.iter().cloned());
        resolver.out.reach |= step.reach;
        resolver.out.steps.push(Rc::new(step));
    }
    let steps = Rc::new(resolver.out.steps(reading));
    reading.keep(&steps);
    Ok(steps)
}

/// Resolves what a prepared statement runs.
pub fn resolve_prepared<J: Judge>(
    judge: &mut J,
    names: &Names,
    settled: bool,
    reserved: &str,
    prepared: &Prepared,
) -> Result<(Rc<Known>, Rc<Steps>), Unresolved> {
    let reading = judge.read(&prepared.text, &prepared.types)?;
    let meaning = Meaning {
        path: judge.search_path(),
        reading: reading.clone(),
    };
    if !prepared.still_means(meaning.clone()) {
        return Err(Unresolved::Changed);
    }
    let Some(index) = prepared.inner else {
        let steps = resolve(judge, names, settled, reserved, &prepared.text, &reading)?;
        return Ok((reading, steps));
    };
    let Some(Kind::Prepare { inner, .. }) = reading.statements.get(index).map(|statement| &statement.kind) else {
        return Err(Unresolved::Missing(String::new()));
    };
    let mut resolver = Resolver {
        judge,
        names,
        settled,
        reserved,
        made: Vec::new(),
        cursors: Vec::new(),
        out: Found::default(),
    };
    let place = (&prepared.text, index, &meaning);
    let step = resolver.statement(place, inner, inner, inner.touches_masked, 0)?;
    let mut out = resolver.out;
    out.effects.extend(inner.effects.iter().cloned());
    out.reach |= step.reach;
    out.steps.push(Rc::new(step));
    let steps = Rc::new(out.steps(&reading));
    Ok((reading, steps))
}

struct Resolver<'a, J> {
    judge: &'a mut J,
    names: &'a Names,
    settled: bool,
    reserved: &'a str,
    /// Statements that an earlier PREPARE of the same text makes.
    made: Vec<(String, Rc<Prepared>)>,
    /// Cursors that an earlier DECLARE of the same text makes: lineage, reach, and what running their queries may change.
    cursors: Vec<(String, Lineage, Reach, Change)>,
    out: Found,
}

impl<J: Judge> Resolver<'_, J> {
    fn statement(
        &mut self,
        (text, index, meaning): (&Arc<str>, usize, &Meaning),
        statement: &Statement,
        outer: &Statement,
        reach: Reach,
        depth: usize,
    ) -> Result<Step, Unresolved> {
        let mut lineage = statement.lineage.clone();
        let mut reach = reach;
        let mut change = Change::of(statement).max(Change::of(outer));
        if meaning.reading.changes == Changes::All && statement.effects.iter().any(grants) {
            // Whether a schema is searched goes by the right to use it.
            change = Change::Catalog;
        }
        let mut sets = statement.effects.iter().any(sets);
        match &statement.kind {
            Kind::Prepare { name, .. } => {
                self.check(name)?;
                let prepared = Prepared::new(text.clone(), Vec::new(), Some(index), Some(meaning.clone()));
                self.made.push((name.clone(), prepared));
            }
            Kind::Declare { name, lineage, .. } => {
                self.check(name)?;
                self.cursors.push((name.clone(), lineage.clone(), reach, change));
            }
            Kind::Execute { name } => {
                if depth >= DEPTH {
                    return Err(Unresolved::Refused(Refusal::new(
                        Code::LimitExceeded,
                        "EXECUTE leads to EXECUTE too often",
                    )));
                }
                let prepared = self.find(name)?;
                let read = self.judge.read(&prepared.text, &prepared.types)?;
                let meaning = Meaning {
                    path: self.judge.search_path(),
                    reading: read.clone(),
                };
                if !prepared.still_means(meaning.clone()) {
                    return Err(Unresolved::Changed);
                }
                let inner = match prepared.inner.and_then(|index| read.statements.get(index)) {
                    Some(Statement {
                        kind: Kind::Prepare { inner, .. },
                        ..
                    }) => Some(inner.as_ref()),
                    Some(_) => None,
                    None => read.statements.first(),
                };
                if let Some(inner) = inner {
                    let place = (&prepared.text, prepared.inner.unwrap_or(0), &meaning);
                    let step = self.statement(place, inner, inner, inner.touches_masked, depth + 1)?;
                    self.out.effects.extend(inner.effects.iter().cloned());
                    self.out.runs.push((name.clone(), prepared.text.clone()));
                    self.out.readings.push(read.clone());
                    change = change.max(step.change);
                    sets |= step.sets;
                    reach |= step.reach;
                    // EXPLAIN EXECUTE has a result of its own; EXECUTE has the statement's.
                    lineage = lineage.or(step.has_result.then_some(step.lineage));
                }
            }
            Kind::Fetch { name, .. } => {
                if let Some((_, found, reaches, changes)) = self.cursors.iter().rev().find(|(made, ..)| made == name) {
                    lineage = Some(found.clone());
                    reach |= *reaches;
                    change = change.max(*changes);
                } else if !self.settled {
                    return Err(Unresolved::Outstanding);
                } else if let Some(step) = self
                    .names
                    .portals
                    .get(name.as_str())
                    .and_then(|portal| portal.step.clone())
                {
                    lineage = Some(step.lineage.clone());
                    reach |= step.reach;
                    change = change.max(step.change);
                } else {
                    // A function that was permitted may have opened it.
                    lineage = Some(Lineage::Unknown);
                    reach = Reach::BOTH;
                    change = change.max(Change::Scope);
                }
            }
            Kind::CopyOut(copy) => lineage = Some(copy.lineage.clone()),
            _ => {}
        }
        Ok(Step {
            kind: statement.kind.clone(),
            change,
            has_result: lineage.is_some(),
            lineage: lineage.unwrap_or(Lineage::Unknown),
            reach,
            sets,
            makes: matches!(statement.kind, Kind::Prepare { .. }).then(|| Made {
                text: text.clone(),
                index,
                meaning: meaning.clone(),
            }),
        })
    }

    fn find(&self, name: &str) -> Result<Rc<Prepared>, Unresolved> {
        if let Some((_, prepared)) = self.made.iter().rev().find(|(made, _)| made == name) {
            return Ok(prepared.clone());
        }
        if !self.settled {
            return Err(Unresolved::Outstanding);
        }
        let found = self.names.statements.get(name).cloned();
        found.ok_or_else(|| Unresolved::Missing(name.to_owned()))
    }

    fn check(&self, name: &str) -> Result<(), Unresolved> {
        if name.starts_with(self.reserved) {
            return Err(Unresolved::Refused(reserved_name()));
        }
        Ok(())
    }
}

/// The refusal of a name that belongs to the relay.
pub fn reserved_name() -> Refusal {
    Refusal::new(Code::Unsupported, "this name is reserved for the relay").hint("choose another name")
}

fn names_moved() -> Refusal {
    Refusal::new(
        Code::Blocked,
        "blocked: what EXECUTE or FETCH runs may change what names mean, so nothing that names something can stand behind it",
    )
    .hint("send the statements one after another")
}

/// What the server itself says of a statement that it cannot run as it was prepared; drivers know these words, and prepare it again.
pub fn changed_statement() -> Refusal {
    Refusal::new(Code::Unsupported, "cached plan must not change result type")
        .hint("what its names mean has changed since it was prepared: prepare it again")
}

/// What the server says of a statement that it does not have.
pub fn unknown_statement(name: &str) -> Refusal {
    let message = if name.is_empty() {
        "unnamed prepared statement does not exist".to_owned()
    } else {
        format!("prepared statement \"{name}\" does not exist")
    };
    Refusal::new(Code::NotFound, message)
}
