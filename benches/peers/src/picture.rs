//! Draws the chart of the results as SVG: check latency and memory at M, on logarithmic scales.
//!
//! Text and bars have a medium lightness and the background is transparent, so the chart is legible on white and on dark
//! pages.

use std::fmt::Write;
use std::ops::Range;

use crate::figures::{self, Figure, Figures, MEMORY, MIXED, shown};

const FILE: &str = "../../src/docs/figures.svg";
const SIZE: &str = "M";

const WIDTH: f64 = 760.0;
/// The horizontal range of the bars. Names are on the left, values on the right.
const BARS: Range<f64> = 206.0..662.0;
const STEP: f64 = 24.0;
const HEAD: f64 = 46.0;
const FOOT: f64 = 44.0;

const STYLE: &str = "\
text{font-family:system-ui,-apple-system,'Segoe UI',Helvetica,Arial,sans-serif;font-size:13px;fill:#737c87}\
.title{font-size:15px;font-weight:600}\
.ours{fill:#1f75e8;font-weight:700}\
rect{fill:#8c959f}\
rect.ours{fill:#1f75e8}\
rect.hand{fill:#8c959f;fill-opacity:.5}\
line{stroke:#8c959f;stroke-opacity:.35}";

/// Draws the chart of the saved results.
pub fn write() -> Result<(), String> {
    figures::write_file(FILE, &drawn()).map_err(|why| format!("{FILE}: {why}"))
}

/// Returns an error if the saved chart differs from the saved results.
pub fn check() -> Result<(), String> {
    let saved = figures::read_file(FILE).map_err(|why| format!("{FILE}: {why}"))?;
    if saved == drawn() { Ok(()) } else { Err(format!("{FILE} is not drawn from figures.csv: run `picture`")) }
}

fn drawn() -> String {
    let figures = Figures::saved();
    let latency =
        Panel::new(&figures, MIXED, "One check among 100,000 users, each waiting for the last answer (log scale)");
    let memory = Panel::new(&figures, MEMORY, "Memory that the same organisation takes (log scale)");
    let height = latency.height() + memory.height();
    let mut svg = String::new();
    let area = format!(r#"viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}""#);
    writeln!(svg, r#"<svg xmlns="http://www.w3.org/2000/svg" {area} role="img">"#).unwrap();
    writeln!(svg, "<title>rolecall beside other libraries: check latency and memory, log scales</title>").unwrap();
    writeln!(svg, "<style>{STYLE}</style>").unwrap();
    latency.draw(&mut svg, 0.0);
    memory.draw(&mut svg, latency.height());
    svg.push_str("</svg>\n");
    svg
}

/// One row of the results as bars.
struct Panel<'a> {
    title: &'static str,
    /// Sorted by value.
    bars: Vec<&'a Figure>,
    /// The powers of ten that enclose all values.
    decades: Range<i32>,
}

impl<'a> Panel<'a> {
    fn new(figures: &'a Figures, row: &'a str, title: &'static str) -> Self {
        let mut bars: Vec<&Figure> = figures.of(SIZE, row).collect();
        bars.sort_by(|one, other| one.value.total_cmp(&other.value));
        let log = |figure: Option<&&Figure>| figure.map_or(0.0, |figure| figure.value.log10());
        let first = log(bars.first()).floor() as i32;
        let decades = first..(log(bars.last()).ceil() as i32).max(first + 1);
        Self { title, bars, decades }
    }

    fn height(&self) -> f64 {
        HEAD + STEP * self.bars.len() as f64 + FOOT
    }

    /// Returns the horizontal position of a value.
    fn x(&self, value: f64) -> f64 {
        let (first, last) = (f64::from(self.decades.start), f64::from(self.decades.end));
        BARS.start + (BARS.end - BARS.start) * (value.log10() - first) / (last - first)
    }

    fn draw(&self, svg: &mut String, top: f64) {
        writeln!(svg, r#"<text class="title" x="16" y="{}">{}</text>"#, top + 26.0, self.title).unwrap();
        let bottom = top + HEAD + STEP * self.bars.len() as f64;
        let unit = self.bars.first().map_or("", |figure| &figure.unit);
        for decade in self.decades.start..=self.decades.end {
            let value = 10_f64.powi(decade);
            let x = self.x(value);
            writeln!(svg, r#"<line x1="{x:.1}" x2="{x:.1}" y1="{}" y2="{bottom}"/>"#, top + HEAD - 4.0).unwrap();
            let (y, label) = (bottom + 17.0, round(value, unit));
            writeln!(svg, r#"<text x="{x:.1}" y="{y}" text-anchor="middle">{label}</text>"#).unwrap();
        }
        for (number, figure) in self.bars.iter().enumerate() {
            self.bar(svg, figure, top + HEAD + STEP * number as f64);
        }
    }

    fn bar(&self, svg: &mut String, figure: &Figure, y: f64) {
        let Figure { contestant, value, unit, .. } = figure;
        let (class, end, text) = (class(contestant), self.x(*value), y + 14.0);
        let (name, width) = (label(contestant), end - BARS.start);
        let (before, after) = (BARS.start - 8.0, end + 6.0);
        writeln!(svg, r#"<text class="{class}" x="{before}" y="{text}" text-anchor="end">{name}</text>"#).unwrap();
        let left = BARS.start;
        writeln!(svg, r#"<rect class="{class}" x="{left}" y="{y}" width="{width:.1}" height="18" rx="2"/>"#).unwrap();
        let value = shown(*value, unit);
        writeln!(svg, r#"<text class="{class}" x="{after:.1}" y="{text}">{value}</text>"#).unwrap();
    }
}

fn class(contestant: &str) -> &'static str {
    match contestant {
        "rolecall" | "rolecall_tenant" => "ours",
        name if name.starts_with("by_hand") || name.starts_with("limit") => "hand",
        _ => "peer",
    }
}

/// Returns the label of a contestant.
fn label(contestant: &str) -> &str {
    match contestant {
        "rolecall" => "rolecall",
        "rolecall_tenant" => "rolecall, newest state",
        "limit_one" => "(one memory read)",
        "limit_two" => "(two memory reads)",
        "by_hand_fast" => "by hand: bitsets",
        "by_hand_flat" => "by hand: sets of strings",
        "gatehouse" => "gatehouse, over bitsets",
        "gatehouse_rbac" => "gatehouse, over roles",
        "role_system" => "role-system",
        "rs_tenant" => "rs-tenant",
        "cedar" => "cedar-policy, by role",
        "cedar_relation" => "cedar-policy, by relation",
        other => other,
    }
}

/// Formats a power of ten.
fn round(value: f64, unit: &str) -> String {
    let shown = shown(value, unit);
    let (number, unit) = shown.split_once(' ').unwrap();
    let number = if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number };
    format!("{number} {unit}")
}
