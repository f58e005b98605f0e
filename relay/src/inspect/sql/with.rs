//! WITH: named queries, recursive ones too.

use std::sync::Arc;

use pg_raw_parse::raw::SetOperation;
use pg_raw_parse::{Node, nodes};

use super::from::rename;
use super::reader::Reader;
use super::scope::{Column, Ctes, Env, Shape};

impl Reader<'_> {
    /// The queries of a WITH clause.
    pub fn with(
        &mut self,
        with: Option<&nodes::WithClause>,
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) -> Vec<(Arc<str>, Shape)> {
        let mut list: Vec<(Arc<str>, Shape)> = Vec::new();
        let Some(with) = with else { return list };
        let all: Vec<(Arc<str>, &nodes::CommonTableExpr)> = with
            .ctes()
            .iter()
            .map(|cte| (Arc::from(cte.ctename().unwrap_or_default()), cte))
            .collect();
        for (index, (name, cte)) in all.iter().enumerate() {
            let mut shape = if with.recursive {
                // Later queries of the list can be named too; what they give is not known yet.
                let later: Vec<(Arc<str>, Shape)> = all
                    .iter()
                    .skip(index + 1)
                    .map(|(later, _)| (later.clone(), Shape::unknown()))
                    .collect();
                self.recursive(name, cte, &list, &later, outer, ctes)
            } else {
                let here = Ctes {
                    list: &list,
                    outer: ctes,
                };
                self.query(cte.ctequery(), outer, Some(&here))
            };
            rename(&mut shape, cte.aliascolnames().iter());
            self.search_and_cycle(cte, &mut shape);
            for column in &mut shape.columns {
                column.base = None;
            }
            list.push((name.clone(), shape));
        }
        list
    }

    /// A query that may name itself. What its columns come from is everything that any of them comes from: a step may move values
    /// from one column to another.
    pub fn recursive(
        &mut self,
        name: &Arc<str>,
        cte: &nodes::CommonTableExpr,
        before: &[(Arc<str>, Shape)],
        later: &[(Arc<str>, Shape)],
        outer: Option<&Env<'_>>,
        ctes: Option<&Ctes<'_>>,
    ) -> Shape {
        let list = |own: Option<Shape>| -> Vec<(Arc<str>, Shape)> {
            before
                .iter()
                .cloned()
                .chain(own.map(|own| (name.clone(), own)))
                .chain(later.iter().cloned())
                .collect()
        };
        let base = match cte.ctequery() {
            Node::SelectStmt(select) if select.op == SetOperation::SETOP_UNION => select.larg(),
            _ => None,
        };
        let Some(base) = base else {
            let list = list(None);
            let here = Ctes {
                list: &list,
                outer: ctes,
            };
            return self.query(cte.ctequery(), outer, Some(&here));
        };
        // The base term may use a WITH of the whole union; `query` below reads that in its place.
        let mut own = {
            let list = list(Some(Shape::unknown()));
            let here = Ctes {
                list: &list,
                outer: ctes,
            };
            let with = match cte.ctequery() {
                Node::SelectStmt(select) => select.with_clause(),
                _ => None,
            };
            let inner = self.with(with, outer, Some(&here));
            let inner_ctes = Ctes {
                list: &inner,
                outer: Some(&here),
            };
            self.query(Node::SelectStmt(base), outer, Some(&inner_ctes))
        };
        for _ in 0..2 {
            let everything = Arc::new(own.everything());
            for column in &mut own.columns {
                column.origin = everything.clone();
                column.ty = 0;
            }
            let mut bound = own.clone();
            rename(&mut bound, cte.aliascolnames().iter());
            self.search_and_cycle(cte, &mut bound);
            let list = list(Some(bound));
            let here = Ctes {
                list: &list,
                outer: ctes,
            };
            let whole = self.query(cte.ctequery(), outer, Some(&here));
            if whole.columns.len() == own.columns.len() {
                for (column, other) in own.columns.iter_mut().zip(&whole.columns) {
                    let mut origin = (*column.origin).clone();
                    origin.derive(&other.origin);
                    column.origin = Arc::new(origin);
                }
            } else {
                own = Shape::unknown();
            }
        }
        let everything = Arc::new(own.everything());
        for column in &mut own.columns {
            column.origin = everything.clone();
        }
        own
    }

    /// SEARCH and CYCLE add columns that are made of the others.
    pub fn search_and_cycle(&mut self, cte: &nodes::CommonTableExpr, shape: &mut Shape) {
        let mut added = Vec::new();
        if let Some(search) = cte.search_clause() {
            added.extend(search.search_seq_column());
        }
        if let Some(cycle) = cte.cycle_clause() {
            added.extend(cycle.cycle_mark_column());
            added.extend(cycle.cycle_path_column());
        }
        if added.is_empty() {
            return;
        }
        let everything = Arc::new(shape.everything());
        self.decides(&everything);
        for name in added {
            shape.columns.push(Column {
                name: Arc::from(name),
                origin: everything.clone(),
                base: None,
                ty: 0,
            });
        }
    }
}
