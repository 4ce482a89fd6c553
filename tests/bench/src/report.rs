//! The table: what was measured, what it must be, whether it is.

use std::path::Path;

use serde_json::{Value as Json, json};

use crate::failure::{Doing, Result};

/// The suite's name; later suites add their rows to the same command.
const SUITE: &str = "foundation";

/// One figure.
#[derive(Debug)]
struct Row {
    name: String,
    value: f64,
    unit: &'static str,
    bar: f64,
    note: String,
}

/// All figures.
#[derive(Debug, Default)]
pub struct Report {
    rows: Vec<Row>,
}

impl Report {
    /// Adds a figure that must not be above `bar`; the note says what it was made of.
    pub fn at_most(&mut self, name: &str, value: f64, unit: &'static str, bar: f64, note: String) {
        self.rows.push(Row {
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
            let holds = if row.holds() { "yes" } else { "**no**" };
            println!(
                "| {} | {:.2} {} | ≤ {} {} | {holds} | {} |",
                row.name, row.value, row.unit, row.bar, row.unit, row.note
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
        self.value <= self.bar
    }

    fn json(&self) -> Json {
        json!({
            "suite": SUITE, "name": self.name, "value": self.value, "unit": self.unit, "bar": self.bar,
            "holds": self.holds(),
        })
    }
}
