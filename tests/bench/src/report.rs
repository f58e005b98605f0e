//! The table: ratios inside each round, their median and range.

/// Median, least and greatest of some ratios.
pub struct Spread {
    median: f64,
    least: f64,
    greatest: f64,
    count: usize,
}

impl Spread {
    /// Of no values: none.
    pub fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let middle = sorted.len() / 2;
        let median = if sorted.len() % 2 == 1 {
            *sorted.get(middle)?
        } else {
            (sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?) / 2.0
        };
        Some(Self {
            median,
            least: *sorted.first()?,
            greatest: *sorted.last()?,
            count: sorted.len(),
        })
    }
}

impl std::fmt::Display for Spread {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{:.2} ({:.2}–{:.2}, {} rounds)",
            self.median, self.least, self.greatest, self.count
        )
    }
}

/// Prints one row of the Markdown table.
pub fn row(what: &str, floor: Option<Spread>, ours: Option<Spread>, trust: &str) {
    let show = |spread: Option<Spread>| spread.map_or_else(|| "–".to_owned(), |spread| spread.to_string());
    println!("| {what} | {} | {} | {trust} |", show(floor), show(ours));
}
