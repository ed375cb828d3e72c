//! The page as Markdown, for `docs/results.md`.

use std::fmt::Write as _;

use super::section::{Body, Section};
use super::sections;
use crate::eval::Report;

/// Writes the page, with headings of the third level.
pub(super) fn page(report: &Report<'_>) -> String {
    let sections: Vec<_> = sections::of(report).iter().map(write).collect();
    sections.join("\n")
}

fn write(section: &Section) -> String {
    let mut text = format!("### {}\n\n", sentence(&section.title));
    if !section.note.is_empty() {
        let _ = write!(text, "{}.\n\n", sentence(&section.note));
    }
    match &section.body {
        Body::Table(header, rows) => {
            row(&mut text, header);
            let rules = (0..header.len()).map(|n| if n == 0 { "---" } else { "--:" });
            row(&mut text, &rules.map(str::to_owned).collect::<Vec<_>>());
            for cells in rows {
                row(&mut text, cells);
            }
        }
        Body::Lines(lines) => {
            for line in lines {
                let _ = writeln!(text, "- {}", escaped(line));
            }
        }
    }
    text
}

fn row(text: &mut String, cells: &[String]) {
    let cells: Vec<_> = cells.iter().map(|cell| escaped(&cell.replace('\n', " "))).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// `text` without what Markdown would take for its own.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for char in text.chars() {
        if matches!(char, '|' | '*' | '_' | '<' | '`' | '[') {
            escaped.push('\\');
        }
        escaped.push(char);
    }
    escaped
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_lists_are_markdown() {
        let table = Section {
            title: "who was found".to_owned(),
            note: "by label".to_owned(),
            body: Body::Table(
                vec!["label".to_owned(), "malicious\nhosts".to_owned()],
                vec![vec!["a|b".to_owned(), "1".to_owned()]],
            ),
        };
        let lines = Section::lines("missed (1)", "", vec!["a_b.pcap".to_owned()]).unwrap();

        assert_eq!(
            write(&table),
            "### Who was found\n\nBy label.\n\n| label | malicious hosts |\n| --- | --: |\n| a\\|b | 1 |\n"
        );
        assert_eq!(write(&lines), "### Missed (1)\n\n- a\\_b.pcap\n");
    }
}
