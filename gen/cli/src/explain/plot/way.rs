//! F1 after each stage, as a waterfall.

use plotters::element::PathElement;
use plotters::style::text_anchor::HPos;

use crate::explain::Stage;

use super::{Area, Drawn, GREEN, GREY, INK, PALE, RED, WIDTH, decimals, fill, step, text, unsigned_zero};

const LEFT: i32 = 70;
const TOP: i32 = 30;
const BOTTOM: i32 = 268;
/// Of the space of one stage, what its bar takes.
const SHARE: f64 = 0.55;

/// Bars that begin where the axis does, with what was lost (or won) since the stage before on top.
pub(super) fn draw(area: &Area<'_>, stages: &[Stage]) -> Drawn {
    let values = || stages.iter().map(|stage| stage.f1);
    let (low, high) = values().fold((f64::MAX, f64::MIN), |(low, high), f1| (low.min(f1), high.max(f1)));
    let axis = Axis::of(low, high);
    let right = WIDTH as i32 - 30;
    text(area, "F1 after each stage, test part", (18, 8), 14, INK, HPos::Left)?;
    for tick in 0..=axis.ticks {
        let value = axis.low + tick as f64 * axis.step;
        let y = axis.y(value);
        line(area, [(LEFT, y), (right, y)], PALE)?;
        let label = format!("{value:.*}", decimals(axis.step));
        text(area, &label, (LEFT - 8, y), 12, GREY, HPos::Right)?;
    }
    let each = f64::from(right - LEFT) / stages.len().max(1) as f64;
    let mut before: Option<(i32, f64)> = None;
    for (i, stage) in stages.iter().enumerate() {
        let middle = LEFT + ((i as f64 + 0.5) * each) as i32;
        let half = (each * SHARE / 2.0) as i32;
        let (x0, x1) = (middle - half, middle + half);
        let y = axis.y(stage.f1);
        let held = before.map_or(stage.f1, |(_, f1)| f1.min(stage.f1));
        fill(area, (x0, axis.y(held)), (x1, axis.y(axis.low)), PALE)?;
        if let Some((end, f1)) = before {
            let colour = if stage.f1 < f1 { RED } else { GREEN };
            fill(area, (x0, axis.y(f1)), (x1, y), colour)?;
            line(area, [(end, axis.y(f1)), (x0, axis.y(f1))], GREY)?;
        }
        line(area, [(x0, y), (x1, y)], INK)?;
        // Above whatever was drawn.
        let top = before.map_or(y, |(_, f1)| y.min(axis.y(f1)));
        let label = match stage.f1_lost {
            Some(lost) => format!("{:.4}  ({:+.4})", stage.f1, unsigned_zero(-lost, 4)),
            None => format!("{:.4}", stage.f1),
        };
        text(area, &label, (middle, top - 10), 13, INK, HPos::Center)?;
        text(area, stage.name, (middle, BOTTOM + 18), 14, INK, HPos::Center)?;
        text(area, meaning(stage), (middle, BOTTOM + 36), 11, GREY, HPos::Center)?;
        before = Some((x1, stage.f1));
    }
    line(area, [(LEFT, BOTTOM), (right, BOTTOM)], GREY)
}

/// What a stage is, in few words.
fn meaning(stage: &Stage) -> &'static str {
    match stage.name {
        "teacher" => "large float network",
        "student" => "float network",
        "prototypes" => "inputs encoded, products exact",
        "tables" => "entries fitted, in floats",
        _ => "as in hardware",
    }
}

fn line(area: &Area<'_>, ends: [(i32, i32); 2], colour: plotters::style::RGBColor) -> Drawn {
    area.draw(&PathElement::new(ends, colour)).map_err(|error| error.to_string())
}

/// From `low` in `ticks` steps.
struct Axis {
    low: f64,
    step: f64,
    ticks: usize,
}

impl Axis {
    /// Begins at 0, or higher where the differences would be too small to see.
    fn of(low: f64, high: f64) -> Self {
        let span = (high - low).max(0.004);
        let low = if low < 2.0 * span { 0.0 } else { low - span };
        let step = step((high - low).max(0.01) * 1.05, 6);
        let low = (low / step).floor() * step;
        let ticks = ((high + 0.05 * span - low) / step).ceil().max(1.0) as usize;
        Self { low, step, ticks }
    }

    fn y(&self, value: f64) -> i32 {
        let share = (value - self.low) / (self.step * self.ticks as f64);
        BOTTOM - (share * f64::from(BOTTOM - TOP)).round() as i32
    }
}
