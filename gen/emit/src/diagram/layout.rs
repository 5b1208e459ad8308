//! Where boxes and wires are.
//!
//! All bands share one grid of columns. Between two columns is a channel without boxes, above each band a gutter without boxes; a
//! wire that cannot go straight goes through these, where each net (all wires of one source) has a track of its own.

use std::collections::{BTreeMap, BTreeSet};

use super::{Class, Item};

/// Of the text in boxes; widths are those of a wide sans-serif, so that other fonts fit too.
pub(super) const FONT: i32 = 11;
pub(super) const LABEL_FONT: i32 = 9;
const LINE: i32 = 14;
const PAD: i32 = 8;
/// Between two tracks.
const TRACK: i32 = 7;
/// Space for an arrow head.
const ARROW: i32 = 12;
const MARGIN: i32 = 16;
/// Title above, legend below.
const TITLE: i32 = 34;
pub(super) const LEGEND: i32 = 40;
const BETWEEN_ROWS: i32 = 16;
/// From the middle of a box to a wire that does not come straight.
const ASIDE: i32 = 10;

/// Width of a text, estimated.
pub(super) fn width(text: &str, font: i32) -> i32 {
    let letters = i32::try_from(text.chars().count()).unwrap_or(i32::MAX / 100);
    (letters * font * 62).div_euclid(100) + 1
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rect {
    pub x: i32,
    pub y: i32,
    pub width: i32,
    pub height: i32,
}

/// A text by the left end of its baseline.
#[derive(Debug, Clone)]
pub(super) struct Text {
    pub x: i32,
    pub y: i32,
    pub words: String,
}

#[derive(Debug)]
pub(super) struct Block {
    pub at: Rect,
    pub class: Class,
    pub ahead: bool,
    /// The first one is its name.
    pub texts: Vec<Text>,
}

#[derive(Debug)]
pub(super) struct Group {
    pub at: Rect,
    pub texts: Vec<Text>,
}

/// Corners from the source to a target.
#[derive(Debug)]
pub(super) struct Wire {
    /// Number of the item it comes from.
    pub source: usize,
    pub points: Vec<(i32, i32)>,
}

#[derive(Debug)]
pub(super) struct Drawing {
    pub width: i32,
    pub height: i32,
    pub groups: Vec<Group>,
    pub blocks: Vec<Block>,
    pub wires: Vec<Wire>,
    /// Bits of a row, where it leaves its box.
    pub labels: Vec<Text>,
}

/// Band, row and column of an item.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Cell {
    band: usize,
    row: usize,
    column: usize,
}

/// How a wire goes to its target.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Along the source's row and, in the channel in front of the target, to its row.
    SourceRow,
    /// In the channel behind the source to the target's row and along that.
    TargetRow,
    /// In the channel behind the source to this gutter, along it, and in the channel in front of the target to its row.
    Gutter(usize),
}

/// Tracks by channel or gutter: those of each are numbered in the order in which nets come.
#[derive(Default)]
struct Tracks(BTreeMap<usize, Vec<usize>>);

impl Tracks {
    fn add(&mut self, place: usize, net: usize) {
        let nets = self.0.entry(place).or_default();
        if !nets.contains(&net) {
            nets.push(net);
        }
    }

    fn of(&self, place: usize, net: usize) -> i32 {
        let nets = self.0.get(&place);
        let track = nets.and_then(|nets| nets.iter().position(|n| *n == net)).unwrap_or(0);
        TRACK * i32::try_from(track).unwrap_or(0)
    }

    fn size(&self, place: usize) -> i32 {
        TRACK * i32::try_from(self.0.get(&place).map_or(0, Vec::len)).unwrap_or(0)
    }
}

/// Gives everything its place.
pub(super) fn place(items: &[Item]) -> Drawing {
    let places: BTreeSet<usize> = items.iter().map(|item| item.band.place).collect();
    let band_of = |item: &Item| places.range(..item.band.place).count();
    let mut cells: Vec<Cell> = Vec::new();
    for item in items {
        cells.push(cell(item, band_of(item), &cells));
    }
    let (ways, channels, gutters) = routes(items, &cells);

    // The grid.
    let columns = cells.iter().map(|c| c.column + 1).max().unwrap_or(0);
    let texts = || items.iter().flat_map(|item| &item.lines);
    let box_width = texts().map(|line| width(line, FONT)).max().unwrap_or(0) + 2 * PAD;
    let label_width =
        items.iter().map(|item| width(&item.bits.to_string(), LABEL_FONT)).max().unwrap_or(0) + 6;
    let title = items.iter().flat_map(|item| &item.band.title).map(|line| width(line, FONT)).max();
    // Left edges of the columns; channel c is left of column c.
    let mut lefts = Vec::new();
    let mut x = MARGIN + PAD + title.unwrap_or(0);
    for column in 0..=columns {
        x += label_width + channels.size(column) + ARROW;
        lefts.push(x);
        x += box_width;
    }
    let right = lefts[columns] - ARROW;
    let channel = |column: usize, net| {
        let start = lefts[column] - ARROW - channels.size(column);
        start + channels.of(column, net) + TRACK / 2
    };

    // Rows of each band, as high as their highest box.
    let bands = places.len();
    let mut groups = Vec::new();
    let mut middles: BTreeMap<(usize, usize), i32> = BTreeMap::new();
    let mut gutter_tops = Vec::new();
    let height = |item: &Item| 2 * PAD + LINE * i32::try_from(item.lines.len()).unwrap_or(0) - 2;
    let mut y = MARGIN + TITLE;
    for band in 0..bands {
        gutter_tops.push(y);
        y += gutters.size(band) + BETWEEN_ROWS;
        let top = y;
        let rows = cells.iter().filter(|c| c.band == band).map(|c| c.row + 1).max().unwrap_or(0);
        for row in 0..rows {
            let inside = cells.iter().zip(items).filter(|(c, _)| c.band == band && c.row == row);
            let high = inside.map(|(_, item)| height(item)).max().unwrap_or(0);
            y += BETWEEN_ROWS / 2;
            middles.insert((band, row), y + high / 2);
            y += high + BETWEEN_ROWS / 2;
        }
        let of_band = items.iter().zip(&cells).find(|(_, c)| c.band == band);
        let lines = of_band.map_or(&[][..], |(item, _)| &item.band.title);
        groups.push(Group {
            at: Rect { x: MARGIN, y: top, width: right - MARGIN, height: y - top },
            texts: lined(lines, MARGIN + PAD, top + PAD + FONT),
        });
    }
    let gutter = |band: usize, net| gutter_tops[band] + BETWEEN_ROWS / 2 + gutters.of(band, net);

    let blocks: Vec<Block> = items
        .iter()
        .zip(&cells)
        .map(|(item, cell)| {
            let high = height(item);
            let at = Rect {
                x: lefts[cell.column],
                y: middles[&(cell.band, cell.row)] - high / 2,
                width: box_width,
                height: high,
            };
            let texts = lined(&item.lines, at.x + PAD, at.y + PAD + FONT - 2);
            Block { at, class: item.class, ahead: item.ahead, texts }
        })
        .collect();
    let middle = |i: usize| middles[&(cells[i].band, cells[i].row)];

    let mut wires = Vec::new();
    for (target, item) in items.iter().enumerate() {
        let mut aside = [0, 0];
        for &source in &item.inputs {
            let (from, to) = (cells[source], cells[target]);
            let (start, exit) = (blocks[source].at.x + box_width, middle(source));
            let end = blocks[target].at.x;
            let way = ways[&(source, target)];
            let straight = matches!(way, Way::SourceRow) && (from.band, from.row) == (to.band, to.row);
            let entry = if straight {
                middle(target)
            } else {
                // Those from above above the middle, one beside the other.
                let below = (from.band, from.row) > (to.band, to.row)
                    || (matches!(way, Way::TargetRow) && to.row < from.row);
                let n = &mut aside[usize::from(below)];
                *n += 1;
                middle(target) + (if below { 1 } else { -1 }) * (ASIDE + TRACK * (*n - 1))
            };
            let (behind, before) = (channel(from.column + 1, source), channel(to.column, source));
            let points = match way {
                _ if straight => vec![(start, exit), (end, entry)],
                Way::SourceRow => vec![(start, exit), (before, exit), (before, entry), (end, entry)],
                Way::TargetRow => vec![(start, exit), (behind, exit), (behind, entry), (end, entry)],
                Way::Gutter(band) => {
                    let y = gutter(band, source);
                    vec![
                        (start, exit),
                        (behind, exit),
                        (behind, y),
                        (before, y),
                        (before, entry),
                        (end, entry),
                    ]
                }
            };
            wires.push(Wire { source, points });
        }
    }
    let labels = items.iter().zip(&blocks).enumerate().filter(|(_, (item, _))| item.bits > 0);
    let labels = labels.map(|(i, (item, block))| Text {
        x: block.at.x + box_width + 3,
        y: middle(i) - 3,
        words: item.bits.to_string(),
    });
    Drawing {
        width: right + MARGIN,
        height: y + LEGEND + MARGIN,
        groups,
        labels: labels.collect(),
        blocks,
        wires,
    }
}

/// Behind all that it reads in its band, in the row of the first of these if that is free.
fn cell(item: &Item, band: usize, cells: &[Cell]) -> Cell {
    let inputs = || item.inputs.iter().map(|&i| cells[i]).filter(|c| c.band == band);
    let column = inputs().map(|c| c.column + 1).max().unwrap_or(0);
    let mut row = inputs().map(|c| c.row).next().unwrap_or(0);
    while cells.contains(&Cell { band, row, column }) {
        row += 1;
    }
    Cell { band, row, column }
}

/// The way of each wire by source and target, and the tracks these take in channels and gutters.
fn routes(items: &[Item], cells: &[Cell]) -> (BTreeMap<(usize, usize), Way>, Tracks, Tracks) {
    let (mut channels, mut gutters) = (Tracks::default(), Tracks::default());
    let mut ways = BTreeMap::new();
    // Who is in a cell: an item, or the net that goes through.
    let mut taken: BTreeMap<Cell, Option<usize>> = cells.iter().map(|cell| (*cell, None)).collect();
    for (target, item) in items.iter().enumerate() {
        for &source in &item.inputs {
            let (from, to) = (cells[source], cells[target]);
            let between = |row| (from.column + 1..to.column).map(move |column| Cell { row, column, ..from });
            let free = |row| between(row).all(|cell| taken.get(&cell).is_none_or(|by| *by == Some(source)));
            let way = if from.band != to.band {
                Way::Gutter(from.band + 1)
            } else if free(from.row) {
                Way::SourceRow
            } else if free(to.row) {
                Way::TargetRow
            } else {
                Way::Gutter(from.band)
            };
            match way {
                Way::SourceRow => {
                    taken.extend(between(from.row).map(|cell| (cell, Some(source))));
                    if from.row != to.row {
                        channels.add(to.column, source);
                    }
                }
                Way::TargetRow => {
                    taken.extend(between(to.row).map(|cell| (cell, Some(source))));
                    channels.add(from.column + 1, source);
                }
                Way::Gutter(band) => {
                    channels.add(from.column + 1, source);
                    gutters.add(band, source);
                    channels.add(to.column, source);
                }
            }
            ways.insert((source, target), way);
        }
    }
    (ways, channels, gutters)
}

/// Lines of text, one under the other, the first baseline at `y`.
fn lined(lines: &[String], x: i32, y: i32) -> Vec<Text> {
    let mut y = y - LINE;
    let text = |line: &String| {
        y += LINE;
        Text { x, y, words: line.clone() }
    };
    lines.iter().map(text).collect()
}
