//! Connects per second at each region over time, one panel per kind of client, as SVG.

use plotters::prelude::*;

use super::SimulateError;
use super::row::{Row, Simulation};

const WIDTH: u32 = 1_000;
const PANEL_HEIGHT: u32 = 220;

/// Draws it.
///
/// # Errors
/// The drawing library refused.
pub fn render(simulation: &Simulation) -> Result<String, SimulateError> {
    let mut svg = String::new();
    let panels = u32::try_from(simulation.rows.len().max(1)).unwrap_or(u32::MAX);
    draw(simulation, &mut svg, panels).map_err(|error| SimulateError::Plot(error.to_string()))?;
    Ok(svg)
}

type DrawError = Box<dyn std::error::Error>;

fn draw(simulation: &Simulation, svg: &mut String, panels: u32) -> Result<(), DrawError> {
    let root = SVGBackend::with_string(svg, (WIDTH, PANEL_HEIGHT * panels)).into_drawing_area();
    root.fill(&WHITE)?;
    let areas = root.split_evenly((panels as usize, 1));
    for (row, area) in simulation.rows.iter().zip(&areas) {
        panel(simulation, row, area)?;
    }
    root.present()?;
    Ok(())
}

fn panel(
    simulation: &Simulation,
    row: &Row,
    area: &DrawingArea<SVGBackend<'_>, plotters::coord::Shift>,
) -> Result<(), DrawError> {
    let seconds = row.handshakes_per_second.iter().map(|series| series.per_second.len()).max().unwrap_or(1);
    let peak =
        row.handshakes_per_second.iter().flat_map(|series| &series.per_second).copied().max().unwrap_or(1);
    let capacity = simulation.region_accepts_per_second;
    let top = f64::from(peak).max(capacity) * 1.1;
    let caption = format!(
        "{}: handshakes per second at each region; {} returns after {} s",
        row.kind, simulation.lost, simulation.lost_for_s
    );
    let mut chart = ChartBuilder::on(area)
        .caption(caption, ("sans-serif", 15))
        .margin(8)
        .x_label_area_size(24)
        .y_label_area_size(64)
        .build_cartesian_2d(0.0..seconds as f64, 0.0..top)?;
    chart.configure_mesh().x_desc("seconds since the loss").light_line_style(WHITE).draw()?;
    let limit = [(0.0, capacity), (seconds as f64, capacity)];
    chart
        .draw_series(DashedLineSeries::new(limit, 6, 4, BLACK.into()))?
        .label("accept rate")
        .legend(key(BLACK));
    for (number, series) in row.handshakes_per_second.iter().enumerate() {
        if series.per_second.iter().all(|count| *count == 0) {
            continue;
        }
        let (red, green, blue) = Palette99::COLORS[number % Palette99::COLORS.len()];
        let color = RGBColor(red, green, blue);
        let points = series.per_second.iter().enumerate().map(|(at, count)| (at as f64, f64::from(*count)));
        chart
            .draw_series(LineSeries::new(points, color.stroke_width(2)))?
            .label(&series.region)
            .legend(key(color));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::UpperRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    Ok(())
}

fn key(color: RGBColor) -> impl Fn((i32, i32)) -> PathElement<(i32, i32)> {
    move |(x, y)| PathElement::new([(x, y), (x + 16, y)], color.stroke_width(2))
}
