//! Masks of results, as the session core asks for them.

use std::rc::Rc;

use bytes::{Bytes, BytesMut};

use super::world::World;
use crate::engine::postgres::codec::HEADER;
use crate::engine::postgres::codec::backend::Column;
use crate::engine::postgres::copy_out::{self, CopyMask};
use crate::engine::postgres::rows::{Row, described, mask_row};
use crate::engine::postgres::session::{MaskCopy, MaskRows, Unmaskable};
use crate::inspect::sql::{ColumnRef, CopyOut, Lineage};
use crate::mask::{Kind, Plan};

/// Masks the rows of a result.
#[derive(Debug)]
struct Rows {
    plan: Plan,
    longest: usize,
}

impl MaskRows for Rows {
    fn row(&self, message: &Bytes, out: &mut BytesMut) -> Result<u64, Unmaskable> {
        let body = message.get(HEADER..).unwrap_or_default();
        match mask_row(&self.plan, body, self.longest, out) {
            Ok(Row::Same) => {
                out.extend_from_slice(message);
                Ok(0)
            }
            Ok(Row::Rewritten(masked)) => Ok(masked),
            Err(error) => Err(Unmaskable(error.to_string())),
        }
    }
}

/// Masks the data of a copy.
#[derive(Debug)]
struct Copy(CopyMask);

impl MaskCopy for Copy {
    fn data(&mut self, body: &[u8], out: &mut BytesMut) -> Result<u64, Unmaskable> {
        let before = self.0.masked();
        self.0.data(body, out).map_err(|error| Unmaskable(error.to_string()))?;
        Ok(self.0.masked() - before)
    }

    fn end(&mut self, _: &mut BytesMut) -> Result<u64, Unmaskable> {
        self.0.done().map_err(|error| Unmaskable(error.to_string()))?;
        Ok(0)
    }
}

fn unready() -> Unmaskable {
    Unmaskable("the masks are not known".to_owned())
}

/// Makes the mask of a result's rows.
pub(super) fn rows(
    world: &World,
    lineage: &Lineage,
    columns: &[Column],
    reach: bool,
    longest: usize,
) -> Result<Option<Rc<dyn MaskRows>>, Unmaskable> {
    let detectors = world.detectors().ok_or_else(unready)?;
    let formats: Vec<_> = columns.iter().map(|column| column.format).collect();
    let described = described(columns, &formats);
    let plan = Plan::new(lineage, &described, &**world.masked(), reach, detectors)
        .map_err(|error| Unmaskable(error.to_string()))?;
    if plan.is_clear() {
        return Ok(None);
    }
    Ok(Some(Rc::new(Rows { plan, longest })))
}

/// Makes the mask of a copy.
pub(super) fn copy(
    world: &World,
    copy: &CopyOut,
    columns: usize,
    reach: bool,
    longest: usize,
) -> Result<Option<Box<dyn MaskCopy>>, Unmaskable> {
    let detectors = world.detectors().ok_or_else(unready)?;
    let catalog = world.catalog();
    let kind = |column: &ColumnRef| {
        let found = catalog.relation(column.relation)?.column(column.attnum)?;
        Some(Kind::of(catalog.base_type(found.type_oid)))
    };
    let plan = copy_out::plan(copy, columns, kind, &**world.masked(), reach, detectors)
        .map_err(|error| Unmaskable(error.to_string()))?;
    if plan.is_clear() {
        return Ok(None);
    }
    Ok(Some(Box::new(Copy(CopyMask::new(copy, plan, longest)))))
}
