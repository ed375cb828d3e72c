//! The page on a terminal.

use comfy_table::CellAlignment;

use super::section::{Body, Section};
use super::sections;
use crate::cli::Look;
use crate::cli::look::BOLD;
use crate::eval::Report;

/// Writes the page.
pub(super) fn page(report: &Report<'_>, look: Look) -> String {
    let sections: Vec<_> =
        sections::of(report).iter().map(|section| write(section, look)).collect();
    sections.join("\n")
}

fn write(section: &Section, look: Look) -> String {
    let mut text = look.paint(BOLD, &section.title);
    if !section.note.is_empty() {
        text += &format!(" ({})", section.note);
    }
    text.push('\n');
    match &section.body {
        Body::Table(header, rows) => text += &table(header, rows),
        Body::Lines(lines) => text.extend(lines.iter().map(|line| format!("  {line}\n"))),
    }
    text
}

/// A table of its natural width: a row that is broken up cannot be compared with others.
fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let mut table = Look::default().table();
    table.set_header(header);
    table.add_rows(rows);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.trim_fmt() + "\n"
}
