//! Bars of all kernels, in panels side by side that share the kernels' names.

use plotters::element::PathElement;
use plotters::style::RGBColor;
use plotters::style::text_anchor::HPos;

use crate::explain::Kernel;

use super::{
    ABOVE, Area, BAR, Drawn, GREY, INK, NAMES, PALE, WIDTH, decimals, fill, step, text, unsigned_zero,
};

/// Room for the number behind the longest bar.
const NUMBER: i32 = 84;
const MARGIN: i32 = 14;
/// Width of a character of a legend, about.
const CHARACTER: i32 = 6;

/// One panel.
pub(super) struct Panel {
    pub(super) title: &'static str,
    /// What the bars measure.
    pub(super) axis: &'static str,
    /// Of the number behind each bar.
    pub(super) decimals: usize,
    /// The value at which a bar is full; else the axis fits the values.
    pub(super) full: Option<f64>,
    pub(super) series: Vec<Series>,
}

/// One bar for each kernel.
pub(super) struct Series {
    pub(super) name: &'static str,
    pub(super) colour: RGBColor,
    /// In the order of the kernels.
    pub(super) values: Vec<Option<f64>>,
    /// Behind the numbers; may be empty.
    pub(super) notes: Vec<String>,
}

/// All panels, and the names of the kernels on their left.
pub(super) fn draw_all(area: &Area<'_>, panels: &[Panel], kernels: &[Kernel], row: u32) -> Drawn {
    let names = NAMES as i32;
    let (above, row) = (ABOVE as i32, row as i32);
    let bottom = above + row * kernels.len() as i32;
    for (i, kernel) in kernels.iter().enumerate() {
        let y = above + i as i32 * row;
        if i % 2 == 0 {
            fill(area, (8, y), (WIDTH as i32 - 8, y + row), RGBColor(246, 246, 246))?;
        }
        text(area, &kernel.name, (names - 8, y + row / 2), 13, INK, HPos::Right)?;
    }
    let width = (WIDTH as i32 - names - MARGIN) / panels.len().max(1) as i32;
    for (i, panel) in panels.iter().enumerate() {
        let left = names + i as i32 * width;
        panel.draw(area, (left, left + width - 2 * MARGIN), (above, bottom), row)?;
    }
    Ok(())
}

impl Panel {
    fn draw(&self, area: &Area<'_>, (left, right): (i32, i32), (top, bottom): (i32, i32), row: i32) -> Drawn {
        text(area, self.title, (left, top - 60), 14, INK, HPos::Left)?;
        let mut x = left;
        for series in &self.series {
            fill(area, (x, top - 44), (x + 10, top - 34), series.colour)?;
            text(area, series.name, (x + 14, top - 39), 12, INK, HPos::Left)?;
            x += 26 + CHARACTER * series.name.len() as i32;
        }
        let axis = Axis::of(self, left, right);
        for (value, x) in axis.marks() {
            let colour = if value == 0.0 { GREY } else { PALE };
            area.draw(&PathElement::new([(x, top), (x, bottom)], colour))
                .map_err(|error| error.to_string())?;
            let label = format!("{value:.*}", decimals(axis.step));
            text(area, &label, (x, bottom + 12), 12, GREY, HPos::Center)?;
        }
        text(area, self.axis, (left, bottom + 32), 12, GREY, HPos::Left)?;
        let bars = BAR as i32 * self.series.len() as i32;
        for (s, series) in self.series.iter().enumerate() {
            for (kernel, &value) in series.values.iter().enumerate() {
                let Some(value) = value else { continue };
                let y = top + kernel as i32 * row + (row - bars) / 2 + s as i32 * BAR as i32;
                fill(area, (axis.x(0.0), y + 1), (axis.x(value), y + BAR as i32 - 1), series.colour)?;
                let note = series.notes.get(kernel).map_or("", String::as_str);
                let number = format!("{:.*}{note}", self.decimals, unsigned_zero(value, self.decimals));
                let end = axis.x(value.max(0.0)) + 4;
                text(area, &number, (end, y + BAR as i32 / 2), 11, INK, HPos::Left)?;
            }
        }
        Ok(())
    }
}

/// Values to pixels.
struct Axis {
    low: f64,
    high: f64,
    step: f64,
    left: i32,
    right: i32,
}

impl Axis {
    fn of(panel: &Panel, left: i32, right: i32) -> Self {
        let values = || panel.series.iter().flat_map(|series| &series.values).flatten();
        let low = values().fold(0.0_f64, |low, &value| low.min(value));
        let high = panel.full.unwrap_or_else(|| values().fold(0.0_f64, |high, &value| high.max(value)));
        // Something to divide by where all values are 0.
        let high = if high > low { high } else { 1.0 };
        Self { low, high, step: step(high - low, 4), left, right: right - NUMBER }
    }

    fn x(&self, value: f64) -> i32 {
        let share = (value - self.low) / (self.high - self.low);
        self.left + (share * f64::from(self.right - self.left)).round() as i32
    }

    /// Multiples of the step within the axis.
    fn marks(&self) -> impl Iterator<Item = (f64, i32)> {
        let first = (self.low / self.step).ceil() as i64;
        let last = (self.high / self.step).floor() as i64;
        (first..=last).map(|i| {
            let value = i as f64 * self.step;
            (value, self.x(value))
        })
    }
}
