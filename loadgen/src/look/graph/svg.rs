//! The drawing of a [`Graph`].

use std::fmt::Write;

use super::layout::{BOX_WIDTH, Curve, LABEL_HEIGHT, Layout, Link, Rect, lay};
use super::{GatewayLink, Graph, LeafLink, Region};
use crate::markup::escape;

/// Of the texts, all in a font whose letters are equally wide.
const FONT_SIZE: f64 = 12.0;
/// The widest that a letter of [`FONT_SIZE`] is in common fonts (0.602 of its size), rounded up.
const LETTER: f64 = 7.4;
/// Between two lines of text.
const LINE: f64 = 18.0;
/// Inside of boxes and labels.
const PADDING: f64 = 8.0;
/// Servers that a box names; the others are a number.
const SERVERS_MAX: usize = 12;
/// The heading, above the regions.
const HEADING: f64 = 48.0;
/// The legend and the heading fit into this width.
const WIDTH_MIN: f64 = 560.0;

/// Colours of both themes. Selectors begin with the class of the drawing: it may stand inside of a page.
const STYLE: &str = "\
.nats-graph{background:#fff}
.nats-graph text{font:12px ui-monospace,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:#1b1f24}
.nats-graph .heading{font-weight:bold}
.nats-graph .back{fill:#fff}
.nats-graph .box{fill:#f1f4f9;stroke:#8a94a3}
.nats-graph .unknown{stroke-dasharray:2 3}
.nats-graph .link{fill:none;stroke-width:2}
.nats-graph .gateway{stroke:#3b4fc4}
.nats-graph .partial{stroke:#b35900}
.nats-graph .leaf{stroke:#1f7a52;stroke-dasharray:7 5}
@media (prefers-color-scheme:dark){
.nats-graph{background:#14171c}
.nats-graph text{fill:#e4e8ee}
.nats-graph .back{fill:#14171c}
.nats-graph .box{fill:#1f242c;stroke:#6b7686}
.nats-graph .gateway{stroke:#93a2ff}
.nats-graph .partial{stroke:#ffac5c}
.nats-graph .leaf{stroke:#6fd3a4}
}
";

/// A line, whatever kind of link it is.
struct Drawn<'a> {
    ends: (&'a str, &'a str),
    class: &'static str,
    label: String,
    /// The whole link in words.
    title: String,
}

/// Draws the graph.
pub(super) fn draw(graph: &Graph) -> String {
    let links: Vec<_> = graph.gateways.iter().map(gateway).chain(graph.leafs.iter().map(leaf)).collect();
    let number = |name: &str| graph.regions.iter().position(|region| region.name == name);
    let laid: Vec<_> = links
        .iter()
        .filter_map(|link| {
            let (from, to) = (number(link.ends.0)?, number(link.ends.1)?);
            let label_width = width(&link.label) + 2.0 * PADDING;
            Some((link, Link { from, to, label_width }))
        })
        .collect();
    let heights: Vec<_> = graph.regions.iter().map(height).collect();
    let layout = lay(&heights, &laid.iter().map(|(_, link)| *link).collect::<Vec<_>>());
    let legend = legend(graph);
    let total_width = layout.width.max(WIDTH_MIN);
    let total_height = HEADING + layout.height + LINE * legend.len() as f64 + 2.0 * PADDING;

    let mut svg = String::new();
    // Writing to a string cannot fail.
    let _ = write!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"nats-graph\" role=\"img\" aria-labelledby=\"nats-graph-title \
         nats-graph-desc\" viewBox=\"0 0 {total_width:.0} {total_height:.0}\" width=\"{total_width:.0}\" \
         height=\"{total_height:.0}\">\n<title id=\"nats-graph-title\">Topology of a NATS super-cluster</title>\n<desc \
         id=\"nats-graph-desc\">{}</desc>\n<style>\n{STYLE}</style>\n<rect class=\"back\" width=\"100%\" height=\"100%\"/>\n",
        escape(&description(graph, &links)),
    );
    let _ = writeln!(svg, "<text class=\"heading\" x=\"24\" y=\"30\">{}</text>", escape(&graph.summary()));
    let indent = (total_width - layout.width) / 2.0;
    let _ = writeln!(svg, "<g transform=\"translate({indent:.1} {HEADING:.1})\">");
    drawing(&mut svg, graph, &layout, &laid);
    svg.push_str("</g>\n");
    for (row, (class, text)) in legend.iter().enumerate() {
        let y = HEADING + layout.height + LINE * (row as f64 + 0.5);
        let _ = writeln!(svg, "<path class=\"link {class}\" d=\"M24 {y:.1}H72\"/>");
        let _ = writeln!(svg, "<text x=\"84\" y=\"{:.1}\">{text}</text>", y + FONT_SIZE / 3.0);
    }
    svg.push_str("</svg>\n");
    svg
}

/// Lines lie below the boxes that they join, and labels on top of the lines.
fn drawing(svg: &mut String, graph: &Graph, layout: &Layout, laid: &[(&Drawn<'_>, Link)]) {
    for ((link, _), curve) in laid.iter().zip(&layout.curves) {
        path(svg, link, curve);
    }
    for ((link, _), label) in laid.iter().zip(&layout.labels) {
        if let Some(place) = label.as_ref().filter(|_| !link.label.is_empty()) {
            rect(svg, "back", place, 4.0);
            text(svg, place.left() + PADDING, place.centre.y + FONT_SIZE / 3.0, &link.label, &link.title, "");
        }
    }
    for (region, place) in graph.regions.iter().zip(&layout.boxes) {
        region_box(svg, region, place);
    }
}

fn path(svg: &mut String, link: &Drawn<'_>, curve: &Curve) {
    let Curve { from, control, to } = curve;
    let _ = writeln!(
        svg,
        "<path class=\"link {}\" d=\"M{} {}Q{} {} {} {}\"><title>{}</title></path>",
        link.class,
        coordinate(from.x),
        coordinate(from.y),
        coordinate(control.x),
        coordinate(control.y),
        coordinate(to.x),
        coordinate(to.y),
        escape(&link.title),
    );
}

fn region_box(svg: &mut String, region: &Region, place: &Rect) {
    rect(svg, if region.servers.is_empty() { "box unknown" } else { "box" }, place, 8.0);
    let x = place.left() + PADDING;
    let line = |number: usize| place.top() + PADDING + LINE * number as f64 + FONT_SIZE;
    text(svg, x, line(0), &region.name, &region.name, "heading");
    for (number, server) in region.servers.iter().take(SERVERS_MAX).enumerate() {
        let title = format!("{}, nats-server {}", server.name, server.version);
        text(svg, x, line(number + 1), &server.name, &title, "");
    }
    let more = region.servers.len().saturating_sub(SERVERS_MAX);
    if more > 0 {
        let rest = region.servers.iter().skip(SERVERS_MAX).map(|server| server.name.as_str());
        let title = rest.collect::<Vec<_>>().join(", ");
        text(svg, x, line(SERVERS_MAX + 1), &format!("and {more} more"), &title, "");
    }
}

fn height(region: &Region) -> f64 {
    let rows = region.servers.len().min(SERVERS_MAX + 1) + 1;
    LINE * rows as f64 + 2.0 * PADDING
}

fn rect(svg: &mut String, class: &str, place: &Rect, radius: f64) {
    let _ = writeln!(
        svg,
        "<rect class=\"{class}\" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"{radius}\"/>",
        coordinate(place.left()),
        coordinate(place.top()),
        coordinate(place.width),
        coordinate(place.height),
    );
}

/// A text that fits into a box, with the whole of it as its title.
fn text(svg: &mut String, x: f64, y: f64, shown: &str, title: &str, class: &str) {
    let class = if class.is_empty() { String::new() } else { format!(" class=\"{class}\"") };
    let _ = writeln!(
        svg,
        "<text{class} x=\"{}\" y=\"{}\">{}<title>{}</title></text>",
        coordinate(x),
        coordinate(y),
        escape(&shorten(shown)),
        escape(title),
    );
}

fn gateway(link: &GatewayLink) -> Drawn<'_> {
    let GatewayLink { a, b, from_a, from_b, complete, rtt_ms } = link;
    let time = rtt_ms.map(milliseconds);
    let title = format!(
        "Gateway between {a} and {b}, {}. Connected servers: {from_a} of {a}, {from_b} of {b}",
        time.as_deref().unwrap_or("not measured yet")
    );
    Drawn {
        ends: (a, b),
        class: if *complete { "gateway" } else { "partial" },
        label: time.unwrap_or_default(),
        title,
    }
}

fn leaf(link: &LeafLink) -> Drawn<'_> {
    let LeafLink { hub, leaf, hub_is_known, accounts, rtt_ms } = link;
    let time = rtt_ms.map(milliseconds);
    let ends = if *hub_is_known {
        format!("Leaf node {leaf} of {hub}")
    } else {
        format!("Leaf node link between {hub} and {leaf}")
    };
    let title = format!(
        "{ends}, {}. Accounts: {}",
        time.as_deref().unwrap_or("not measured yet"),
        accounts.join(", ")
    );
    Drawn { ends: (hub, leaf), class: "leaf", label: time.unwrap_or_default(), title }
}

fn milliseconds(ms: f64) -> String {
    if ms < 10.0 { format!("{ms:.1} ms") } else { format!("{ms:.0} ms") }
}

/// (Class of the line, text), for the kinds of lines that there are.
fn legend(graph: &Graph) -> Vec<(&'static str, &'static str)> {
    let any = |complete| graph.gateways.iter().any(|link| link.complete == complete);
    let rows = [
        (any(true), ("gateway", "gateway, with its round-trip time")),
        (any(false), ("partial", "gateway that not all servers are connected to")),
        (!graph.leafs.is_empty(), ("leaf", "leaf node, with its round-trip time")),
    ];
    rows.into_iter().filter(|(is_there, _)| *is_there).map(|(_, row)| row).collect()
}

/// Everything in words, for those who do not see the drawing.
fn description(graph: &Graph, links: &[Drawn<'_>]) -> String {
    let region = |region: &Region| {
        let servers: Vec<_> = region.servers.iter().map(|server| server.name.as_str()).collect();
        format!(
            "Region {}: {}. ",
            region.name,
            if servers.is_empty() { "no answer".into() } else { servers.join(", ") }
        )
    };
    let regions: String = graph.regions.iter().map(region).collect();
    let links: Vec<_> = links.iter().map(|link| format!("{}.", link.title)).collect();
    format!("{regions}{}", links.join(" ")).trim_end().to_owned()
}

/// The width of a text in pixels. Letters outside of ASCII may be twice as wide as others.
pub(super) fn width(text: &str) -> f64 {
    text.chars().map(letter_width).sum()
}

fn letter_width(letter: char) -> f64 {
    if letter.is_ascii() || letter == '…' { LETTER } else { 2.0 * LETTER }
}

/// The beginning of a text that fits into a box.
pub(super) fn shorten(text: &str) -> String {
    const ROOM: f64 = BOX_WIDTH - 2.0 * PADDING;
    if width(text) <= ROOM {
        return text.to_owned();
    }
    let mut used = LETTER;
    let fits = |letter: &char| {
        used += letter_width(*letter);
        used <= ROOM
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// One digit behind the point, and no negative zero: the same places must give the same text.
fn coordinate(value: f64) -> f64 {
    (value * 10.0).round() / 10.0 + 0.0
}

/// Labels are as high as a line of text.
const _: () = assert!(LABEL_HEIGHT >= FONT_SIZE);
