//! What a value can be, more closely than its bounds: which codes occur, and which never do.
//!
//! Every row of a node is looked at by itself, where its rows stand for places of the window: a token has other constants at each.
//! Where a row can be few different ones they are enumerated, exactly: an embedding has no more rows than its encoder has codes, and
//! a normalisation of those no more again. Elsewhere each lane is looked at by itself: one of some values, while these are few, or
//! anything within an interval. A code of a tree occurs unless the way to its leaf asks a lane for what it cannot be. All of it
//! takes more to be possible than is, never less.

mod lane;
mod rows;
mod softmax;
mod tables;

pub use lane::Lane;
pub use rows::Rows;
pub(crate) use tables::pairs;

use crate::graph::{Design, Node, Op};
use rows::MOST_VALUES;
use tables::{encoded, looked_up, sums};

/// What a row can be, in any window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// One of these rows.
    Rows(Rows),
    /// Each lane by itself.
    Lanes(Vec<Lane>),
}

impl Reach {
    /// Each lane by itself.
    pub fn lanes(&self) -> Vec<Lane> {
        match self {
            Self::Lanes(lanes) => lanes.clone(),
            Self::Rows(rows) => {
                (0..rows.lanes).map(|lane| Lane::of(rows.iter().map(|row| row[lane]))).collect()
            }
        }
    }

    /// These lanes of it alone.
    #[must_use]
    pub fn on(&self, kept: &[usize]) -> Self {
        match self {
            Self::Rows(rows) => {
                Self::Rows(rows.map(kept.len(), |row| kept.iter().map(|&lane| row[lane]).collect()))
            }
            Self::Lanes(lanes) => Self::Lanes(kept.iter().map(|&lane| lanes[lane].clone()).collect()),
        }
    }

    /// Whether it can be this.
    pub fn contains(&self, row: &[i64]) -> bool {
        match self {
            Self::Rows(rows) => rows.contains(row),
            Self::Lanes(lanes) => row.iter().zip(lanes).all(|(&v, lane)| lane.contains(v)),
        }
    }

    /// Which of `count` codes each lane can be.
    pub fn codes(&self, count: usize) -> Vec<Vec<bool>> {
        let of = |lane: Lane| (0..count).map(|code| lane.contains(code as i64)).collect();
        self.lanes().into_iter().map(of).collect()
    }

    /// A function of each value that never falls.
    fn rising(&self, of: impl Fn(i64) -> i64 + Copy) -> Self {
        match self {
            Self::Rows(rows) => Self::Rows(rows.map(rows.lanes, |row| row.iter().map(|&v| of(v)).collect())),
            Self::Lanes(lanes) => Self::Lanes(lanes.iter().map(|lane| lane.rising(of)).collect()),
        }
    }

    /// Sums with another row that does not depend on it; rows of at most `most` values.
    fn plus(&self, other: &Self, most: usize) -> Self {
        let rows = match (self, other) {
            (Self::Rows(a), Self::Rows(b)) => a.with(b, most, |a, b| a + b),
            _ => None,
        };
        rows.map_or_else(
            || Self::Lanes(self.lanes().iter().zip(other.lanes()).map(|(a, b)| a.plus(&b)).collect()),
            Self::Rows,
        )
    }
}

/// What the rows of a node can be: one for all of them, or one for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Places(Vec<Reach>);

impl Places {
    /// Of a row.
    pub fn row(&self, row: usize) -> &Reach {
        if self.0.len() == 1 { &self.0[0] } else { &self.0[row] }
    }

    /// Of any row.
    pub fn any(&self) -> Reach {
        let mut together = Vec::new();
        for row in &self.0 {
            let Reach::Rows(rows) = row else {
                let lanes: Vec<Vec<Lane>> = self.0.iter().map(Reach::lanes).collect();
                let of_lane = |lane| Lane::any(lanes.iter().map(|lanes| &lanes[lane]));
                return Reach::Lanes((0..lanes[0].len()).map(of_lane).collect());
            };
            together.extend_from_slice(&rows.values);
        }
        match &self.0[0] {
            Reach::Rows(first) => Reach::Rows(Rows::new(first.lanes, &together)),
            lanes @ Reach::Lanes(_) => lanes.clone(),
        }
    }

    /// Each row made into another.
    fn each(&self, of: impl Fn(&Reach) -> Reach) -> Self {
        Self(self.0.iter().map(of).collect())
    }

    /// Sums of each row with the other's of its number.
    fn plus(&self, other: &Self) -> Self {
        let (a, b) = (self.0.len(), other.0.len());
        if a != b && a.min(b) > 1 {
            return Self(vec![self.any().plus(&other.any(), MOST_VALUES)]);
        }
        let rows = a.max(b);
        Self((0..rows).map(|row| self.row(row).plus(other.row(row), MOST_VALUES / rows)).collect())
    }
}

/// What every node of a design can be.
pub fn reach(design: &Design) -> Vec<Places> {
    let mut all: Vec<Places> = Vec::with_capacity(design.nodes.len());
    for node in &design.nodes {
        let inputs: Vec<&Places> = node.inputs.iter().map(|input| &all[input.0]).collect();
        let reach = of_node(node, &inputs);
        all.push(reach);
    }
    all
}

fn of_node(node: &Node, x: &[&Places]) -> Places {
    let lanes = node.value.lanes;
    match &node.op {
        Op::Encode { encoder, .. } => x[0].each(|x| encoded(encoder, x, lanes)),
        Op::Lookup { table } => x[0].each(|row| looked_up(table, row, lanes, MOST_VALUES / x[0].0.len())),
        Op::ConstantScores { tables } => x[0].each(|x| {
            let codes = x.codes(tables[0].rows);
            let of_head = tables.iter().zip(codes.chunks(tables[0].subspaces));
            Reach::Lanes(of_head.flat_map(|(table, codes)| sums(table, codes)).collect())
        }),
        Op::Scores { table, .. } | Op::Mix { table, .. } => {
            let sum = sums(table, &pairs(table, &x[0].any(), &x[1].any()));
            Places(vec![Reach::Lanes(sum.into_iter().cycle().take(lanes).collect())])
        }
        Op::Position { constants, shift, lead } => positioned(constants, *shift, *lead, x[0], lanes),
        Op::Requantise { step } => x[0].each(|x| x.rising(|v| step.apply(v))),
        Op::Relu => x[0].each(|x| x.rising(|v| v.max(0))),
        Op::Norm { unit, kept } => x[0].each(|x| match x {
            Reach::Rows(rows) => Reach::Rows(rows.map(lanes, |row| {
                let row = unit.of_row(row);
                kept.iter().map(|&lane| row[lane]).collect()
            })),
            Reach::Lanes(_) => anything(node),
        }),
        Op::Softmax { unit } => {
            x[0].each(|x| softmax::weights(unit, &x.lanes()).map_or_else(|| anything(node), Reach::Lanes))
        }
        Op::Residual { a_shift, b_shift } => {
            x[0].each(|a| a.rising(|v| v << a_shift)).plus(&x[1].each(|b| b.rising(|v| v << b_shift)))
        }
        Op::Transpose { lead } => transposed(node, lead.as_deref(), x[0]),
        // Before the history is full there are zeros.
        Op::History => {
            let zeros = Reach::Rows(Rows::new(lanes, &vec![0; lanes]));
            Places(vec![Places(vec![x[0].any(), zeros]).any()])
        }
        Op::Select { row } => Places(vec![x[0].row(*row).clone()]),
        Op::Window { .. } | Op::Gelu { .. } | Op::SumRows | Op::Threshold { .. } => {
            Places(vec![anything(node)])
        }
    }
}

/// All that the bounds allow.
fn anything(node: &Node) -> Reach {
    Reach::Lanes(vec![Lane::Within(node.value.bounds); node.value.lanes])
}

/// Rows become lanes. With a lead its numbers stand in front.
fn transposed(node: &Node, lead: Option<&[i64]>, x: &Places) -> Places {
    let front = usize::from(lead.is_some());
    let rows: Vec<Vec<Lane>> = (0..node.value.lanes - front).map(|row| x.row(row).lanes()).collect();
    let of_row = |row: usize| {
        let lead = lead.map(|lead| Lane::One(vec![lead[row]]));
        Reach::Lanes(lead.into_iter().chain(rows.iter().map(|lanes| lanes[row].clone())).collect())
    };
    Places((0..node.value.rows).map(of_row).collect())
}

/// Constants added, other ones to each row.
fn positioned(constants: &[i64], shift: u32, lead: bool, x: &Places, lanes: usize) -> Places {
    let constants = constants.chunks_exact(lanes);
    let constants = Places(constants.map(|row| Reach::Rows(Rows::new(lanes, row))).collect());
    let x = x.each(|x| x.rising(|v| v << shift));
    let x = if x.0.len() == constants.0.len() { x } else { Places(vec![x.any()]) };
    let mut all = x.plus(&constants);
    if lead {
        all.0[0] = constants.row(0).clone();
    }
    all
}

fn marked(codes: &[bool]) -> impl Iterator<Item = usize> {
    codes.iter().enumerate().filter(|(_, occurs)| **occurs).map(|(code, _)| code)
}

#[cfg(test)]
mod tests;
