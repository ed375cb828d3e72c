//! The plots of an evaluation, as SVG that needs nothing else.
//!
//! Three plots of one shape, a unit square with a line in it, are not worth a plotting library and
//! its fonts. Colours are the page's (`currentColor` and CSS variables), so dark mode and print work.

use std::fmt::Write as _;

use crate::eval::{Bin, Curves};

/// Side of the square in which curves run, in user units; margins go around.
const SIDE: f64 = 240.0;
const LEFT: f64 = 44.0;
const TOP: f64 = 12.0;

/// What stands beside a plot's axes.
struct Axes {
    title: &'static str,
    x: &'static str,
    y: &'static str,
}

/// Recall over the share of benign hosts that are called malicious, at every threshold.
pub(super) fn roc(curves: &Curves) -> String {
    let axes = Axes { title: "ROC", x: "false-positive rate", y: "recall" };
    let points: Vec<_> = std::iter::once((0.0, 0.0))
        .chain(curves.points.iter().map(|point| (point.false_positive_rate, point.recall)))
        .collect();
    plot(&axes, &(diagonal() + &line(&points)))
}

/// Precision over recall, at every threshold.
pub(super) fn precision_recall(curves: &Curves) -> String {
    let axes = Axes { title: "Precision and recall", x: "recall", y: "precision" };
    let points: Vec<_> = curves.points.iter().map(|p| (p.recall, p.precision)).collect();
    plot(&axes, &line(&points))
}

/// Share that is malicious over mean score; dots grow with the logarithm of the hosts in them.
pub(super) fn reliability(bins: &[Bin]) -> String {
    let axes = Axes { title: "Reliability", x: "score", y: "share malicious" };
    let mut marks = diagonal();
    let mut points = Vec::new();
    for bin in bins {
        let (Some(score), Some(observed)) = (bin.mean_score, bin.observed) else { continue };
        let point = (score / 100.0, observed / 100.0);
        points.push(point);
        let ((x, y), radius) = (place(point), 2.5 + (bin.hosts as f64).ln());
        let _ = write!(
            marks,
            r#"<circle class="dot" cx="{x:.1}" cy="{y:.1}" r="{radius:.1}"><title>{} hosts, mean score {score:.1}, {observed:.1} % malicious</title></circle>"#,
            bin.hosts
        );
    }
    marks += &line(&points);
    plot(&axes, &marks)
}

/// Where a point of the unit square lies.
fn place((x, y): (f64, f64)) -> (f64, f64) {
    (LEFT + x * SIDE, TOP + (1.0 - y) * SIDE)
}

fn diagonal() -> String {
    let ((x1, y1), (x2, y2)) = (place((0.0, 0.0)), place((1.0, 1.0)));
    format!(r#"<line class="guide" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>"#)
}

fn line(points: &[(f64, f64)]) -> String {
    let points: Vec<_> = points
        .iter()
        .map(|point| {
            let (x, y) = place(*point);
            format!("{x:.1},{y:.1}")
        })
        .collect();
    format!(r#"<polyline class="curve" points="{}"/>"#, points.join(" "))
}

fn plot(axes: &Axes, marks: &str) -> String {
    let Axes { title, x, y } = axes;
    let (width, height) = (LEFT + SIDE + 14.0, TOP + SIDE + 40.0);
    let mut svg = format!(
        r#"<svg viewBox="0 0 {width} {height}" role="img" aria-label="{title}: {y} over {x}"><rect class="frame" x="{LEFT}" y="{TOP}" width="{SIDE}" height="{SIDE}"/>"#
    );
    for tick in [0.0, 0.25, 0.5, 0.75, 1.0] {
        let ((across, bottom), (left, down)) = (place((tick, 0.0)), place((0.0, tick)));
        let _ = write!(
            svg,
            r#"<text x="{across}" y="{}" text-anchor="middle">{tick}</text><text x="{}" y="{}" text-anchor="end">{tick}</text>"#,
            bottom + 14.0,
            left - 5.0,
            down + 4.0
        );
    }
    let (middle_x, middle_y) = place((0.5, 0.5));
    let _ = write!(
        svg,
        r#"<text x="{middle_x}" y="{}" text-anchor="middle">{x}</text><text transform="translate(11 {middle_y}) rotate(-90)" text-anchor="middle">{y}</text>{marks}</svg>"#,
        TOP + SIDE + 32.0
    );
    svg
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::eval::Point;

    #[test]
    fn curves_run_from_corner_to_corner() {
        let point = |recall, false_positive_rate| Point {
            threshold: 50.0,
            true_positives: 1,
            false_positives: 1,
            recall,
            false_positive_rate,
            precision: 0.5,
        };
        let curves = Curves { points: vec![point(1.0, 0.0), point(1.0, 1.0)], ..Curves::default() };

        let svg = roc(&curves);

        assert!(svg.contains(r#"points="44.0,252.0 44.0,12.0 284.0,12.0""#), "{svg}");
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"));
    }

    #[test]
    fn empty_bins_are_left_out() {
        let bin = |hosts, score| Bin { from: 0, hosts, mean_score: score, observed: score };

        let svg = reliability(&[bin(0, None), bin(9, Some(50.0))]);

        assert_eq!(svg.matches("<circle").count(), 1);
        assert!(svg.contains("9 hosts, mean score 50.0, 50.0 % malicious"));
    }
}
