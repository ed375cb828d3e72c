//! What a page about an evaluation is made of, whatever it is written in.

/// One part of the page.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Section {
    /// What it is about.
    pub(super) title: String,
    /// How to read it; empty where the title says it.
    pub(super) note: String,
    /// What it says.
    pub(super) body: Body,
}

/// What a section says.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Body {
    /// A table: titles of columns, in which a new line may stand, and rows. The first column is text,
    /// the others are numbers.
    Table(Vec<String>, Vec<Vec<String>>),
    /// A line each.
    Lines(Vec<String>),
}

impl Section {
    /// A table; `None` if it has no rows.
    pub(super) fn table<'a, T: 'a>(
        title: &str,
        note: &str,
        first: &str,
        columns: &[Column<T>],
        rows: impl IntoIterator<Item = (String, &'a T)>,
    ) -> Option<Self> {
        let header = std::iter::once(first).chain(columns.iter().map(|(title, _)| *title));
        let row = |(name, of): (String, &T)| {
            let cells = columns.iter().map(|(_, column)| column(of));
            std::iter::once(name).chain(cells).collect()
        };
        let rows: Vec<Vec<String>> = rows.into_iter().map(row).collect();
        let body = Body::Table(header.map(str::to_owned).collect(), rows);
        let is_empty = matches!(&body, Body::Table(_, rows) if rows.is_empty());
        (!is_empty).then(|| Self { title: title.to_owned(), note: note.to_owned(), body })
    }

    /// Lines; `None` if there are none.
    pub(super) fn lines(title: &str, note: &str, lines: Vec<String>) -> Option<Self> {
        let (title, note) = (title.to_owned(), note.to_owned());
        (!lines.is_empty()).then_some(Self { title, note, body: Body::Lines(lines) })
    }
}

/// A column: its title, and what it shows of a row.
pub(super) type Column<T> = (&'static str, fn(&T) -> String);

/// A share as a percentage, `-` where there is none.
pub(in crate::cli) fn percent(share: Option<f64>) -> String {
    share.map_or_else(|| "-".to_owned(), |share| format!("{:.1} %", share * 100.0))
}

/// A number, `-` where there is none.
pub(super) fn number(value: Option<f64>, decimals: usize) -> String {
    value.map_or_else(|| "-".to_owned(), |value| format!("{value:.decimals$}"))
}
