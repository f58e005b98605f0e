//! `[limits]`: everything that a client could make grow has an end, and each end is a setting.

use std::ops::RangeInclusive;

use super::reader::Section;

macro_rules! limits {
    ($($(#[$doc:meta])* $name:ident: $unit:ident = $default:expr, $range:expr;)*) => {
        /// `[limits]`. Each has a documented default.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct Limits { $($(#[$doc])* pub $name: usize,)* }

        impl Default for Limits {
            fn default() -> Self {
                Self { $($name: $default,)* }
            }
        }

        /// Every limit: its name, its unit, its default and its range.
        pub const LIMITS: &[Limit] = &[$(Limit {
            name: stringify!($name),
            unit: Unit::$unit,
            default: $default,
            range: $range,
        },)*];

        pub(super) fn limits(mut section: Section<'_>) -> Limits {
            let mut limits = Limits::default();
            $(
                if let Some(item) = section.get(stringify!($name)) {
                    let value = match Unit::$unit {
                        Unit::Bytes => item.size($range),
                        Unit::Count => item.number($range),
                    };
                    if let Some(value) = value {
                        limits.$name = value;
                    }
                }
            )*
            section.unsupported("http_hold", "leave it out; it belongs to Kubernetes connections");
            section.unsupported("file_content", "leave it out; it belongs to SSH connections");
            section.finish();
            limits
        }
    };
}

/// A limit, for documentation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limit {
    /// Its key.
    pub name: &'static str,
    /// What it counts.
    pub unit: Unit,
    /// Where the file says nothing.
    pub default: usize,
    /// What the file may say.
    pub range: RangeInclusive<usize>,
}

/// What a limit counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Bytes: `"16MiB"`.
    Bytes,
    /// Things: `4`.
    Count,
}

limits! {
    /// The longest statement, in bytes.
    statement_bytes: Bytes = 16 << 20, 1 << 10..=(1 << 30) - 1;
    /// The most words, numbers and signs of a statement: what its reading takes memory and time for.
    statement_tokens: Count = crate::inspect::sql::MOST_TOKENS, 1_000..=10_000_000;
    /// Held operations of one session at a time.
    pending_requests_per_session: Count = 4, 0..=1_000;
    /// Client connections of one session at a time.
    streams_per_session: Count = 100, 1..=100_000;
    /// Sessions of one principal at a time.
    sessions_per_principal: Count = 200, 1..=1_000_000;
    /// Prepared statements and portals of one client connection.
    prepared_statements: Count = 10_000, 1..=1_000_000;
    /// The longest row whose values are masked, in bytes.
    masked_row_bytes: Bytes = 64 << 20, 1 << 10..=(1 << 30) - 1;
    /// The longest recording of one session, in bytes; past it the session ends.
    recording_bytes: Bytes = 64 << 30, 1 << 20..=1 << 40;
    /// The longest row that is recorded where nothing of it is masked, in bytes; of a longer one its number is.
    recorded_row_bytes: Bytes = 256 << 10, 1 << 10..=64 << 20;
    /// Bytes that wait behind a held operation.
    held_bytes: Bytes = 16 << 20, 1 << 10..=(1 << 30) - 1;
    /// The longest result of a run that is kept, in bytes: later rows are left out.
    kept_result_bytes: Bytes = 16 << 20, 1 << 10..=1 << 40;
    /// Runs of one principal that are kept for who comes back.
    kept_runs_per_principal: Count = 10_000, 1..=1_000_000;
}
