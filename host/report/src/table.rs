//! Columns that line up, whatever styles their cells have.

/// One cell: what is shown, and how wide that is without its styles.
pub(crate) struct Cell {
    shown: String,
    width: usize,
}

impl Cell {
    /// A cell as it is.
    pub(crate) fn plain(text: impl Into<String>) -> Self {
        let shown = text.into();
        Self {
            width: shown.chars().count(),
            shown,
        }
    }

    /// A cell with a style around it.
    pub(crate) fn styled(text: &str, style: impl Fn(&str) -> String) -> Self {
        Self {
            shown: style(text),
            width: text.chars().count(),
        }
    }
}

/// Rows with their columns lined up, two spaces between them, each row after an indent. Columns that are empty
/// everywhere are left out.
pub(crate) fn render(rows: &[Vec<Cell>], indent: &str) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.width).max().unwrap_or_default()
        })
        .collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        let mut missing = 0;
        for (cell, width) in row.iter().zip(&widths) {
            if *width == 0 {
                continue;
            }
            if cell.width > 0 {
                line.push_str(&" ".repeat(missing));
                line.push_str(&cell.shown);
                missing = 0;
            }
            missing += width - cell.width + 2;
        }
        out.push_str(indent);
        out.push_str(&line);
        out.push('\n');
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Cell, render};

    #[test]
    fn lines_up_and_leaves_nothing_at_the_end() {
        let rows = vec![
            vec![
                Cell::plain("a"),
                Cell::plain(""),
                Cell::plain("long"),
                Cell::plain("x"),
            ],
            vec![
                Cell::styled("bcd", |text| format!("<{text}>")),
                Cell::plain(""),
                Cell::plain("é"),
                Cell::plain(""),
            ],
        ];
        assert_eq!(render(&rows, "> "), "> a    long  x\n> <bcd>  é\n");
        assert_eq!(render(&[], "  "), "");
    }
}
