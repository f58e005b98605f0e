//! Relations being made, changed and dropped; the rest of DDL is in `administer`.

use std::sync::Arc;

use pg_raw_parse::raw::{ConstrType, DropBehavior};
use pg_raw_parse::{Node, nodes};

use super::expression::Role;
use super::reader::{Reader, table};
use super::scope::{Env, Frame};
use super::write::made;
use crate::inspect::catalog::{Relation, RelationKind, TEMPORARY};
use crate::policy::{CallKind, Resource, SqlAction};

impl Reader<'_> {
    /// A statement that defines or administers something; unknown where it is none.
    pub fn define(&mut self, node: Node<'_>) {
        match node {
            Node::CreateStmt(create) => self.create_table(create),
            Node::AlterTableStmt(alter) => self.alter_table(alter),
            Node::IndexStmt(index) => self.create_index(index),
            Node::ViewStmt(view) => {
                // Each of its columns is masked as what it shows, from the next snapshot on.
                let shape = self.query(view.query(), None, None);
                // Of what is computed the NULLs show, through the view's own column.
                for origin in shape.columns.iter().map(|column| &column.origin).chain(&shape.open) {
                    if !origin.is_copy() {
                        self.decides(origin);
                    }
                }
                if let Some(range) = view.view() {
                    self.makes(range, &[SqlAction::Create]);
                    if view.replace
                        && let Some(old) = self.existing(range)
                    {
                        self.on_relation(SqlAction::Alter, &old);
                    }
                }
            }
            Node::CreateSeqStmt(create) => match create.sequence() {
                Some(range) => {
                    self.makes(range, &[SqlAction::Create]);
                    if !(create.if_not_exists && self.existing(range).is_some()) {
                        self.amend_made(range, RelationKind::Sequence, Vec::new());
                    }
                    self.amendments.whole = true;
                }
                None => self.unknown(),
            },
            Node::AlterSeqStmt(alter) => self.changes(SqlAction::Alter, alter.sequence()),
            Node::RefreshMatViewStmt(refresh) => self.changes(SqlAction::Maintenance, refresh.relation()),
            Node::TruncateStmt(truncate) => {
                for item in truncate.relations() {
                    let Node::RangeVar(range) = item else {
                        self.unknown();
                        continue;
                    };
                    if let Some(relation) = self.object_of(SqlAction::Truncate, range) {
                        self.truncates(&relation, truncate.behavior == DropBehavior::DROP_CASCADE, range.inh);
                    }
                }
            }
            Node::DropStmt(drop) => self.drop(drop),
            Node::CreateTrigStmt(trigger) => {
                self.changes(SqlAction::Alter, trigger.relation());
                self.only_for_writers(trigger.relation());
                self.act(SqlAction::Create, self.resource_of(trigger.relation()));
                let names: Vec<&str> = trigger.funcname().iter().filter_map(Node::as_str).collect();
                match names.as_slice() {
                    [name] => {
                        self.function_by_name(None, name, 0, &[], CallKind::Trigger);
                    }
                    [schema, name] => {
                        self.function_by_name(Some(schema), name, 0, &[], CallKind::Trigger);
                    }
                    _ => self.unknown(),
                }
                self.amend_trigger(trigger);
            }
            Node::RuleStmt(rule) => {
                // Its actions run with the owner's rights whenever the relation is used.
                self.changes(SqlAction::Alter, rule.relation());
                self.act(SqlAction::Create, self.resource_of(rule.relation()));
                if let Some(relation) = rule.relation().and_then(|range| self.existing(range)) {
                    self.rule_actions(rule, &relation);
                }
            }
            Node::CreatePolicyStmt(policy) => {
                self.changes(SqlAction::Alter, policy.table());
                self.row_expressions(policy.table(), &[policy.qual(), policy.with_check()]);
            }
            Node::AlterPolicyStmt(policy) => {
                self.changes(SqlAction::Alter, policy.table());
                self.row_expressions(policy.table(), &[policy.qual(), policy.with_check()]);
            }
            Node::CreateStatsStmt(stats) => {
                for range in stats.relations() {
                    self.changes(SqlAction::Alter, Some(range));
                    self.only_for_writers(Some(range));
                }
                // Its expressions run whenever the table is analysed, and what they give is kept.
                let range = stats.relations().iter().next();
                let expressions: Vec<Node<'_>> = stats
                    .exprs()
                    .iter()
                    .filter_map(|element| match element {
                        Node::StatsElem(element) => Some(element.expr()),
                        _ => None,
                    })
                    .collect();
                self.row_expressions(range, &expressions);
            }
            Node::ClusterStmt(cluster) => match cluster.relation() {
                Some(range) => self.changes(SqlAction::Maintenance, Some(range)),
                None => self.act(SqlAction::Maintenance, Resource::Connection),
            },
            Node::ReindexStmt(reindex) => match reindex.relation() {
                Some(range) => self.changes(SqlAction::Maintenance, Some(range)),
                None => self.act(SqlAction::Maintenance, Resource::Connection),
            },
            Node::VacuumStmt(vacuum) => {
                if vacuum.rels().is_empty() {
                    self.act(SqlAction::Maintenance, Resource::Connection);
                }
                for relation in vacuum.rels() {
                    match relation.relation() {
                        Some(range) => self.changes(SqlAction::Maintenance, Some(range)),
                        None => self.act(SqlAction::Maintenance, Resource::Connection),
                    }
                }
            }
            other => self.administer(other),
        }
    }

    /// The relation of a statement that changes it; its functions run where its rows are written again.
    pub fn changes(&mut self, action: SqlAction, range: Option<&nodes::RangeVar>) {
        let Some(range) = range else {
            self.unknown();
            return;
        };
        let Some(relation) = self.object_of(action, range) else {
            return;
        };
        self.on_relation(action, &relation);
        if action == SqlAction::Maintenance {
            for function in relation.write_calls.clone() {
                self.call_oid(function, CallKind::Function);
            }
        }
    }

    /// What the statement changes of a relation is nothing to who reads it.
    fn only_for_writers(&mut self, range: Option<&nodes::RangeVar>) {
        if let Some(relation) = range.and_then(|range| self.existing(range)) {
            self.touched.for_writers.push(relation.name.clone());
        }
    }

    /// The relation as a resource, known or not.
    pub fn resource_of(&self, range: Option<&nodes::RangeVar>) -> Resource {
        let Some(range) = range else {
            return Resource::Connection;
        };
        if let Some(relation) = self.existing(range) {
            return table(&relation);
        }
        Resource::Table(self.schema_for(range), Arc::from(range.relname().unwrap_or_default()))
    }

    /// The relation that a statement is about as a whole. Where there is none, the server says so or does nothing; then the action is
    /// one on whatever the name could come to mean.
    pub fn object_of(&mut self, action: SqlAction, range: &nodes::RangeVar) -> Option<Arc<Relation>> {
        let name = range.relname().unwrap_or_default();
        let names: Vec<&str> = range.schemaname().into_iter().chain([name]).collect();
        let found = self.relation_by_names(&names);
        match &found {
            Some(relation) if names.len() == 1 => self.means(relation),
            Some(_) => {}
            None => self.missing(action, &names),
        }
        found
    }

    /// An action on a relation that is not there.
    pub fn missing(&mut self, action: SqlAction, names: &[&str]) {
        self.unresolved.insert(names.join("."));
        if self.world.scope.temporary.is_some() && !self.world.catalog.has_temporary() {
            self.unknown();
        }
        let (schemas, name): (Vec<Arc<str>>, &str) = match names {
            [name] => (
                self.world
                    .scope
                    .search_path
                    .iter()
                    .filter(|schema| *schema != "pg_catalog")
                    .map(|schema| Arc::from(schema.as_str()))
                    .collect(),
                name,
            ),
            [schema, name] | [_, schema, name] => (vec![Arc::from(self.schema(schema))], name),
            _ => (Vec::new(), ""),
        };
        if schemas.is_empty() {
            self.act(action, Resource::Connection);
        }
        for schema in schemas {
            self.act(action, Resource::Table(schema, Arc::from(name)));
        }
    }

    /// The relation of that name, if it is there.
    pub fn existing(&self, range: &nodes::RangeVar) -> Option<Arc<Relation>> {
        let name = range.relname()?;
        match range.schemaname() {
            Some(schema) => self.world.catalog.relation_in(self.schema(schema), name).cloned(),
            None => self
                .world
                .catalog
                .relation_along(&self.world.scope.search_path, name)
                .map(|(_, relation)| relation.clone()),
        }
    }

    /// The schema in which a new relation would be made.
    pub fn schema_for(&self, range: &nodes::RangeVar) -> Arc<str> {
        /// `RELPERSISTENCE_TEMP`.
        const TEMPORARY_PERSISTENCE: u8 = b't';
        if let Some(schema) = range.schemaname() {
            return Arc::from(self.schema(schema));
        }
        if u8::try_from(range.relpersistence).is_ok_and(|kind| kind == TEMPORARY_PERSISTENCE) {
            return Arc::from(TEMPORARY);
        }
        Arc::from(self.creation_schema())
    }

    /// A new relation.
    pub fn makes(&mut self, range: &nodes::RangeVar, actions: &[SqlAction]) {
        let schema = self.schema_for(range);
        let name: Arc<str> = Arc::from(range.relname().unwrap_or_default());
        self.tables.insert(format!("{schema}.{name}"));
        self.made.push(name.to_string());
        self.touched.for_all.push(name.clone());
        for action in actions {
            self.act(*action, Resource::Table(schema.clone(), name.clone()));
        }
    }

    fn create_table(&mut self, create: &nodes::CreateStmt) {
        let Some(range) = create.relation() else {
            self.unknown();
            return;
        };
        self.makes(range, &[SqlAction::Create]);
        let mut columns: Vec<Arc<str>> = Vec::new();
        let mut constraints: Vec<&nodes::Constraint> = create.constraints().iter().collect();
        for element in create.table_elts() {
            match element {
                Node::ColumnDef(column) => {
                    columns.push(Arc::from(column.colname().unwrap_or_default()));
                    constraints.extend(column.constraints().iter().filter_map(as_constraint));
                }
                Node::Constraint(constraint) => constraints.push(constraint),
                Node::TableLikeClause(like) => {
                    if let Some(relation) = like.relation().and_then(|range| self.relation(range)) {
                        self.on_relation(SqlAction::Select, &relation);
                        columns.extend(relation.columns.iter().map(|column| column.name.clone()));
                        for function in relation.write_calls.clone() {
                            self.call_oid(function, CallKind::Function);
                        }
                    }
                }
                _ => self.unknown(),
            }
        }
        for parent in create.inh_relations() {
            let Node::RangeVar(parent) = parent else {
                self.unknown();
                continue;
            };
            if let Some(relation) = self.relation(parent) {
                self.on_relation(SqlAction::Alter, &relation);
                columns.extend(relation.columns.iter().map(|column| column.name.clone()));
            }
        }
        let frame = Frame::single(made(range.relname().unwrap_or_default(), columns.into_iter()));
        let env = Env {
            frame: &frame,
            outer: None,
            ctes: None,
        };
        for constraint in constraints {
            self.constraint(constraint, &env);
        }
        if let Some(spec) = create.partspec() {
            for part in spec.part_params() {
                self.expression(part.expr(), &env, Role::Decides);
            }
        }
        if let Some(bound) = create.partbound() {
            self.partition_bound(bound, &env);
        }
        self.amend_table(create, range);
    }

    pub fn partition_bound(&mut self, bound: &nodes::PartitionBoundSpec, env: &Env<'_>) {
        for value in bound
            .listdatums()
            .iter()
            .chain(bound.lowerdatums())
            .chain(bound.upperdatums())
        {
            match value {
                // MINVALUE, MAXVALUE.
                Node::ColumnRef(_) | Node::PartitionRangeDatum(_) => {}
                other => {
                    self.expression(other, env, Role::Decides);
                }
            }
        }
    }

    pub fn constraint(&mut self, constraint: &nodes::Constraint, env: &Env<'_>) {
        self.expression(constraint.raw_expr(), env, Role::Decides);
        self.expression(constraint.where_clause(), env, Role::Decides);
        match constraint.contype {
            ConstrType::CONSTR_FOREIGN => {
                // What a foreign key takes shows which values are there.
                if let Some(relation) = constraint.pktable().and_then(|range| self.relation(range)) {
                    self.on_relation(SqlAction::Alter, &relation);
                    self.touched.for_writers.push(relation.name.clone());
                    let source = self.source(&relation, None);
                    let mut names: Vec<String> = constraint
                        .pk_attrs()
                        .iter()
                        .filter_map(|name| name.as_str().map(str::to_owned))
                        .collect();
                    if names.is_empty() {
                        let key = relation.keys.iter().find(|key| key.primary);
                        names = key
                            .into_iter()
                            .flat_map(|key| &key.columns)
                            .filter_map(|attnum| relation.column(*attnum).map(|column| column.name.to_string()))
                            .collect();
                    }
                    for column in names.iter().filter_map(|name| source.column(name)) {
                        if let Some(base) = &column.base {
                            self.read_column(base);
                        }
                        self.decides(&column.origin);
                    }
                }
            }
            ConstrType::CONSTR_PRIMARY | ConstrType::CONSTR_UNIQUE => {
                for name in constraint.keys() {
                    if let Some(name) = name.as_str()
                        && let Some(column) = env.frame.visible.columns.iter().find(|column| &*column.name == name)
                    {
                        self.decides(&column.origin.clone());
                    }
                }
            }
            ConstrType::CONSTR_EXCLUSION => {
                // (element, operator) each.
                for exclusion in constraint.exclusions() {
                    let Node::NodeList(pair) = exclusion else {
                        self.unknown();
                        continue;
                    };
                    match pair.get(0) {
                        Some(Node::IndexElem(element)) => {
                            self.expression(element.expr(), env, Role::Decides);
                            let named = |column: &&super::scope::Column| Some(&*column.name) == element.name();
                            if let Some(column) = env.frame.visible.columns.iter().find(named) {
                                self.decides(&column.origin.clone());
                            }
                        }
                        _ => self.unknown(),
                    }
                    let names: Vec<&str> = match pair.get(1) {
                        Some(Node::NodeList(names)) => names.iter().filter_map(Node::as_str).collect(),
                        _ => Vec::new(),
                    };
                    match names.as_slice() {
                        [name] => self.operator(None, name, None, None),
                        [schema, name] => self.operator(Some(schema), name, None, None),
                        _ => self.unknown(),
                    }
                }
            }
            _ => {}
        }
    }

    fn create_index(&mut self, index: &nodes::IndexStmt) {
        let Some(range) = index.relation() else {
            self.unknown();
            return;
        };
        let Some(relation) = self.object_of(SqlAction::Create, range) else {
            return;
        };
        self.on_relation(SqlAction::Create, &relation);
        if let Some(name) = index.idxname() {
            self.act(
                SqlAction::Create,
                Resource::Table(relation.schema.clone(), Arc::from(name)),
            );
        }
        let frame = Frame::single(self.source(&relation, None));
        let env = Env {
            frame: &frame,
            outer: None,
            ctes: None,
        };
        for element in index.index_params() {
            self.expression(element.expr(), &env, Role::Decides);
            // Whether a unique index can be made shows whether values repeat.
            if index.unique
                && let Some(column) = element
                    .name()
                    .and_then(|name| frame.visible.columns.iter().find(|column| &*column.name == name))
            {
                self.decides(&column.origin.clone());
            }
        }
        self.expression(index.where_clause(), &env, Role::Decides);
        // Its functions run for every row.
        if self.functions.is_empty() {
            self.touched.for_nobody.push(relation.name.clone());
            if let Some(name) = index.idxname() {
                let mut made = (*relation).clone();
                made.name = Arc::from(name);
                made.kind = RelationKind::Index;
                self.amend_index(made);
            }
            self.amendments.whole = true;
        } else {
            self.touched.for_writers.push(relation.name.clone());
        }
    }

    fn row_expressions(&mut self, range: Option<&nodes::RangeVar>, expressions: &[Node<'_>]) {
        let Some(relation) = range.and_then(|range| self.existing(range)) else {
            return;
        };
        let frame = Frame::single(self.source(&relation, None));
        let env = Env {
            frame: &frame,
            outer: None,
            ctes: None,
        };
        for expression in expressions {
            self.expression(*expression, &env, Role::Decides);
        }
    }

    /// The relation that a list of names means, along the search path.
    pub fn relation_by_names(&mut self, names: &[&str]) -> Option<Arc<Relation>> {
        match names {
            [name] => self.along(name),
            [schema, name] | [_, schema, name] => self.world.catalog.relation_in(self.schema(schema), name).cloned(),
            _ => None,
        }
    }
}

pub(super) fn as_constraint(node: Node<'_>) -> Option<&nodes::Constraint> {
    match node {
        Node::Constraint(constraint) => Some(constraint),
        _ => None,
    }
}
