//! The table: what was measured, what it must be, whether it is.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::failure::{Doing, Result};

/// The first suite; others say their names before their rows.
const FOUNDATION: &str = "foundation";

/// One figure.
#[derive(Debug)]
struct Row {
    suite: &'static str,
    name: String,
    value: f64,
    unit: &'static str,
    /// What it must not be above; none when it is only told.
    bar: Option<f64>,
    note: String,
}

/// All figures.
#[derive(Debug)]
pub struct Report {
    suite: &'static str,
    rows: Vec<Row>,
}

impl Default for Report {
    fn default() -> Self {
        Self {
            suite: FOUNDATION,
            rows: Vec::new(),
        }
    }
}

impl Report {
    /// What follows belongs to this suite.
    pub const fn suite(&mut self, suite: &'static str) {
        self.suite = suite;
    }

    /// Adds a figure that has no bar.
    pub fn told(&mut self, name: &str, value: f64, unit: &'static str, note: String) {
        self.row(name, value, unit, None, note);
    }

    /// Adds a figure that must not be above `bar`; the note says what it was made of.
    pub fn at_most(&mut self, name: &str, value: f64, unit: &'static str, bar: f64, note: String) {
        self.row(name, value, unit, Some(bar), note);
    }

    fn row(&mut self, name: &str, value: f64, unit: &'static str, bar: Option<f64>, note: String) {
        self.rows.push(Row {
            suite: self.suite,
            name: name.to_owned(),
            value,
            unit,
            bar,
            note,
        });
    }

    /// Prints the table.
    pub fn print(&self) {
        println!("| what | measured | bar | holds | |");
        println!("|---|---|---|---|---|");
        for row in &self.rows {
            let (bar, holds) = match (row.bar, row.holds()) {
                (Some(bar), true) => (format!("≤ {bar} {}", row.unit), "yes"),
                (Some(bar), false) => (format!("≤ {bar} {}", row.unit), "**no**"),
                (None, _) => (String::new(), ""),
            };
            println!(
                "| {} | {:.2} {} | {bar} | {holds} | {} |",
                row.name, row.value, row.unit, row.note
            );
        }
    }

    /// Writes the rows as JSON.
    pub fn write(&self, file: &Path) -> Result {
        let rows: Vec<Json> = self.rows.iter().map(Row::json).collect();
        let text = serde_json::to_string_pretty(&rows).doing("writing the rows as JSON")?;
        std::fs::write(file, text + "\n").doing(format!("writing {}", file.display()))
    }
}

impl Row {
    fn holds(&self) -> bool {
        self.bar.is_none_or(|bar| self.value <= bar)
    }

    fn json(&self) -> Json {
        json!({
            "suite": self.suite, "name": self.name, "value": self.value, "unit": self.unit, "bar": self.bar,
            "holds": self.holds(),
        })
    }
}
