//! Reading a statement without a session: with the target's catalog where it can be had, else with an assumed one.

use std::time::Duration;

use crate::config::{Config, Connection, Target};
use crate::inspect::catalog::Catalog;
use crate::inspect::sql::{Reading, Scope, World, read};
use crate::mask::{Bindings, Masks};
use crate::policy::{Action, Circumstances, Effect, Facts, Policies, Principal};
use crate::target::catalog;
use crate::target::postgres::OwnConnection;

use super::assumed;

/// How long the target may take to give its catalog.
const TARGET_TIME: Duration = Duration::from_secs(20);

/// Where the meaning of names comes from.
pub(super) enum Names {
    /// The target.
    Target(Box<Catalog>),
    /// Nowhere: unqualified names are taken for `public`'s. Why, where it was not asked for.
    Assumed(Option<String>),
}

impl Names {
    /// Asks the target, if it can be reached.
    pub(super) fn of(connection: &Connection, offline: bool) -> Self {
        if offline {
            return Self::Assumed(None);
        }
        match load(connection) {
            Ok(catalog) => Self::Target(Box::new(catalog)),
            Err(why) => Self::Assumed(Some(why)),
        }
    }
}

fn load(connection: &Connection) -> Result<Catalog, String> {
    let Target::Postgres(target) = &connection.target;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| error.to_string())?;
    let settings = [
        ("application_name".to_owned(), "hoop-relay".to_owned()),
        ("client_encoding".to_owned(), "UTF8".to_owned()),
        ("search_path".to_owned(), "pg_catalog".to_owned()),
    ];
    runtime.block_on(async {
        let loading = async {
            let mut own = OwnConnection::open(target, &settings)
                .await
                .map_err(|error| error.to_string())?;
            catalog::load(&mut own).await.map_err(|error| error.to_string())
        };
        match tokio::time::timeout(TARGET_TIME, loading).await {
            Ok(loaded) => loaded,
            Err(_) => Err("the target does not answer in time".to_owned()),
        }
    })
}

/// A statement as the relay reads it.
pub(super) struct Statement {
    pub(super) reading: Reading,
    pub(super) effects: Vec<Effect>,
    pub(super) facts: Facts,
}

/// Reads a statement for a principal.
///
/// # Errors
/// A mask of the configuration cannot be used.
pub(super) fn statement(
    text: &str,
    names: &Names,
    config: &Config,
    policies: &Policies,
    principal: &Principal,
    connection: &Connection,
    around: &Circumstances<'_>,
) -> Result<Statement, String> {
    let assumed;
    let catalog = match names {
        Names::Target(catalog) => &**catalog,
        Names::Assumed(_) => {
            assumed = assumed::catalog(text);
            &assumed
        }
    };
    // Which values are masked matters here, not how.
    let masks = Masks::compile(&config.masks, &connection.name, &[0; 32]).map_err(|error| error.to_string())?;
    let unmasked = |resource: &_| policies.permits_to(principal, connection, Action::Unmask, resource, around);
    let views = masks.views(catalog, &Bindings::default(), unmasked);
    let world = World {
        catalog,
        scope: &Scope::fresh(),
        masked: views.masked(),
        recorded: views.recorded(),
        most_tokens: config.limits.statement_tokens,
        parameter_types: &[],
    };
    let reading = read(text, &world);
    let mut effects: Vec<Effect> = Vec::new();
    for statement in &reading.statements {
        for effect in &statement.effects {
            if !effects.contains(effect) {
                effects.push(effect.clone());
            }
        }
    }
    let facts = Facts {
        statement: text.into(),
        tables: reading.tables.as_slice().into(),
        functions: reading.functions.as_slice().into(),
        in_transaction: false,
        estimated_rows: None,
    };
    Ok(Statement {
        reading,
        effects,
        facts,
    })
}
