//! How moments, counts and certainty are worded.

use crate::incident::{Exposed, Infection};
use crate::time::Timestamp;

pub(crate) use crate::incident::counted;

/// `2017-05-18 08:12:07`, in UTC.
pub(crate) fn second(moment: Timestamp) -> String {
    let text = moment.to_string();
    text.get(..19).unwrap_or(&text).replace('T', " ")
}

/// `97 %`. Nothing that was inferred is certain, so rounding never makes it so.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", (share * 100.0).round().clamp(0.0, 99.0))
}

/// `tcp/445 97 %`, or how sure it is alone.
pub(super) fn how(infection: &Infection) -> String {
    let sure = percent(infection.confidence);
    match infection.service {
        Some(service) => format!("{service} {sure}"),
        None => sure,
    }
}

/// Whether a host that may be next was contacted.
pub(super) const fn reach(exposed: &Exposed) -> &'static str {
    if exposed.contacted { "contacted" } else { "offers it" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_certain() {
        let told = [0.0, 0.5, 0.974, 0.999, 1.0, f64::NAN].map(percent);

        assert_eq!(told, ["0 %", "50 %", "97 %", "99 %", "99 %", "NaN %"]);
    }
}
