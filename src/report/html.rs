//! The page: one file of HTML that loads nothing.
//!
//! What was seen goes into it as JSON, and the page's script writes it as text, never as markup. The
//! policy in its head names the style and the script by their hashes, so that nothing else would run
//! even if it got in.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};

use super::document::Document;
use crate::incident::Summary;
use crate::score::ScoreConfig;

const PAGE: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
/// The parts of the script, which share their names: helpers first, what starts it last.
const SCRIPT: &str = concat!(
    "\"use strict\";\n",
    include_str!("page/dom.js"),
    include_str!("page/tree.js"),
    include_str!("page/incidents.js"),
    include_str!("page/timeline.js"),
    include_str!("page/hosts.js"),
    include_str!("page/why.js"),
    include_str!("page/page.js"),
);

/// Writes the page about `summary`, whose scores were made with `config`.
pub fn html(summary: &Summary, config: &ScoreConfig) -> String {
    let document = Document::new(summary, config);
    let json = serde_json::to_string(&document).expect("a document has only text for keys");
    let policy = format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; img-src data:; base-uri 'none'; \
         form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    );
    // The data last: what is written in it must not be taken for a place to fill.
    PAGE.replace("{{policy}}", &policy)
        .replace("{{style}}", STYLE)
        .replace("{{script}}", SCRIPT)
        .replace("{{data}}", &inert(&json))
}

/// A source by which a policy names an inline text.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

/// JSON that ends no element and no line of a script: these characters stand only within strings.
fn inert(json: &str) -> String {
    json.replace('<', "\\u003c")
        .replace('>', "\\u003e")
        .replace('&', "\\u0026")
        .replace('\u{2028}', "\\u2028")
        .replace('\u{2029}', "\\u2029")
}

#[cfg(test)]
mod tests {
    use super::super::testing::outbreak;
    use super::*;

    const HOSTILE: &str = "</script><script>alert(1)</script><!--\u{2028}{{style}}&lt;";

    #[test]
    fn nothing_from_the_wire_breaks_out() {
        let mut summary = outbreak();
        summary.hosts[0].score.evidence[0].summary = HOSTILE.to_owned();
        summary.infections[0].reasons = vec![HOSTILE.to_owned()];
        summary.incidents[0].id = HOSTILE.to_owned();
        summary.notices = vec![HOSTILE.to_owned()];

        let page = html(&summary, &ScoreConfig::default());

        assert_eq!(page.matches("</script>").count(), 2);
        assert_eq!(page.matches("<script").count(), 2);
        assert!(!page.contains("<!--") && !page.contains('\u{2028}'));
        assert_eq!(page.matches(STYLE).count(), 1);
        let (_, data) = page.split_once("type=\"application/json\">").unwrap();
        let (data, _) = data.split_once("</script>").unwrap();
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["notices"][0], HOSTILE);
    }

    #[test]
    fn every_place_is_filled_and_nothing_is_loaded() {
        let page = html(&outbreak(), &ScoreConfig::default());

        assert!(!page.contains("{{"), "a place is left");
        for outside in ["http:", "https:", "src=", "@import", "url("] {
            let namespace = "http://www.w3.org/2000/svg";
            assert!(!page.replace(namespace, "").contains(outside), "{outside}");
        }
        assert!(!page.contains("innerHTML"));
    }

    #[test]
    fn the_same_summary_gives_the_same_page() {
        let page = || html(&outbreak(), &ScoreConfig::default());

        assert_eq!(page(), page());
    }
}
