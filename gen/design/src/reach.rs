//! What a value can be, more closely than its bounds: which codes occur, and which never do.
//!
//! Where a value has few different rows they are enumerated, exactly: an embedding has no more rows than its encoder has codes,
//! with positions as many times more as there are places, and a normalisation of those no more again. Elsewhere each lane
//! has an interval, and a code of a tree occurs unless the way to its leaf asks a lane for what no value in its interval is.
//! Both take more to be possible than is, never less.

use std::collections::BTreeSet;

use crate::encoder::{IntEncoder, IntEncoderKind};
use crate::format::Bounds;
use crate::graph::{Design, Node, Op};
use crate::table::IntTable;

/// Values of rows that are enumerated, at most: beyond, intervals are kept.
const MOST_VALUES: usize = 1 << 22;

/// Differences to the features of prototypes that are taken to find the nearest ones, at most: beyond, any may be.
const MOST_DIFFERENCES: usize = 1 << 24;

/// What a node's rows can be, any of them in any window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// One of these rows.
    Rows(Rows),
    /// Each lane something in its interval.
    Lanes(Vec<Bounds>),
    /// Of codes: each lane one that is marked.
    Codes(Vec<Vec<bool>>),
}

/// Different rows, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rows {
    lanes: usize,
    values: Vec<i64>,
}

impl Rows {
    fn new(lanes: usize, values: &[i64]) -> Self {
        let mut rows: Vec<&[i64]> = values.chunks_exact(lanes).collect();
        rows.sort_unstable();
        rows.dedup();
        Self { lanes, values: rows.concat() }
    }

    fn iter(&self) -> impl Iterator<Item = &[i64]> {
        self.values.chunks_exact(self.lanes)
    }

    /// Whether this is one of them.
    pub fn contains(&self, row: &[i64]) -> bool {
        let (mut low, mut high) = (0, self.count());
        while low < high {
            let middle = low.midpoint(high);
            match self.values[middle * self.lanes..][..self.lanes].cmp(row) {
                std::cmp::Ordering::Less => low = middle + 1,
                std::cmp::Ordering::Equal => return true,
                std::cmp::Ordering::Greater => high = middle,
            }
        }
        false
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.values.len() / self.lanes
    }

    /// Each row made into another of `lanes` lanes.
    fn map(&self, lanes: usize, of: impl Fn(&[i64]) -> Vec<i64>) -> Reach {
        Reach::Rows(Self::new(lanes, &self.iter().flat_map(of).collect::<Vec<_>>()))
    }

    /// Each row with each of some others, which have as many lanes, if these are not too many.
    fn with(&self, others: &[i64], of: impl Fn(i64, i64) -> i64) -> Option<Self> {
        let others = others.chunks_exact(self.lanes);
        (self.values.len() * others.len() <= MOST_VALUES).then(|| {
            let pairs = self.iter().flat_map(|a| others.clone().map(move |b| (a, b)));
            let values = pairs.flat_map(|(a, b)| a.iter().zip(b).map(|(a, b)| of(*a, *b)));
            Self::new(self.lanes, &values.collect::<Vec<_>>())
        })
    }
}

impl Reach {
    /// The interval of each lane.
    pub fn bounds(&self) -> Vec<Bounds> {
        let nothing = Bounds::point(0);
        match self {
            Self::Lanes(bounds) => bounds.clone(),
            Self::Rows(rows) => (0..rows.lanes)
                .map(|lane| Bounds::of(rows.iter().map(|row| row[lane])).unwrap_or(nothing))
                .collect(),
            Self::Codes(lanes) => {
                let of = |codes: &Vec<bool>| Bounds::of(marked(codes).map(|code| code as i64));
                lanes.iter().map(|codes| of(codes).unwrap_or(nothing)).collect()
            }
        }
    }

    /// Which of `count` codes each lane can be.
    pub fn codes(&self, count: usize) -> Vec<Vec<bool>> {
        match self {
            Self::Codes(lanes) => lanes.clone(),
            Self::Rows(rows) => {
                let mut lanes = vec![vec![false; count]; rows.lanes];
                for row in rows.iter() {
                    row.iter().zip(&mut lanes).for_each(|(&code, lane)| lane[code as usize] = true);
                }
                lanes
            }
            Self::Lanes(bounds) => {
                let of =
                    |b: &Bounds| (0..count).map(|code| (b.low..=b.high).contains(&(code as i64))).collect();
                bounds.iter().map(of).collect()
            }
        }
    }

    /// This, or a row of zeros.
    fn or_zeros(&self) -> Self {
        match self {
            Self::Rows(rows) => {
                let zeros = std::iter::repeat_n(0, rows.lanes);
                Self::Rows(Rows::new(
                    rows.lanes,
                    &rows.values.iter().copied().chain(zeros).collect::<Vec<_>>(),
                ))
            }
            Self::Lanes(bounds) => Self::Lanes(bounds.iter().map(|b| b.union(Bounds::point(0))).collect()),
            Self::Codes(lanes) => {
                let mut lanes = lanes.clone();
                for codes in &mut lanes {
                    codes[0] = true;
                }
                Self::Codes(lanes)
            }
        }
    }

    /// A function of each value that never falls.
    fn each(&self, of: impl Fn(i64) -> i64) -> Self {
        match self {
            Self::Rows(rows) => rows.map(rows.lanes, |row| row.iter().map(|&v| of(v)).collect()),
            other => {
                let of = |b: Bounds| Bounds { low: of(b.low), high: of(b.high) };
                Self::Lanes(other.bounds().into_iter().map(of).collect())
            }
        }
    }
}

/// What every node of a design can be.
pub fn reach(design: &Design) -> Vec<Reach> {
    let mut all: Vec<Reach> = Vec::with_capacity(design.nodes.len());
    for node in &design.nodes {
        let inputs: Vec<&Reach> = node.inputs.iter().map(|input| &all[input.0]).collect();
        let reach = of_node(node, &inputs);
        all.push(reach);
    }
    all
}

fn of_node(node: &Node, x: &[&Reach]) -> Reach {
    let lanes = node.value.lanes;
    match &node.op {
        Op::Encode { encoder, .. } => encoded(encoder, x[0], lanes),
        Op::Lookup { table } => looked_up(table, x[0], lanes),
        Op::ConstantScores { tables } => {
            let codes = x[0].codes(tables[0].rows);
            let of_head = tables.iter().zip(codes.chunks(tables[0].subspaces));
            Reach::Lanes(of_head.flat_map(|(table, codes)| sums(table, codes)).collect())
        }
        Op::Scores { table, .. } | Op::Mix { table, .. } => {
            let sum = sums(table, &pairs(table, x[0], x[1]));
            Reach::Lanes(sum.into_iter().cycle().take(lanes).collect())
        }
        Op::Position { constants, shift, lead } => positioned(constants, *shift, *lead, x[0], lanes),
        Op::Requantise { step } => x[0].each(|v| step.apply(v)),
        Op::Relu => x[0].each(|v| v.max(0)),
        Op::Norm { unit, kept } => match x[0] {
            Reach::Rows(rows) => rows.map(lanes, |row| {
                let row = unit.of_row(row);
                kept.iter().map(|&lane| row[lane]).collect()
            }),
            _ => anything(node),
        },
        Op::Residual { a_shift, b_shift } => {
            let add = |a: i64, b: i64| (a << a_shift) + (b << b_shift);
            let rows = match x {
                [Reach::Rows(a), Reach::Rows(b)] => a.with(&b.values, add),
                _ => None,
            };
            rows.map_or_else(
                || {
                    let (a, b) = (x[0].bounds(), x[1].bounds());
                    let sum = a
                        .iter()
                        .zip(&b)
                        .map(|(a, b)| a.shifted_left(*a_shift).plus(b.shifted_left(*b_shift)));
                    Reach::Lanes(sum.collect())
                },
                Reach::Rows,
            )
        }
        Op::Transpose { lead } => {
            // Every row is a lane of x.
            let any = x[0].bounds().into_iter().reduce(Bounds::union).unwrap_or(node.value.bounds);
            let mut bounds = vec![any; lanes];
            if let Some(lead) = lead {
                bounds[0] = Bounds::of(lead.iter().copied()).unwrap_or(any);
            }
            Reach::Lanes(bounds)
        }
        // Before the history is full there are zeros.
        Op::History => x[0].or_zeros(),
        Op::Select { .. } => x[0].clone(),
        Op::Window { .. } | Op::Softmax { .. } | Op::Gelu { .. } | Op::SumRows | Op::Threshold { .. } => {
            anything(node)
        }
    }
}

/// All that the bounds allow.
fn anything(node: &Node) -> Reach {
    Reach::Lanes(vec![node.value.bounds; node.value.lanes])
}

/// Of a pair table whose operands can be these: the rows `[C, K²]` that are looked up by some element of some head.
pub(crate) fn pairs(table: &IntTable, left: &Reach, right: &Reach) -> Vec<Vec<bool>> {
    let count = 1 << (table.rows.ilog2() / 2);
    // Lanes of codes are head-major.
    let of_any_head = |reach: &Reach, c: usize| -> Vec<bool> {
        let lanes = reach.codes(count);
        let of_head = lanes.iter().skip(c).step_by(table.subspaces);
        of_head.fold(vec![false; count], |any, lane| any.iter().zip(lane).map(|(a, b)| a | b).collect())
    };
    let of_subspace = |c: usize| {
        let (left, right) = (of_any_head(left, c), of_any_head(right, c));
        left.iter().flat_map(|&left| right.iter().map(move |&right| left && right)).collect()
    };
    (0..table.subspaces).map(of_subspace).collect()
}

fn encoded(encoder: &IntEncoder, x: &Reach, lanes: usize) -> Reach {
    match x {
        Reach::Rows(rows) if can_be_done(encoder, rows) => rows.map(lanes, |row| {
            let codes = row.chunks_exact(encoder.features).flat_map(|group| encoder.codes(group));
            codes.map(|code| code as i64).collect()
        }),
        _ => {
            let bounds = x.bounds();
            let of_group = |group: &[Bounds]| {
                (0..encoder.subspaces).map(|c| leaves(encoder, c, group)).collect::<Vec<_>>()
            };
            Reach::Codes(bounds.chunks_exact(encoder.features).flat_map(of_group).collect())
        }
    }
}

/// Whether the codes of all these rows are found in little time.
fn can_be_done(encoder: &IntEncoder, rows: &Rows) -> bool {
    match encoder.kind {
        IntEncoderKind::Tree { .. } => true,
        IntEncoderKind::Nearest { .. } => rows.values.len() * encoder.prototypes() <= MOST_DIFFERENCES,
    }
}

/// The codes of one subspace that a vector within these bounds can have.
fn leaves(encoder: &IntEncoder, c: usize, bounds: &[Bounds]) -> Vec<bool> {
    let count = encoder.prototypes();
    let IntEncoderKind::Tree { split, threshold, .. } = &encoder.kind else {
        // Which prototypes are nearest to something is not asked.
        return vec![true; count];
    };
    let levels = encoder.code_bits as usize;
    let threshold = &threshold[c * (count - 1)..][..count - 1];
    let mut within = vec![bounds.to_vec()];
    let mut open = vec![true];
    for (level, &feature) in split[c * levels..][..levels].iter().enumerate() {
        let mut next = Vec::with_capacity(2 * within.len());
        let mut reached = Vec::with_capacity(2 * within.len());
        for (place, (bounds, open)) in within.into_iter().zip(open).enumerate() {
            let t = threshold[(1 << level) - 1 + place];
            let (mut left, mut right) = (bounds.clone(), bounds);
            left[feature].high = left[feature].high.min(t - 1);
            right[feature].low = right[feature].low.max(t);
            for side in [left, right] {
                reached.push(open && side[feature].low <= side[feature].high);
                next.push(side);
            }
        }
        (within, open) = (next, reached);
    }
    open
}

fn looked_up(table: &IntTable, x: &Reach, lanes: usize) -> Reach {
    let sum = |codes: &[i64]| table.sum(&codes.iter().map(|&code| code as usize).collect::<Vec<_>>());
    if let Reach::Rows(rows) = x {
        return if rows.count() * lanes <= MOST_VALUES {
            rows.map(lanes, sum)
        } else {
            Reach::Lanes(sums(table, &x.codes(table.rows)))
        };
    }
    let codes = x.codes(table.rows);
    let count = |codes: &Vec<bool>| marked(codes).count();
    let all = codes.iter().map(count).try_fold(lanes, usize::checked_mul);
    if all.is_none_or(|all| all > MOST_VALUES) {
        return Reach::Lanes(sums(table, &codes));
    }
    let mut rows: Vec<Vec<i64>> = vec![Vec::new()];
    for codes in &codes {
        let longer =
            |row: &Vec<i64>| marked(codes).map(|code| [row.as_slice(), &[code as i64]].concat()).collect();
        rows = rows.iter().flat_map(|row| -> Vec<Vec<i64>> { longer(row) }).collect();
    }
    let different: BTreeSet<Vec<i64>> = rows.iter().map(|row| sum(row)).collect();
    Reach::Rows(Rows::new(lanes, &different.into_iter().flatten().collect::<Vec<_>>()))
}

/// Of each output the interval of its sums, where these rows of each subspace are looked up.
fn sums(table: &IntTable, read: &[Vec<bool>]) -> Vec<Bounds> {
    let of_output = |o: usize| {
        let start = Bounds::point(table.bias.as_ref().map_or(0, |bias| bias[o]));
        read.iter().enumerate().fold(start, |sum, (c, read)| {
            let column = Bounds::of(marked(read).map(|row| i64::from(table.entry(c, row, o))));
            sum.plus(column.unwrap_or(Bounds::point(0)).shifted_left(table.shifts[c]))
        })
    };
    (0..table.outputs).map(of_output).collect()
}

fn positioned(constants: &[i64], shift: u32, lead: bool, x: &Reach, lanes: usize) -> Reach {
    let place = |x: i64, constant: i64| (x << shift) + constant;
    let (first, behind) = constants.split_at(if lead { lanes } else { 0 });
    let rows = if let Reach::Rows(rows) = x { rows.with(behind, place) } else { None };
    if let Some(rows) = rows {
        return Reach::Rows(Rows::new(lanes, &[rows.values.as_slice(), first].concat()));
    }
    let of_lane = |(lane, x): (usize, Bounds)| {
        let column = |constants: &[i64]| Bounds::of(constants.chunks_exact(lanes).map(|row| row[lane]));
        let moved = column(behind).map(|constant| x.shifted_left(shift).plus(constant));
        let all = [moved, column(first)].into_iter().flatten().reduce(Bounds::union);
        all.unwrap_or(Bounds::point(0))
    };
    Reach::Lanes(x.bounds().into_iter().enumerate().map(of_lane).collect())
}

fn marked(codes: &[bool]) -> impl Iterator<Item = usize> {
    codes.iter().enumerate().filter(|(_, occurs)| **occurs).map(|(code, _)| code)
}

#[cfg(test)]
mod tests;
