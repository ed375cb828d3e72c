//! The comparison as a picture: a row for each statistic, a dot for each real capture.

use std::fmt::Write as _;

/// A statistic.
pub(crate) struct Row<'a> {
    pub(crate) name: &'a str,
    /// Of the generated capture.
    pub(crate) generated: f64,
    /// Of the real ones, sorted.
    pub(crate) real: &'a [f64],
}

const WIDTH: f64 = 860.0;
/// Where the axes begin; names stand before.
const LEFT: f64 = 280.0;
const RIGHT: f64 = 90.0;
const STEP: f64 = 26.0;

/// Draws `rows`, each on an axis of its own that grows as the logarithm of one plus the value in
/// typical ones, since statistics span decades and many are 0 somewhere.
pub(crate) fn draw(rows: &[Row<'_>]) -> Result<String, std::fmt::Error> {
    let height = STEP * (rows.len() + 2) as f64;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
         font-family=\"sans-serif\" font-size=\"12\" role=\"img\" \
         aria-label=\"Statistics of real captures and of a generated one\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n"
    );
    for (row, y) in rows.iter().zip((1..).map(|n| f64::from(n) * STEP)) {
        let typical = row.real.get(row.real.len() / 2).copied().filter(|median| *median > 0.0);
        let scaled = |value: f64| (value / typical.unwrap_or(1.0)).ln_1p();
        let most = row.real.last().copied().unwrap_or(0.0).max(row.generated);
        let x = |value: f64| {
            LEFT + (WIDTH - LEFT - RIGHT) * scaled(value) / scaled(most).max(f64::MIN_POSITIVE)
        };
        writeln!(
            svg,
            "<text x=\"{}\" y=\"{}\" text-anchor=\"end\" fill=\"#333\">{}</text>\
             <line x1=\"{LEFT}\" x2=\"{}\" y1=\"{y}\" y2=\"{y}\" stroke=\"#ccc\"/>",
            LEFT - 12.0,
            y + 4.0,
            row.name,
            WIDTH - RIGHT,
        )?;
        for value in row.real {
            let x = x(*value);
            writeln!(
                svg,
                "<circle cx=\"{x:.1}\" cy=\"{y}\" r=\"4\" fill=\"#4477aa\" fill-opacity=\"0.4\"/>"
            )?;
        }
        let (x, value) = (x(row.generated), row.generated);
        writeln!(
            svg,
            "<path d=\"M{x:.1} {} l5 8 l-5 8 l-5 -8 z\" fill=\"#cc3311\"/>\
             <text x=\"{}\" y=\"{}\" fill=\"#cc3311\">{value:.3}</text>",
            y - 8.0,
            WIDTH - RIGHT + 10.0,
            y + 4.0,
        )?;
    }
    writeln!(
        svg,
        "<text x=\"{LEFT}\" y=\"{}\" fill=\"#666\">dots: real captures; diamond and number: \
         generated</text>\n</svg>",
        height - STEP / 2.0
    )?;
    Ok(svg)
}
