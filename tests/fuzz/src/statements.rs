//! SQL text: no panic, no unbounded recursion, spans that can be shown, and a recording's form of it.

use std::sync::LazyLock;

use hoop_relay::config::{Detector, MaskRule, MaskWhat, MaskWith};
use hoop_relay::inspect::catalog::Catalog;
use hoop_relay::inspect::masked::MaskedColumns;
use hoop_relay::inspect::sql::{Scope, World, read};
use hoop_relay::mask::{Masks, Scrubber};

static CATALOG: LazyLock<Catalog> = LazyLock::new(Catalog::default);
static SCOPE: LazyLock<Scope> = LazyLock::new(Scope::fresh);
static SCRUBBER: LazyLock<Scrubber> = LazyLock::new(|| {
    let rule = MaskRule {
        what: MaskWhat::Detect(vec![
            Detector::Email,
            Detector::CreditCard,
            Detector::PasswordField,
            Detector::PrivateKey,
        ]),
        with: MaskWith::Redact,
        connections: Vec::new(),
    };
    let masks = Masks::compile(&[rule], "db-prod", &[1; 32]).expect("the rule has no pattern");
    masks.scrubber().clone()
});
static MASKED: LazyLock<MaskedColumns> = LazyLock::new(MaskedColumns::default);

/// Runs one input.
pub fn run(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let world = World {
        catalog: &CATALOG,
        scope: &SCOPE,
        masked: &MASKED,
        recorded: &MASKED,
        most_tokens: 1_000_000,
        parameter_types: &[],
    };
    let reading = read(text, &world);
    for statement in &reading.statements {
        assert!(statement.span.end <= text.len());
        assert!(text.get(statement.span.clone()).is_some(), "a span cuts a character");
    }
    let recorded = SCRUBBER.statement(text);
    assert_eq!(recorded.digest(), SCRUBBER.statement(text).digest());
}
