//! SQL text: no panic, no unbounded recursion, and whatever text has a statement has an effect or is refused.
#![no_main]

use std::sync::LazyLock;

use hoop_relay::inspect::catalog::Catalog;
use hoop_relay::inspect::masked::MaskedColumns;
use hoop_relay::inspect::sql::{Scope, World, read};
use libfuzzer_sys::fuzz_target;

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::default);
static SCOPE: LazyLock<Scope> = LazyLock::new(Scope::fresh);
static MASKED: LazyLock<MaskedColumns> = LazyLock::new(MaskedColumns::default);

fuzz_target!(|text: &str| {
    let world = World { catalog: &CATALOG, scope: &SCOPE, masked: &MASKED, parameter_types: &[] };
    let reading = read(text, &world);
    for statement in &reading.statements {
        assert!(statement.span.end <= text.len());
    }
});
