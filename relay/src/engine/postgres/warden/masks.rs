//! Masks of results, as the session core asks for them.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::world::World;
use crate::engine::postgres::codec::HEADER;
use crate::engine::postgres::codec::backend::Column;
use crate::engine::postgres::codec::frame::{Side, header};
use crate::engine::postgres::copy_out::{self, CopyMask};
use crate::engine::postgres::rows::{Row, described, mask_row};
use crate::engine::postgres::session::{CopyPlan, MaskCopy, MaskRows, RowsPlan, Unmaskable};
use crate::inspect::sql::{ColumnRef, CopyOut, Lineage, Reach};
use crate::mask::{Both, Kind, Plan, Sent, Views};

/// Masks the rows of a result.
#[derive(Debug)]
struct Rows {
    plans: Both<Plan>,
    longest: usize,
}

impl MaskRows for Rows {
    fn rows(&self, messages: &Bytes) -> Result<Sent, Unmaskable> {
        self.plans.as_ref().send(|plan| {
            if plan.is_clear() {
                return Ok((messages.clone(), 0));
            }
            rewrite(plan, messages, self.longest)
        })
    }
}

fn rewrite(plan: &Plan, messages: &Bytes, longest: usize) -> Result<(Bytes, u64), Unmaskable> {
    let mut out = BytesMut::with_capacity(messages.len() + 64);
    let mut masked = 0;
    let mut rest: &[u8] = messages;
    while let Some(header) = header(Side::Server, rest).map_err(unmaskable)? {
        let (message, behind) = rest.split_at_checked(header.total).unwrap_or((rest, &[]));
        rest = behind;
        match mask_row(plan, message.get(HEADER..).unwrap_or_default(), longest, &mut out) {
            Ok(Row::Same) => out.extend_from_slice(message),
            Ok(Row::Rewritten(values)) => masked += values,
            Err(error) => return Err(unmaskable(error)),
        }
    }
    Ok((out.freeze(), masked))
}

/// Masks the data of a copy.
#[derive(Debug)]
struct Copy(Both<CopyMask>);

impl MaskCopy for Copy {
    fn data(&mut self, body: &[u8]) -> Result<Sent, Unmaskable> {
        self.0.send(|copy| {
            let before = copy.masked();
            let mut out = BytesMut::new();
            copy.data(body, &mut out).map_err(unmaskable)?;
            Ok((out.freeze(), copy.masked() - before))
        })
    }

    fn end(&mut self) -> Result<Sent, Unmaskable> {
        self.0.send(|copy| {
            copy.done().map_err(unmaskable)?;
            Ok((Bytes::new(), 0))
        })
    }
}

fn unmaskable(error: impl std::error::Error) -> Unmaskable {
    Unmaskable(error.to_string())
}

fn views(world: &World) -> Result<&Views, Unmaskable> {
    world
        .views()
        .ok_or_else(|| Unmaskable("the masks are not known".to_owned()))
}

/// Makes the mask of a result's rows.
pub(super) fn rows(
    world: &World,
    lineage: &Lineage,
    columns: &[Column],
    reach: Reach,
    longest: usize,
) -> Result<RowsPlan, Unmaskable> {
    let formats: Vec<_> = columns.iter().map(|column| column.format).collect();
    let catalog = world.catalog();
    let described = described(columns, &formats, |oid| Kind::resolve(oid, catalog));
    let plans = views(world)?
        .plans(reach, |masked, reach, detectors| {
            Plan::new(lineage, &described, masked, reach, detectors)
        })
        .map_err(unmaskable)?;
    Ok(match plans.clear() {
        Some(cleared) => RowsPlan::Clear(cleared),
        None => RowsPlan::Masked(Rc::new(Rows { plans, longest })),
    })
}

/// Makes the mask of a copy.
pub(super) fn copy(
    world: &World,
    copy: &CopyOut,
    columns: usize,
    reach: Reach,
    longest: usize,
) -> Result<CopyPlan, Unmaskable> {
    let catalog = world.catalog();
    let kind = |column: &ColumnRef| {
        let found = catalog.relation(column.relation)?.column(column.attnum)?;
        Some(Kind::resolve(found.type_oid, catalog))
    };
    let plans = views(world)?
        .plans(reach, |masked, reach, detectors| {
            copy_out::plan(copy, columns, kind, masked, reach, detectors)
        })
        .map_err(unmaskable)?;
    Ok(match plans.clear() {
        Some(cleared) => CopyPlan::Clear(cleared),
        None => CopyPlan::Masked(Box::new(Copy(plans.map(|plan| CopyMask::new(copy, plan, longest))))),
    })
}
