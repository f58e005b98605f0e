//! The vocabulary of policies, as Cedar knows it, and how our own words become Cedar's entities.

use std::collections::HashSet;
use std::str::FromStr as _;
use std::sync::LazyLock;

use cedar_policy::{Entity, EntityId, EntityTypeName, EntityUid, Schema};
use hoop_shared::api::PrincipalKind;

use super::effect::{Action, Resource};

/// The schema's text: what `relay/docs/policies.md` describes.
pub const SCHEMA: &str = include_str!("schema.cedarschema");

/// Cedar's names of our kinds of entities.
pub(super) struct Types {
    pub(super) group: EntityTypeName,
    pub(super) user: EntityTypeName,
    pub(super) workload: EntityTypeName,
    pub(super) tag: EntityTypeName,
    pub(super) connection: EntityTypeName,
    pub(super) schema: EntityTypeName,
    pub(super) table: EntityTypeName,
    pub(super) column: EntityTypeName,
    pub(super) function: EntityTypeName,
    pub(super) action: EntityTypeName,
}

/// The names, once. They are constants: a test reads every one of them.
#[allow(clippy::expect_used, reason = "constants, all read by a test")]
pub(super) static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let name = |name| EntityTypeName::from_str(name).expect("a constant type name");
    Types {
        group: name("Hoop::Group"),
        user: name("Hoop::User"),
        workload: name("Hoop::Workload"),
        tag: name("Hoop::Tag"),
        connection: name("Hoop::Connection"),
        schema: name("Hoop::Schema"),
        table: name("Hoop::Table"),
        column: name("Hoop::Column"),
        function: name("Hoop::Function"),
        action: name("Hoop::Action"),
    }
});

/// The schema, read once. Its text is a constant that a test reads.
#[allow(clippy::expect_used, reason = "a constant, read by a test")]
pub(super) static CEDAR_SCHEMA: LazyLock<Schema> =
    LazyLock::new(|| Schema::from_cedarschema_str(SCHEMA).expect("the schema is valid").0);

/// An entity's name.
pub(super) fn uid(kind: &EntityTypeName, id: &str) -> EntityUid {
    EntityUid::from_type_name_and_id(kind.clone(), EntityId::new(id))
}

/// A principal's name.
pub(super) fn principal_uid(kind: PrincipalKind, label: &str) -> EntityUid {
    match kind {
        PrincipalKind::User => uid(&TYPES.user, label),
        PrincipalKind::Workload => uid(&TYPES.workload, label),
    }
}

/// An action's name.
pub(super) fn action_uid(action: Action) -> EntityUid {
    uid(&TYPES.action, action.as_str())
}

/// The action group's name, where the action has one.
pub(super) fn group_uid(action: Action) -> Option<EntityUid> {
    let Action::Sql(sql) = action else { return None };
    (sql.group() != sql.as_str()).then(|| uid(&TYPES.action, sql.group()))
}

/// A resource's name.
pub(super) fn resource_uid(resource: &Resource, connection: &str) -> EntityUid {
    let kind = match resource {
        Resource::Connection => &TYPES.connection,
        Resource::Schema(..) => &TYPES.schema,
        Resource::Table(..) => &TYPES.table,
        Resource::Column(..) => &TYPES.column,
        Resource::Function(..) => &TYPES.function,
    };
    uid(kind, &resource.id(connection))
}

/// An entity with its parents.
pub(super) fn entity(uid: EntityUid, parents: impl IntoIterator<Item = EntityUid>) -> Entity {
    Entity::new_no_attrs(uid, parents.into_iter().collect::<HashSet<_>>())
}

/// A resource and everything that it stands in, up to the schema; the connection itself is not among them.
pub(super) fn lineage(resource: &Resource, connection: &str) -> Vec<Entity> {
    let mut entities = Vec::with_capacity(3);
    let mut current = resource.clone();
    while let Some(parent) = parent(&current) {
        entities.push(entity(
            resource_uid(&current, connection),
            [resource_uid(&parent, connection)],
        ));
        current = parent;
    }
    entities
}

fn parent(resource: &Resource) -> Option<Resource> {
    match resource {
        Resource::Connection => None,
        Resource::Schema(_) => Some(Resource::Connection),
        Resource::Table(schema, _) | Resource::Function(schema, ..) => Some(Resource::Schema(schema.clone())),
        Resource::Column(schema, table, _) => Some(Resource::Table(schema.clone(), table.clone())),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail loudly")]
mod tests {
    use cedar_policy::{Entities, EntityUid};

    use super::*;
    use crate::policy::effect::SqlAction;

    const GENERAL: [Action; 6] = [
        Action::Connect,
        Action::Unmask,
        Action::Watch,
        Action::Kill,
        Action::Replay,
        Action::Export,
    ];

    #[test]
    fn every_action_stands_in_the_schema_in_its_group() {
        let entities: Entities = CEDAR_SCHEMA.action_entities().unwrap();
        for action in SqlAction::ALL.iter().map(|sql| Action::Sql(*sql)).chain(GENERAL) {
            let uid = action_uid(action);
            assert!(entities.get(&uid).is_some(), "{action}");
            let groups: Vec<&EntityUid> = entities.ancestors(&uid).unwrap().collect();
            let expected: Vec<_> = group_uid(action).into_iter().collect();
            assert_eq!(groups, expected.iter().collect::<Vec<_>>(), "{action}");
        }
    }

    #[test]
    fn the_schema_has_no_sql_action_that_we_do_not_know() {
        for uid in CEDAR_SCHEMA.actions() {
            let id: &str = uid.id().as_ref();
            let known = SqlAction::ALL.iter().any(|sql| sql.as_str() == id || sql.group() == id);
            assert!(known || !id.starts_with("sql:"), "{id}");
        }
    }

    #[test]
    fn all_type_names_are_valid_and_declared() {
        let types = &*TYPES;
        let all = [
            &types.group,
            &types.user,
            &types.workload,
            &types.tag,
            &types.connection,
            &types.schema,
            &types.table,
            &types.column,
            &types.function,
        ];
        for name in all {
            assert!(CEDAR_SCHEMA.entity_types().any(|declared| declared == name), "{name}");
        }
    }

    #[test]
    fn a_column_stands_in_its_table_schema_and_connection() {
        let column = Resource::Column("public".into(), "customers".into(), "email".into());
        let names: Vec<_> = lineage(&column, "db")
            .iter()
            .map(|entity| entity.uid().to_string())
            .collect();
        let expected = [
            r#"Hoop::Column::"db/public.customers.email""#,
            r#"Hoop::Table::"db/public.customers""#,
            r#"Hoop::Schema::"db/public""#,
        ];
        assert_eq!(names, expected);
        assert!(lineage(&Resource::Connection, "db").is_empty());
    }
}
