//! Relations that names mean, what reading their rows is, and where the values of their columns come from.

use std::sync::Arc;

use pg_raw_parse::nodes;

use super::from::named;
use super::reader::{Reader, has_rows, is_system, table};
use super::scope::{Column, Shape, Source};
use super::{ColumnRef, Origin, Refused};
use crate::inspect::catalog::{self, PROVISIONAL_OID, Relation, RelationKind, TEMPORARY};
use crate::policy::{CallKind, SqlAction};

impl Reader<'_> {
    /// Reading rows of a relation: the effect, and what the relation itself reads and calls.
    pub fn read_relation(&mut self, relation: &Arc<Relation>) {
        self.named.push(relation.clone());
        self.spells(&relation.name);
        if !has_rows(relation) {
            self.unknown();
        }
        if is_system(relation) {
            self.tables.insert(relation.qualified());
            self.act(
                super::functions::system_relation(&relation.schema, &relation.name),
                table(relation),
            );
            return;
        }
        self.on_relation(SqlAction::Select, relation);
        // Nobody knows what of it is masked.
        if self.hides_origin(relation) {
            self.touches_masked |= self.world.everything();
        }
        for function in relation.read_calls.clone() {
            self.call_oid(function, CallKind::Function);
        }
        let mut meant = vec![relation.clone()];
        meant.extend(self.behind.get(&relation.oid).into_iter().flatten().cloned());
        for relation in meant {
            if matches!(relation.kind, RelationKind::View) {
                self.view(&relation);
            }
        }
    }

    /// Where its values come from is known to nobody: it is only being made, or it is temporary and masked values may have been put
    /// into temporary tables of this session. So it is where the name may turn out to mean such a one.
    fn hides_origin(&self, relation: &Relation) -> bool {
        let tainted = self.world.scope.temporary_tainted;
        let hides = |relation: &Relation| relation.oid >= PROVISIONAL_OID || tainted && &*relation.schema == TEMPORARY;
        let mut behind = self.behind.get(&relation.oid).into_iter().flatten();
        hides(relation) || behind.any(|relation| hides(relation))
    }

    /// Where the values of a relation's column come from.
    pub fn origin(&self, relation: &Relation, column: &catalog::Column) -> Origin {
        // What is only being made has no number that the server could name.
        let mut origin = if self.hides_origin(relation) {
            Origin::unknown()
        } else {
            Origin::of(reference(relation, column))
        };
        origin.derived.extend(self.masked_behind(relation, &column.name));
        origin
    }

    /// A relation as a source of columns.
    pub fn source(&self, relation: &Arc<Relation>, alias: Option<&nodes::Alias>) -> Source {
        let columns = relation
            .columns
            .iter()
            .map(|column| Column {
                name: column.name.clone(),
                origin: Arc::new(self.origin(relation, column)),
                base: Some(reference(relation, column)),
                ty: column.type_oid,
            })
            .collect();
        let mut source = named(Shape { columns, open: None }, alias);
        source.relation = Some(relation.clone());
        if alias.is_none() {
            source.name = Some(relation.name.clone());
            source.schema = Some(relation.schema.clone());
        }
        source
    }

    /// The relation that a name means; says so where there is none.
    pub fn relation(&mut self, range: &nodes::RangeVar) -> Option<Arc<Relation>> {
        let name = range.relname().unwrap_or_default();
        self.spells(name);
        let found = match range.schemaname() {
            Some(schema) => self.world.catalog.relation_in(self.schema(schema), name).cloned(),
            None => self.along(name),
        };
        if found.is_none() {
            let display = match range.schemaname() {
                Some(schema) => format!("{schema}.{name}"),
                None => name.to_owned(),
            };
            self.not_found(display);
        }
        found
    }

    /// The relation that the search path finds, with those that stand behind it.
    pub fn along(&mut self, name: &str) -> Option<Arc<Relation>> {
        self.spells(name);
        let catalog = self.world.catalog;
        let path = &self.world.scope.search_path;
        let (index, relation) = catalog.relation_along(path, name)?;
        if self.temp_before(index) {
            return None;
        }
        let tainted = self.world.scope.temporary_tainted;
        let behind = path
            .iter()
            .skip(index + 1)
            .filter(|schema| tainted || *schema != TEMPORARY);
        let behind: Vec<Arc<Relation>> = behind
            .filter_map(|schema| catalog.relation_in(schema, name).cloned())
            .collect();
        // A temporary one is this session's alone: nobody else makes it go away.
        if !behind.is_empty() && !is_system(relation) && &*relation.schema != TEMPORARY {
            self.behind.insert(relation.oid, behind);
        }
        Some(relation.clone())
    }

    /// A statement that changes this relation names it without a schema. Where the session has a temporary one of that name it means
    /// that one, as it would without a relay, which has them searched last.
    pub fn means(&mut self, relation: &Relation) {
        let temporary = self.world.catalog.relation_in(TEMPORARY, &relation.name).is_some();
        if temporary && &*relation.schema != TEMPORARY {
            self.refused.get_or_insert_with(|| Refused::TwoOfAName {
                name: relation.name.to_string(),
            });
        }
    }

    /// Masked columns that a relation's column may turn out to be: that of the same name in a relation behind it, and those whose
    /// names it does not have, which a whole row would bring.
    fn masked_behind(&self, relation: &Relation, name: &str) -> Vec<ColumnRef> {
        let mut masked = Vec::new();
        for behind in self.behind.get(&relation.oid).into_iter().flatten() {
            for column in &behind.columns {
                let reference = reference(behind, column);
                let meant = &*column.name == name || relation.column_named(&column.name).is_none();
                let masks = [self.world.masked, self.world.recorded];
                if meant && masks.iter().any(|masks| masks.get(&reference).is_some()) {
                    masked.push(reference);
                }
            }
        }
        masked
    }
}

fn reference(relation: &Relation, column: &catalog::Column) -> ColumnRef {
    ColumnRef {
        relation: relation.oid,
        attnum: column.attnum,
    }
}
