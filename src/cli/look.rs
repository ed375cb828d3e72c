//! How output looks: colours and width on a terminal, plain text elsewhere.

use std::io::IsTerminal;

use anstyle::{AnsiColor, Style};
use comfy_table::{ContentArrangement, LineStyle, Table, TableStyle};

use crate::incident::Severity;
pub(super) use crate::report::counted;
use crate::score::Verdict;

/// Where the output goes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Whether colours are wanted.
    pub colour: bool,
    /// Whether a terminal shows it, whose width the tables should keep.
    pub terminal: bool,
}

impl Look {
    /// The look of standard output: colours on a terminal, unless `NO_COLOR` is set and not empty
    /// (<https://no-color.org>) or the terminal is `dumb`.
    pub fn of_stdout() -> Self {
        let terminal = std::io::stdout().is_terminal();
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { colour: terminal && !refused && !dumb, terminal }
    }

    /// An empty table that looks like this.
    pub(super) fn table(self) -> Table {
        let mut table = Table::new();
        table.load_style(TABLE);
        if self.terminal {
            table.set_content_arrangement(ContentArrangement::Dynamic);
        } else {
            table.force_no_tty().set_content_arrangement(ContentArrangement::Disabled);
        }
        if self.colour {
            table.enforce_styling();
        }
        table
    }

    pub(super) fn paint(self, style: Style, text: &str) -> String {
        if self.colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }
}

/// Tables have a line under their titles and nothing else.
const TABLE: TableStyle =
    TableStyle::new().header_separator(LineStyle::none().fill('─').junction('─'));

pub(super) const BOLD: Style = Style::new().bold();

pub(super) const fn verdict_style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::Malicious => AnsiColor::Red.on_default().bold(),
        Verdict::Suspicious => AnsiColor::Yellow.on_default().bold(),
        Verdict::Benign => AnsiColor::Green.on_default(),
    }
}

pub(super) const fn severity_style(severity: Severity) -> Style {
    match severity {
        Severity::Critical | Severity::High => AnsiColor::Red.on_default().bold(),
        Severity::Medium => AnsiColor::Yellow.on_default(),
        Severity::Low => Style::new(),
    }
}

/// `text` without control characters: names from the wire must not move somebody's cursor.
pub(super) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// A size in the unit that fits.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [(&str, u64); 3] = [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)];
    for (unit, factor) in UNITS {
        if bytes >= factor {
            return format!("{:.1} {unit}", bytes as f64 / factor as f64);
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paints_only_where_wanted() {
        let plain = Look::default();
        let coloured = Look { colour: true, terminal: true };

        assert_eq!(plain.paint(BOLD, "x"), "x");
        assert_eq!(coloured.paint(BOLD, "x"), "\u{1b}[1mx\u{1b}[0m");
    }

    #[test]
    fn names_from_the_wire_move_no_cursor() {
        assert_eq!(clean("a\u{1b}[2Jb\u{9b}c\n"), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}");
    }

    #[test]
    fn counts_and_sizes_are_told_as_people_do() {
        assert_eq!(counted(1, "packet"), "1 packet");
        assert_eq!(counted(0, "packet"), "0 packets");
        assert_eq!(size(1023), "1023 B");
        assert_eq!(size(1_073_409), "1.0 MiB");
    }
}
