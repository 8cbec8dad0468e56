//! The report as Markdown, for the summary of a job on GitHub.

use std::fmt::Write as _;

use super::model::Report;

/// Verdict, sentences and thresholds.
pub fn to_markdown(report: &Report) -> String {
    let mut text = format!("## {}: {}\n\n", report.verdict, escape(&report.title));
    for reason in &report.reasons {
        let _ = writeln!(text, "* because {}", escape(reason));
    }
    for sentence in &report.sentences {
        let _ = writeln!(text, "* {}", escape(sentence));
    }
    if !report.thresholds.is_empty() {
        text.push_str("\n| threshold | measured | |\n|---|---|---|\n");
        for row in &report.thresholds {
            let holds = match row.holds {
                Some(true) => "holds",
                Some(false) => "**fails**",
                None => "unknown",
            };
            let measured = row.measured.as_deref().unwrap_or("-");
            let _ = writeln!(text, "| `{}` | {measured} | {holds} |", row.text.replace('|', "\\|"));
        }
    }
    let _ = writeln!(text, "\nSeed {}, {:.0} s.", report.seed, report.wall_s);
    text
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('|', "\\|")
}
