#![allow(clippy::unwrap_used, reason = "a test stops at the first surprise")]

use super::*;
use crate::mask::HashKey;

const CUSTOMERS: u32 = 16_400;
const VIEW: u32 = 16_500;

fn column(relation: u32, attnum: i16) -> ColumnRef {
    ColumnRef { relation, attnum }
}

fn described(table_oid: u32, attnum: i16) -> Described {
    Described {
        name: "c".to_owned(),
        table_oid,
        attnum,
        kind: Kind::Text,
        format: Format::Text,
    }
}

fn copied(column: ColumnRef) -> Origin {
    Origin {
        copied: vec![column],
        ..Origin::default()
    }
}

fn derived(column: ColumnRef) -> Origin {
    Origin {
        derived: vec![column],
        ..Origin::default()
    }
}

fn unknown() -> Origin {
    Origin {
        unknown: true,
        ..Origin::default()
    }
}

/// ssn is column 3 of customers, masked with `partial`; column 1 of a view copies it.
fn masked() -> HashMap<ColumnRef, MaskWith> {
    let partial = MaskWith::Partial { keep_last: 4 };
    [(column(CUSTOMERS, 3), partial), (column(VIEW, 1), partial)].into()
}

fn detectors(rules: &[(Detector, MaskWith)]) -> Arc<Detectors> {
    Arc::new(Detectors::new(rules.iter().copied(), HashKey::new([1; 32])))
}

fn plan(origins: Vec<Origin>, columns: &[Described], reach: bool) -> Result<Plan, PlanError> {
    Plan::new(&Lineage::Columns(origins), columns, &masked(), reach, &detectors(&[]))
}

fn shown(plan: &Plan, index: usize, value: &str) -> Option<String> {
    let mut out = Vec::new();
    match plan.apply(index, Some(value.as_bytes()), &mut out) {
        Applied::Same => Some(value.to_owned()),
        Applied::Replaced => Some(String::from_utf8(out).unwrap()),
        Applied::Null => None,
    }
}

const SSN: &str = "123-45-6789";

#[test]
fn a_copy_has_the_columns_own_mask_and_what_is_computed_is_redacted() {
    let origins = vec![
        copied(column(CUSTOMERS, 3)),
        derived(column(CUSTOMERS, 3)),
        copied(column(CUSTOMERS, 1)),
    ];
    let plan = plan(
        origins,
        &[described(CUSTOMERS, 3), described(0, 0), described(CUSTOMERS, 1)],
        true,
    )
    .unwrap();
    assert_eq!(shown(&plan, 0, SSN).unwrap(), "*******6789");
    assert_eq!(shown(&plan, 1, SSN).unwrap(), "***");
    assert_eq!(shown(&plan, 2, SSN).unwrap(), SSN);
    assert_eq!(shown(&plan, 3, SSN), None, "a column that nobody described");
    assert!(!plan.is_clear());
    assert_eq!(plan.apply(0, None, &mut Vec::new()), Applied::Same, "NULL stays NULL");
}

#[test]
fn the_target_alone_is_enough_to_mask() {
    let plan = plan(vec![unknown()], &[described(VIEW, 1)], false).unwrap();
    assert_eq!(shown(&plan, 0, SSN).unwrap(), "*******6789");
}

#[test]
fn a_union_takes_the_strictest_of_its_branches() {
    let mut origin = copied(column(CUSTOMERS, 3));
    origin.copied.push(column(CUSTOMERS, 1));
    let union = plan(vec![origin], &[described(0, 0)], true).unwrap();
    assert_eq!(shown(&union, 0, SSN).unwrap(), "*******6789");
}

#[test]
fn whole_rows_of_masked_tables_are_not_shown() {
    let mut row = described(CUSTOMERS, 0);
    row.kind = Kind::Record;
    let plan = plan(vec![derived(column(CUSTOMERS, 0))], &[row], true).unwrap();
    assert_eq!(shown(&plan, 0, "(1,ana,123-45-6789)"), None);
}

#[test]
fn witnesses_that_contradict_each_other_stop_the_result() {
    let ssn = column(CUSTOMERS, 3);
    assert_eq!(
        plan(vec![copied(ssn.clone())], &[], true).unwrap_err(),
        PlanError::Count { read: 1, described: 0 }
    );
    // a column was dropped and another one added since the catalog was read
    let stale = plan(vec![copied(column(CUSTOMERS, 1))], &[described(CUSTOMERS, 2)], false);
    assert_eq!(stale.unwrap_err(), PlanError::Origin { column: 1 });
    let swapped = plan(
        vec![copied(column(VIEW, 2)), copied(ssn)],
        &[described(CUSTOMERS, 3), described(VIEW, 2)],
        true,
    );
    assert_eq!(swapped.unwrap_err(), PlanError::Origin { column: 1 });
    // nothing masked is near: what PostgreSQL calls the column's origin does not matter
    assert!(
        plan(vec![copied(column(77, 1))], &[described(78, 1)], false)
            .unwrap()
            .is_clear()
    );
    assert!(
        plan(vec![Origin::default()], &[described(CUSTOMERS, -1)], true).is_ok(),
        "ctid"
    );
}

#[test]
fn unknown_lineage_is_redacted_where_something_masked_is_in_reach() {
    let columns = [described(CUSTOMERS, 1), described(0, 0)];
    let of = |reach| Plan::new(&Lineage::Unknown, &columns, &masked(), reach, &detectors(&[])).unwrap();
    assert_eq!(shown(&of(true), 0, SSN).unwrap(), "***");
    assert_eq!(shown(&of(true), 1, SSN).unwrap(), "***");
    assert!(of(false).is_clear());
    let nothing_masked = Plan::new(&Lineage::Unknown, &columns, &HashMap::new(), true, &detectors(&[])).unwrap();
    assert!(nothing_masked.is_clear());
}

#[test]
fn detectors_look_at_text_only_and_see_the_names_of_columns() {
    let detectors = detectors(&[
        (Detector::Email, MaskWith::Redact),
        (Detector::PasswordField, MaskWith::Redact),
    ]);
    let mut columns = [described(0, 0), described(0, 0), described(0, 0)];
    columns[1].kind = Kind::of(23);
    columns[2].name = "user_password".to_owned();
    let origins = vec![Origin::default(); 3];
    let plan = Plan::new(&Lineage::Columns(origins), &columns, &HashMap::new(), false, &detectors).unwrap();
    assert_eq!(shown(&plan, 0, "ana@example.com").unwrap(), "***");
    assert_eq!(shown(&plan, 1, "ana@example.com").unwrap(), "ana@example.com");
    assert_eq!(shown(&plan, 2, "hunter2").unwrap(), "***");
}

#[test]
fn a_copy_knows_types_by_base_columns() {
    let kind = |column: &ColumnRef| (column.attnum < 5).then_some(Kind::Text);
    let origins = [
        copied(column(CUSTOMERS, 3)),
        derived(column(CUSTOMERS, 3)),
        copied(column(CUSTOMERS, 1)),
        copied(column(CUSTOMERS, 9)),
    ];
    let plan = Plan::undescribed(&origins, kind, Format::Text, &masked(), true, &detectors(&[]));
    assert_eq!(shown(&plan, 0, SSN).unwrap(), "*******6789");
    assert_eq!(shown(&plan, 1, SSN), None, "its type is not known");
    assert_eq!(shown(&plan, 2, SSN).unwrap(), SSN);
}
