//! An explanation as one SVG page: the way on top, the kernels side by side below.

mod panel;
mod way;

use std::path::Path;

use plotters::coord::Shift;
use plotters::prelude::{
    DrawingArea, IntoDrawingArea, IntoFont, RGBColor, Rectangle, SVGBackend, Text, TextStyle, WHITE,
};
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::{Codes, Explanation, Kernel};
use panel::{Panel, Series};

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
/// Problems of the plotting crate, in its own words.
type Drawn = Result<(), String>;

const WIDTH: u32 = 1200;
const TITLE: u32 = 68;
const WAY: u32 = 330;
/// Of a panel above and below its rows.
const ABOVE: u32 = 74;
const BELOW: u32 = 48;
/// Of one bar, and between two kernels.
const BAR: u32 = 12;
const GAP: u32 = 10;
/// Names of kernels, left of all panels.
const NAMES: u32 = 116;

// Colours that colour-blind people tell apart (Okabe and Ito).
const BLUE: RGBColor = RGBColor(0, 114, 178);
const SKY: RGBColor = RGBColor(120, 190, 230);
const ORANGE: RGBColor = RGBColor(230, 159, 0);
const RED: RGBColor = RGBColor(213, 94, 0);
const GREEN: RGBColor = RGBColor(0, 158, 115);
const INK: RGBColor = RGBColor(40, 40, 40);
const GREY: RGBColor = RGBColor(130, 130, 130);
const PALE: RGBColor = RGBColor(228, 228, 228);

/// The page. The same explanation gives the same bytes.
pub(crate) fn svg(explanation: &Explanation) -> Result<String, String> {
    let panels = panels(&explanation.kernels);
    let bars = panels.iter().map(|panel| panel.series.len()).max().unwrap_or(1) as u32;
    let row = bars * BAR + GAP;
    let height = TITLE + WAY + ABOVE + row * explanation.kernels.len() as u32 + BELOW;
    let mut page = String::new();
    {
        let root = SVGBackend::with_string(&mut page, (WIDTH, height)).into_drawing_area();
        root.fill(&WHITE).map_err(|error| error.to_string())?;
        title(&root, explanation)?;
        let (_, below) = root.split_vertically(TITLE);
        let (top, bottom) = below.split_vertically(WAY);
        way::draw(&top, &explanation.stages)?;
        panel::draw_all(&bottom, &panels, &explanation.kernels, row)?;
        root.present().map_err(|error| error.to_string())?;
    }
    Ok(page)
}

fn title(root: &Area<'_>, explanation: &Explanation) -> Drawn {
    // Without its folder, so that the page is the same on every machine.
    let trace = Path::new(&explanation.trace).file_name().unwrap_or_default().to_string_lossy();
    let name = format!("Where {} loses F1 on {trace}", explanation.model);
    text(root, &name, (18, 22), 19, INK, HPos::Left)?;
    let more = match (&explanation.costliest, explanation.left_out.is_empty()) {
        (Some(worst), _) if worst.f1_lost > 0.0 => {
            format!("{} costs most: {:.4} as the only kernel in tables", worst.alone, worst.f1_lost)
        }
        (Some(_), _) => "no kernel costs F1 as the only one in tables".to_owned(),
        (None, _) => "without a student: integers and codes only".to_owned(),
    };
    text(root, &more, (18, 45), 13, GREY, HPos::Left)
}

/// What is drawn of the kernels; panels without a number are left out.
fn panels(kernels: &[Kernel]) -> Vec<Panel> {
    let series = |name, colour, of: fn(&Kernel) -> Option<f64>| Series {
        name,
        colour,
        values: kernels.iter().map(of).collect(),
        notes: Vec::new(),
    };
    let percent = |share: Option<f64>| share.map(|share| 100.0 * share);
    let errors = Panel {
        title: "Error of the output",
        axis: "root mean square, % of the true output",
        decimals: 1,
        full: None,
        series: vec![
            series("alone", BLUE, |k| k.alone.and_then(|a| a.error.relative)),
            series("running model", SKY, |k| k.running.and_then(|r| r.relative)),
            series("integers vs. tables", ORANGE, |k| k.integers.and_then(|i| i.error.relative)),
        ],
    };
    let errors = Panel {
        series: errors
            .series
            .into_iter()
            .map(|s| Series { values: s.values.into_iter().map(percent).collect(), ..s })
            .collect(),
        ..errors
    };
    let swaps = Panel {
        title: "F1 with one kernel exchanged",
        axis: "change of F1",
        decimals: 4,
        full: None,
        series: vec![
            series("lost: alone in tables", RED, |k| k.alone.map(|a| a.f1_lost)),
            series("won: alone exact", GREEN, |k| k.exact.map(|e| e.f1_gained)),
        ],
    };
    let right = |encoder: &str| encoder == "right";
    let codes = Panel {
        title: "Use of the codes",
        axis: "entropy, % of log2 K; behind it: dead prototypes",
        decimals: 0,
        full: Some(100.0),
        series: vec![
            of_codes("encoder, left", BLUE, kernels, |encoder| !right(encoder)),
            of_codes("right", SKY, kernels, right),
        ],
    };
    let mut panels = vec![errors, swaps, codes];
    for panel in &mut panels {
        panel.series.retain(|series| series.values.iter().any(Option::is_some));
    }
    panels.retain(|panel| !panel.series.is_empty());
    panels
}

/// Entropy of the encoders that `which` names, over all their subspaces.
fn of_codes(
    name: &'static str,
    colour: RGBColor,
    kernels: &[Kernel],
    which: impl Fn(&str) -> bool,
) -> Series {
    let (values, notes) = kernels
        .iter()
        .map(|kernel| {
            let own: Vec<&Codes> = kernel.codes.iter().filter(|codes| which(codes.encoder)).collect();
            let most: f64 = own.iter().map(|codes| codes.entropy_max).sum();
            let entropy: f64 = own.iter().map(|codes| codes.entropy).sum();
            let dead: usize = own.iter().map(|codes| codes.dead).sum();
            let note = if dead > 0 { format!(", {dead} dead") } else { String::new() };
            ((most > 0.0).then(|| 100.0 * entropy / most), note)
        })
        .unzip();
    Series { name, colour, values, notes }
}

/// Text whose middle line is at a place.
fn text(area: &Area<'_>, text: &str, at: (i32, i32), size: i32, colour: RGBColor, anchor: HPos) -> Drawn {
    area.draw(&Text::new(text.to_owned(), at, style(size, colour, anchor))).map_err(|error| error.to_string())
}

fn style(size: i32, colour: RGBColor, anchor: HPos) -> TextStyle<'static> {
    ("sans-serif", size).into_font().color(&colour).pos(Pos::new(anchor, VPos::Center))
}

/// A filled box between two corners; nothing is drawn of an empty one.
fn fill(area: &Area<'_>, (x0, y0): (i32, i32), (x1, y1): (i32, i32), colour: RGBColor) -> Drawn {
    if x0 == x1 || y0 == y1 {
        return Ok(());
    }
    let corners = [(x0.min(x1), y0.min(y1)), (x0.max(x1), y0.max(y1))];
    area.draw(&Rectangle::new(corners, plotters::style::Color::filled(&colour)))
        .map_err(|error| error.to_string())
}

/// A step of 1, 2 or 5 times a power of ten that divides a span into at most `most` parts.
fn step(span: f64, most: usize) -> f64 {
    let rough = span / most as f64;
    let power = 10_f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|times| times * power).find(|&step| step >= rough).unwrap_or(rough)
}

/// Decimals that tell the multiples of a step apart.
fn decimals(step: f64) -> usize {
    (-step.log10().floor()).max(0.0) as usize
}

/// Without the sign of what is rounded to 0.
fn unsigned_zero(value: f64, decimals: usize) -> f64 {
    if value.abs() < 0.5 * 0.1_f64.powi(decimals as i32) { 0.0 } else { value }
}
