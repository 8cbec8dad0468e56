//! Working links that were declared dead, against the time until traffic has moved: as SVG, one panel per path, with
//! one line per detector over its intervals.

use plotters::coord::Shift;
use plotters::prelude::*;

use super::DetectorsError;
use super::row::{Comparison, Row};

const WIDTH: u32 = 1_000;
const PANEL_HEIGHT: u32 = 320;

/// Draws it.
///
/// # Errors
/// The drawing library refused.
pub fn render(comparison: &Comparison) -> Result<String, DetectorsError> {
    let mut svg = String::new();
    draw(comparison, &mut svg).map_err(|error| DetectorsError::Plot(error.to_string()))?;
    Ok(svg)
}

type DrawError = Box<dyn std::error::Error>;

fn draw(comparison: &Comparison, svg: &mut String) -> Result<(), DrawError> {
    let panels = comparison.rows.chunk_by(|a, b| a.rtt_ms == b.rtt_ms).collect::<Vec<_>>();
    let height = PANEL_HEIGHT * u32::try_from(panels.len().max(1))?;
    let root = SVGBackend::with_string(svg, (WIDTH, height)).into_drawing_area();
    root.fill(&WHITE)?;
    // Rarer than once in all those days cannot be seen.
    let rarest = 1.0 / f64::from(comparison.days);
    for (rows, area) in panels.iter().zip(root.split_evenly((panels.len().max(1), 1))) {
        panel(rows, rarest, &area)?;
    }
    root.present()?;
    Ok(())
}

fn panel(rows: &[Row], rarest: f64, area: &DrawingArea<SVGBackend<'_>, Shift>) -> Result<(), DrawError> {
    let Some(first) = rows.first() else { return Ok(()) };
    let slowest = rows.iter().map(|row| row.shifted_p99_ms).fold(0.0, f64::max) * 1.1;
    let most = rows.iter().map(|row| row.false_deaths_per_day).fold(rarest, f64::max) * 3.0;
    let mut chart = ChartBuilder::on(area)
        .caption(format!("{:.0} ms away", first.rtt_ms), ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(36)
        .y_label_area_size(72)
        .build_cartesian_2d(0.0..slowest * 1.15, (rarest / 2.0..most).log_scale())?;
    chart
        .configure_mesh()
        .x_desc("p99 from the blackhole until traffic is elsewhere, ms")
        .y_desc("wrong verdicts per client-day")
        .max_light_lines(0)
        .draw()?;
    let mut names: Vec<&str> = Vec::new();
    // The last one is drawn on top: ours, which comes first in the rows.
    for row in rows.iter().rev() {
        if !names.contains(&row.detector.as_str()) {
            names.push(&row.detector);
        }
    }
    for (number, name) in names.into_iter().enumerate() {
        let (red, green, blue) = Palette99::COLORS[number % Palette99::COLORS.len()];
        let color = RGBColor(red, green, blue);
        let points: Vec<_> = rows
            .iter()
            .filter(|row| row.detector == name)
            .map(|row| (row.shifted_p99_ms, row.false_deaths_per_day.max(rarest)))
            .collect();
        chart.draw_series(LineSeries::new(points.clone(), color.stroke_width(1)))?;
        chart
            .draw_series(points.into_iter().map(|point| Circle::new(point, 3, color.filled())))?
            .label(name)
            .legend(move |(x, y)| Circle::new((x + 8, y), 3, color.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}
