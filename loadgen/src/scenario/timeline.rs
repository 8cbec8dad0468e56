//! A scenario's timeline before it is played, as text and as SVG.

use std::fmt::Write as _;

use super::{Scenario, TimedFault, seconds};
use crate::markup::escape;

/// Phases, faults and clients by their times, one a line.
pub fn to_text(scenario: &Scenario) -> String {
    let mut events: Vec<(std::time::Duration, String)> = Vec::new();
    for phase in &scenario.phases {
        events.push((phase.from, format!("phase {}", phase.name)));
    }
    for fault in &scenario.faults {
        events.push((fault.at, format!("inject {fault}")));
        if let Some(until) = fault.until {
            events.push((until, format!("undo {}:{}", fault.kind, fault.targets.join("+"))));
        }
    }
    for population in &scenario.populations {
        for (region, count) in &population.start {
            events.push((std::time::Duration::ZERO, format!("{count} {} in {region}", population.name)));
        }
        for stage in &population.stages {
            let (from, to, over) = (stage.from, stage.to, seconds(stage.over));
            events.push((
                stage.at,
                format!("{} in {}: {from} to {to} over {over}", population.name, stage.region),
            ));
        }
    }
    events.push((scenario.duration(), "end".to_owned()));
    // Stable: phases stand before what begins with them.
    events.sort_by_key(|(at, _)| *at);
    let mut text = format!("{}: {}\n", scenario.name, scenario.title);
    for (at, what) in events {
        let _ = writeln!(text, "{:>8}  {what}", seconds(at));
    }
    for threshold in &scenario.thresholds {
        let _ = writeln!(text, "    must  {threshold}");
    }
    text
}

/// The same as a picture: phases above, a bar for each fault below.
pub fn to_svg(scenario: &Scenario) -> String {
    let height = TOP + ROW * (scenario.faults.len() as f64 + 1.0) + 30.0;
    let end = scenario.duration().as_secs_f64().max(f64::EPSILON);
    let x = |at: std::time::Duration| LEFT + (WIDTH - LEFT - RIGHT) * (at.as_secs_f64() / end).min(1.0);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" width=\"{WIDTH}\" height=\"{height}\" \
         font-family=\"sans-serif\" font-size=\"13\" role=\"img\">\n<title>{}</title>\n\
         <rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n",
        escape(&scenario.title)
    );
    let _ = writeln!(svg, "<text x=\"12\" y=\"24\" font-size=\"16\">{}</text>", escape(&scenario.title));
    for (index, phase) in scenario.phases.iter().enumerate() {
        let (from, to) = (x(phase.from), x(phase.to));
        let fill = if index % 2 == 0 { "#e8eef5" } else { "#d6e0ec" };
        let _ = writeln!(
            svg,
            "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{fill}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{}</text><text x=\"{from:.1}\" y=\"{:.1}\" font-size=\"11\">{}</text>",
            TOP - 24.0,
            to - from,
            height - TOP,
            from + 4.0,
            TOP - 8.0,
            escape(&phase.name),
            height - 8.0,
            seconds(phase.from)
        );
    }
    for (index, fault) in scenario.faults.iter().enumerate() {
        bar(&mut svg, fault, TOP + ROW * index as f64, &x, scenario);
    }
    svg.push_str("</svg>\n");
    svg
}

fn bar(
    svg: &mut String,
    fault: &TimedFault,
    y: f64,
    x: &impl Fn(std::time::Duration) -> f64,
    scenario: &Scenario,
) {
    let until = match fault.until {
        Some(until) => until,
        None if fault.kind.is_momentary() => fault.at,
        None => scenario.duration(),
    };
    let (from, width) = (x(fault.at), (x(until) - x(fault.at)).max(3.0));
    let _ = writeln!(
        svg,
        "<rect x=\"{from:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"14\" fill=\"#c0392b\"/>\
         <text x=\"12\" y=\"{:.1}\">{}</text>",
        y + 4.0,
        y + 16.0,
        escape(&fault.to_string())
    );
}

const WIDTH: f64 = 960.0;
/// Room for one-liners.
const LEFT: f64 = 320.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 70.0;
const ROW: f64 = 26.0;
