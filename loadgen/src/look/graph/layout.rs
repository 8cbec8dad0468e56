//! Positions of boxes, lines and labels. Nothing overlaps, and the same input gives the same positions.

/// A point, in pixels from the top left corner.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// A rectangle around its centre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rect {
    pub(super) centre: Point,
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Rect {
    pub(super) fn left(&self) -> f64 {
        self.centre.x - self.width / 2.0
    }

    pub(super) fn top(&self) -> f64 {
        self.centre.y - self.height / 2.0
    }

    /// Returns whether less than `gap` lies between both.
    pub(super) fn is_near(&self, other: &Self, gap: f64) -> bool {
        let apart = |a: f64, b: f64, a_size: f64, b_size: f64| (a - b).abs() >= (a_size + b_size) / 2.0 + gap;
        !apart(self.centre.x, other.centre.x, self.width, other.width)
            && !apart(self.centre.y, other.centre.y, self.height, other.height)
    }
}

/// A line from one box to another, bent towards `control`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Curve {
    pub(super) from: Point,
    pub(super) control: Point,
    pub(super) to: Point,
}

impl Curve {
    fn at(&self, share: f64) -> Point {
        let rest = 1.0 - share;
        let mix = |from: f64, control: f64, to: f64| {
            rest * rest * from + 2.0 * rest * share * control + share * share * to
        };
        Point {
            x: mix(self.from.x, self.control.x, self.to.x),
            y: mix(self.from.y, self.control.y, self.to.y),
        }
    }
}

impl Curve {
    /// Returns whether the line passes through a rectangle. Its points are as close to each other as labels are high.
    fn crosses(&self, rect: &Rect) -> bool {
        let length = (self.to.x - self.from.x).hypot(self.to.y - self.from.y);
        let steps = (length / LABEL_HEIGHT).ceil().max(1.0);
        (0..=steps as u32).any(|step| {
            let Point { x, y } = self.at(f64::from(step) / steps);
            (x - rect.centre.x).abs() < rect.width / 2.0 && (y - rect.centre.y).abs() < rect.height / 2.0
        })
    }
}

/// A link between two boxes, by their numbers, with the width of its label.
#[derive(Clone, Copy, Debug)]
pub(super) struct Link {
    pub(super) from: usize,
    pub(super) to: usize,
    pub(super) label_width: f64,
}

/// The places of everything.
#[derive(Debug)]
pub(super) struct Layout {
    pub(super) boxes: Vec<Rect>,
    pub(super) curves: Vec<Curve>,
    /// One per link; `None` where no place was free.
    pub(super) labels: Vec<Option<Rect>>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The width of each box.
pub(super) const BOX_WIDTH: f64 = 190.0;
/// The height of a label.
pub(super) const LABEL_HEIGHT: f64 = 18.0;
/// Between neighbours on the circle: room for a label and a piece of line at both of its ends.
const GAP: f64 = 130.0;
/// Around everything.
const MARGIN: f64 = 24.0;
/// Around each label and box.
const CLEARANCE: f64 = 3.0;

/// Places boxes of these heights on a circle, and the links between them.
pub(super) fn lay(heights: &[f64], links: &[Link]) -> Layout {
    let centres = circle(heights);
    let mut boxes: Vec<_> = centres
        .iter()
        .zip(heights)
        .map(|(centre, height)| Rect { centre: *centre, width: BOX_WIDTH, height: *height })
        .collect();
    let edge = |value: fn(&Rect) -> f64| boxes.iter().map(value).fold(f64::INFINITY, f64::min);
    let (left, top) = (edge(Rect::left), edge(Rect::top));
    let right = -edge(|rect| -(rect.left() + rect.width));
    let bottom = -edge(|rect| -(rect.top() + rect.height));
    let (dx, dy) = (MARGIN - left, MARGIN - top);
    for rect in &mut boxes {
        rect.centre = Point { x: rect.centre.x + dx, y: rect.centre.y + dy };
    }
    let middle = Point { x: dx, y: dy };
    let curves: Vec<_> = (0..links.len()).map(|number| curve(&boxes, links, number, middle)).collect();
    let mut placed = Vec::new();
    let mut labels = Vec::new();
    for (number, link) in links.iter().enumerate() {
        let label = label(number, link.label_width, &curves, &boxes, &placed);
        placed.extend(label);
        labels.push(label);
    }
    let empty = heights.is_empty();
    let size = |from: f64, to: f64| if empty { 0.0 } else { to - from + 2.0 * MARGIN };
    Layout { boxes, curves, labels, width: size(left, right), height: size(top, bottom) }
}

/// Centres on a circle around (0, 0), so far from each other that no boxes of these heights can overlap.
fn circle(heights: &[f64]) -> Vec<Point> {
    let number = heights.len() as f64;
    let highest = heights.iter().copied().fold(0.0, f64::max);
    let radius = match heights.len() {
        0 | 1 => 0.0,
        _ => (BOX_WIDTH.hypot(highest) + GAP) / (2.0 * (std::f64::consts::PI / number).sin()),
    };
    // Two stand side by side; more begin at the top.
    let first = if heights.len() == 2 { std::f64::consts::PI } else { -std::f64::consts::FRAC_PI_2 };
    let angle = |position: usize| first + std::f64::consts::TAU * position as f64 / number;
    (0..heights.len())
        .map(|position| Point { x: radius * angle(position).cos(), y: radius * angle(position).sin() })
        .collect()
}

/// Lines that skip a box are bent inwards, so that they do not touch it. A second line between the same boxes is bent
/// aside.
fn curve(boxes: &[Rect], links: &[Link], number: usize, middle: Point) -> Curve {
    const INWARDS: f64 = 0.5;
    const ASIDE: f64 = 90.0;
    let link = links[number];
    let (from, to) = (boxes[link.from].centre, boxes[link.to].centre);
    let steps = link.from.abs_diff(link.to);
    let are_neighbours = steps <= 1 || steps == boxes.len() - 1;
    let pull = if are_neighbours || boxes.len() < 5 { 0.0 } else { INWARDS };
    let (x, y) = ((from.x + to.x) / 2.0, (from.y + to.y) / 2.0);
    let pair = |link: &Link| (link.from.min(link.to), link.from.max(link.to));
    let earlier = links[..number].iter().filter(|other| pair(other) == pair(&link)).count() as f64;
    let length = (to.x - from.x).hypot(to.y - from.y).max(1.0);
    let aside = Point {
        x: -(to.y - from.y) / length * ASIDE * earlier,
        y: (to.x - from.x) / length * ASIDE * earlier,
    };
    let control = Point { x: x + (middle.x - x) * pull + aside.x, y: y + (middle.y - y) * pull + aside.y };
    Curve { from, control, to }
}

/// The free place on the line that is nearest to its middle. A place that no other line crosses goes first: at a crossing
/// nobody sees whose label it is.
fn label(number: usize, width: f64, curves: &[Curve], boxes: &[Rect], placed: &[Rect]) -> Option<Rect> {
    const STEPS: u32 = 45;
    let shares = (0..=STEPS).flat_map(|step| {
        let away = 0.44 * f64::from(step) / f64::from(STEPS);
        [0.5 - away, 0.5 + away]
    });
    let places = shares.map(|share| Rect { centre: curves[number].at(share), width, height: LABEL_HEIGHT });
    let is_free = |place: &Rect| !boxes.iter().chain(placed).any(|other| place.is_near(other, CLEARANCE));
    let free: Vec<_> = places.filter(is_free).collect();
    let others = || curves.iter().enumerate().filter(|(other, _)| *other != number);
    let is_crossed = |place: &Rect| others().any(|(_, curve)| curve.crosses(place));
    free.iter().find(|place| !is_crossed(place)).or_else(|| free.first()).copied()
}
