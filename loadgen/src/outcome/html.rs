//! The report as one HTML file: the page of `web/report`, which is built into `assets/report.html`, with the data in it.

use super::model::Report;

/// The page without data. `npm run report` in `web` builds it anew.
const PAGE: &str = include_str!("../../assets/report.html");

/// The page with this report.
pub fn to_html(report: &Report) -> String {
    // Texts, numbers and lists are JSON. `<` could end the element that holds it.
    let data = serde_json::to_string(report).unwrap_or_default().replace('<', "\\u003c");
    let title = format!("{}: {}", report.verdict, report.title);
    PAGE.replacen("__RUN_TITLE__", &escape(&title), 1).replacen("__RUN_DATA__", &data, 1)
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
