//! The display of a play at the bottom of a terminal. Notes scroll above it.

use std::io::{self, Stderr, stderr};
use std::time::{Duration, Instant};

use ratatui::backend::CrosstermBackend;
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Style, Stylize};
use ratatui::text::Line;
use ratatui::widgets::{Gauge, Paragraph, Row, Table, Widget};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};

use super::status::Status;
use crate::clock;

/// The display.
#[derive(Debug)]
pub(super) struct Live {
    terminal: Terminal<CrosstermBackend<Stderr>>,
    drawn: Option<Instant>,
    /// The last status, and one that is about a second older, for rates.
    last: Option<Status>,
    older: Option<Status>,
    doing: String,
}

impl Live {
    /// A display for a play in this many regions.
    pub(super) fn new(regions: usize) -> io::Result<Self> {
        let height = TITLE_LINES + 1 + regions as u16 + MOVES as u16;
        let options = TerminalOptions { viewport: Viewport::Inline(height) };
        let terminal = Terminal::with_options(CrosstermBackend::new(stderr()), options)?;
        Ok(Self { terminal, drawn: None, last: None, older: None, doing: String::new() })
    }

    /// Names the work that goes on besides the timeline.
    pub(super) fn doing(&mut self, what: &str) {
        what.clone_into(&mut self.doing);
        self.draw();
    }

    /// A line above the display.
    pub(super) fn note(&mut self, text: &str) {
        let width = usize::from(self.terminal.size().map_or(FALLBACK_WIDTH, |size| size.width)).max(1);
        let lines: Vec<String> =
            text.chars().collect::<Vec<_>>().chunks(width).map(|line| line.iter().collect()).collect();
        let height = lines.len().max(1) as u16;
        let paragraph = Paragraph::new(lines.into_iter().map(Line::from).collect::<Vec<_>>());
        // A terminal that is gone shows nothing.
        let _ = self.terminal.insert_before(height, |buffer| paragraph.render(buffer.area, buffer));
        // That cleared the display.
        self.draw();
    }

    /// Returns whether it is time for a new status.
    pub(super) fn is_due(&self) -> bool {
        self.drawn.is_none_or(|drawn| drawn.elapsed() >= REDRAW)
    }

    /// Shows where the play stands.
    pub(super) fn status(&mut self, status: Status) {
        if let Some(last) = self.last.take() {
            let is_old =
                self.older.as_ref().is_none_or(|older| last.at.saturating_sub(older.at) >= RATE_OVER);
            if is_old || status.at < last.at {
                self.older = Some(last);
            }
        }
        self.last = Some(status);
        self.draw();
    }

    /// Removes the display.
    pub(super) fn finish(&mut self) {
        let top = self.terminal.get_frame().area().y;
        let _ = self.terminal.clear();
        // The next output begins where the display was.
        let _ = self.terminal.set_cursor_position((0, top));
    }

    fn draw(&mut self) {
        self.drawn = Some(clock::now());
        let (last, older, doing) = (self.last.clone().unwrap_or_default(), self.older.as_ref(), &self.doing);
        let _ = self.terminal.draw(|frame| view(frame, &last, older, doing));
    }
}

/// The whole display.
fn view(frame: &mut Frame<'_>, status: &Status, older: Option<&Status>, doing: &str) {
    let regions = status.regions.len() as u16 + 1;
    let parts =
        [Constraint::Length(1), Constraint::Length(1), Constraint::Length(regions), Constraint::Fill(1)];
    let [title, gauge, table, moves] = Layout::vertical(parts).areas(frame.area());
    frame.render_widget(Line::from(doing.to_owned()).bold(), title);
    let share = status.at.as_secs_f64() / status.lasts.as_secs_f64().max(f64::EPSILON);
    let label = format!("{} s, planned {} s", status.at.as_secs(), status.lasts.as_secs());
    frame.render_widget(Gauge::default().ratio(share.clamp(0.0, 1.0)).label(label), gauge);
    frame.render_widget(regions_table(status, older), table);
    let newest = status.moves.iter().rev().take(MOVES);
    let line =
        |(at, text): &(Duration, String)| Line::from(format!("{:>6.1} s  {text}", at.as_secs_f64())).dim();
    frame.render_widget(Paragraph::new(newest.map(line).collect::<Vec<_>>()), moves);
}

fn regions_table(status: &Status, older: Option<&Status>) -> Table<'static> {
    let mut header = vec!["region".to_owned(), "RTT ms".to_owned()];
    header.extend(status.populations.iter().map(|name| format!("{name} here")));
    header.extend(["offline", "per second", "failed"].map(str::to_owned));
    let widths: Vec<_> =
        header.iter().map(|title| Constraint::Length(title.chars().count().max(9) as u16)).collect();
    let row = |index: usize| {
        let region = &status.regions[index];
        let before = older.and_then(|older| Some((older.at, older.regions.get(index)?.ok)));
        let rate = before.map(|(at, ok)| {
            let seconds = status.at.saturating_sub(at).as_secs_f64();
            if seconds > 0.0 { region.ok.saturating_sub(ok) as f64 / seconds } else { 0.0 }
        });
        let mut cells = vec![Line::from(region.name.clone()).bold()];
        cells.push(right(
            region.rtt.map_or_else(|| "-".to_owned(), |rtt| format!("{:.1}", rtt.as_secs_f64() * 1e3)),
        ));
        cells.extend(region.connected.iter().map(|count| right(count.to_string())));
        cells.push(alarm(region.offline as u64));
        cells.push(right(rate.map_or_else(|| "-".to_owned(), |rate| format!("{rate:.0}"))));
        cells.push(alarm(region.failed));
        Row::new(cells)
    };
    let rows: Vec<_> = (0..status.regions.len()).map(row).collect();
    let mut titles = header.into_iter();
    let first = Line::from(titles.next().unwrap_or_default());
    let titles = std::iter::once(first).chain(titles.map(right));
    Table::new(rows, widths).header(Row::new(titles.collect::<Vec<_>>()).style(Style::new().dim()))
}

fn right(text: String) -> Line<'static> {
    Line::from(text).right_aligned()
}

/// A number that should be 0.
fn alarm(count: u64) -> Line<'static> {
    let line = right(count.to_string());
    if count == 0 { line } else { line.red().bold() }
}

/// The line about the work that goes on, and the gauge.
const TITLE_LINES: u16 = 2;

/// So many of the newest moves are shown.
const MOVES: usize = 3;

/// Five times per second: the eye sees it move, and the machine has other work.
const REDRAW: Duration = Duration::from_millis(200);

/// A rate over less would jump.
const RATE_OVER: Duration = Duration::from_secs(1);

const FALLBACK_WIDTH: u16 = 80;

#[cfg(test)]
mod tests {
    use ratatui::backend::TestBackend;

    use super::*;
    use crate::progress::status::RegionStatus;

    #[test]
    fn it_shows_regions_rates_and_moves() {
        let region = |name: &str, connected: [usize; 2], ok: u64| RegionStatus {
            name: name.to_owned(),
            rtt: Some(Duration::from_millis(9)),
            connected: connected.to_vec(),
            offline: usize::from(name == "lon"),
            ok,
            failed: 3,
        };
        let status = |at: u64, ok: u64| Status {
            at: Duration::from_secs(at),
            lasts: Duration::from_secs(20),
            populations: vec!["nats-geo".to_owned(), "async-nats".to_owned()],
            regions: vec![region("lon", [0, 1], ok), region("ams", [8, 2], ok)],
            moves: vec![(Duration::from_secs(9), "nats-geo lon 3: lon-1 to ams-2".to_owned())],
        };
        let mut terminal = Terminal::new(TestBackend::new(80, 8)).unwrap();
        terminal
            .draw(|frame| view(frame, &status(12, 700), Some(&status(10, 300)), "phase region-kill"))
            .unwrap();
        let buffer = terminal.backend().buffer().clone();
        let lines: Vec<String> =
            buffer.content.chunks(80).map(|row| row.iter().map(|it| it.symbol()).collect()).collect();
        let squeezed: Vec<String> =
            lines.iter().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(squeezed[0], "phase region-kill");
        assert!(squeezed[1].contains("12 s, planned 20 s"), "{squeezed:?}");
        assert_eq!(squeezed[2], "region RTT ms nats-geo here async-nats here offline per second failed");
        assert_eq!(squeezed[3], "lon 9.0 0 1 1 200 3");
        assert_eq!(squeezed[4], "ams 9.0 8 2 0 200 3");
        assert_eq!(squeezed[5], "9.0 s nats-geo lon 3: lon-1 to ams-2");
    }
}
