//! A design prepared for interpretation: one step a node, one buffer a value.

use tablewright_design::{Design, IntEncoderKind, Node, NodeId, Op, Requantise};

use crate::arithmetic::{self, Int};
use crate::descend::Descend;
use crate::encode::Encoder;
use crate::table::Table;

/// A design's nodes with their values for the window, or the access, last run.
#[derive(Debug, Clone)]
pub(crate) struct Program<T> {
    steps: Vec<Step<T>>,
    values: Vec<Vec<T>>,
    /// Runs since the reset.
    runs: usize,
}

#[derive(Debug, Clone)]
struct Step<T> {
    inputs: Vec<NodeId>,
    lanes: usize,
    action: Action<T>,
}

#[derive(Debug, Clone)]
enum Action<T> {
    Window {
        lead: usize,
    },
    Encode(Encoder<T>),
    /// Of a transposed value, read from the value before it was transposed.
    EncodeColumns(Encoder<T>),
    Lookup(Table<T>),
    Position {
        constants: Vec<T>,
        shift: u32,
        lead: bool,
    },
    Requantise(Requantise),
    Norm {
        unit: tablewright_design::NormUnit,
        kept: Vec<usize>,
    },
    Scores {
        table: Table<T>,
        heads: usize,
    },
    Softmax(tablewright_design::SoftmaxUnit),
    ConstantScores(Vec<Table<T>>),
    /// Written only where somebody other than [`Self::EncodeColumns`] reads it.
    Transpose {
        lead: Option<Vec<T>>,
        written: bool,
    },
    /// The value is the state: it has the rows of the run before.
    History,
    Mix {
        table: Table<T>,
        columns: Vec<usize>,
    },
    Residual {
        a_shift: u32,
        b_shift: u32,
    },
    Gelu(tablewright_design::GeluUnit),
    Relu,
    Select {
        row: usize,
    },
    SumRows,
    Threshold {
        threshold: T,
        warm_up: usize,
    },
}

impl<T: Int> Program<T> {
    pub(crate) fn new(design: &Design) -> Self {
        let columns = |node: &Node| read_as_columns(design, node);
        let step = |(id, node): (NodeId, &Node)| Step {
            inputs: columns(node).map_or_else(|| node.inputs.clone(), |before| vec![before]),
            lanes: node.value.lanes,
            action: match &node.op {
                Op::Window { lead } => Action::Window { lead: usize::from(*lead) * node.value.lanes },
                Op::Encode { encoder, .. } if columns(node).is_some() => {
                    Action::EncodeColumns(Encoder::new(encoder))
                }
                Op::Encode { encoder, .. } => Action::Encode(Encoder::new(encoder)),
                Op::Lookup { table } => Action::Lookup(Table::new(table)),
                Op::Position { constants, shift, lead } => Action::Position {
                    constants: constants.iter().map(|&c| T::of(c)).collect(),
                    shift: *shift,
                    lead: *lead,
                },
                Op::Requantise { step } => Action::Requantise(*step),
                Op::Norm { unit, kept } => Action::Norm { unit: unit.clone(), kept: kept.clone() },
                Op::Scores { table, heads } => Action::Scores { table: Table::new(table), heads: *heads },
                Op::Softmax { unit } => Action::Softmax(unit.clone()),
                Op::ConstantScores { tables } => {
                    Action::ConstantScores(tables.iter().map(Table::new).collect())
                }
                Op::Transpose { lead } => Action::Transpose {
                    lead: lead.as_ref().map(|row| row.iter().map(|&v| T::of(v)).collect()),
                    written: design.nodes.iter().any(|n| n.inputs.contains(&id) && columns(n).is_none()),
                },
                Op::History => Action::History,
                Op::Mix { table, columns } => {
                    Action::Mix { table: Table::new(table), columns: columns.clone() }
                }
                Op::Residual { a_shift, b_shift } => {
                    Action::Residual { a_shift: *a_shift, b_shift: *b_shift }
                }
                Op::Gelu { unit } => Action::Gelu(unit.clone()),
                Op::Relu => Action::Relu,
                Op::Select { row } => Action::Select { row: *row },
                Op::SumRows => Action::SumRows,
                Op::Threshold { threshold, warm_up } => {
                    Action::Threshold { threshold: T::of(*threshold), warm_up: *warm_up }
                }
            },
        };
        Self {
            steps: design.iter().map(step).collect(),
            values: design.nodes.iter().map(|n| vec![T::default(); n.value.rows * n.value.lanes]).collect(),
            runs: 0,
        }
    }

    /// As if nothing had been run.
    pub(crate) fn reset(&mut self) {
        self.values.iter_mut().for_each(|value| value.fill(T::default()));
        self.runs = 0;
    }

    /// A node's values, appended to `out`.
    pub(crate) fn extend_with(&self, node: NodeId, out: &mut Vec<i64>) {
        let step = &self.steps[node.0];
        match step.action {
            Action::Transpose { written: false, .. } => {
                let x = &self.values[step.inputs[0].0];
                let columns = x.len() / step.lanes;
                out.extend((0..columns).flat_map(|c| x[c..].iter().step_by(columns)).map(|v| v.wide()));
            }
            _ => out.extend(self.values[node.0].iter().map(|v| v.wide())),
        }
    }

    #[inline(always)]
    pub(crate) fn run(&mut self, arch: impl Descend, window: &[u8]) {
        for (i, step) in self.steps.iter().enumerate() {
            let (before, rest) = self.values.split_at_mut(i);
            // Spelled out: a closure would not be compiled for the vector instructions around it.
            let operands: [&[T]; 2] = match step.inputs[..] {
                [] => [&[], &[]],
                [x] => [&before[x.0], &[]],
                [x, other, ..] => [&before[x.0], &before[other.0]],
            };
            step.run(arch, window, self.runs, operands, &mut rest[0]);
        }
        self.runs += 1;
    }
}

impl<T: Int> Step<T> {
    #[inline(always)]
    fn run(&self, arch: impl Descend, window: &[u8], runs: usize, [x, other]: [&[T]; 2], y: &mut [T]) {
        let rows = x.chunks_exact(self.lanes).zip(y.chunks_exact_mut(self.lanes));
        match &self.action {
            Action::Window { lead } => {
                let (zero, tokens) = y.split_at_mut(*lead);
                zero.fill(T::default());
                assert_eq!(tokens.len(), window.len(), "a window has accesses × segments values");
                tokens.iter_mut().zip(window).for_each(|(y, &w)| *y = T::of(i64::from(w)));
            }
            Action::Encode(encoder) => encoder.run(arch, x, y),
            Action::EncodeColumns(encoder) => encoder.run_columns(arch, x, y),
            Action::Lookup(table) => table.run(x, y),
            Action::Position { constants, shift, lead } => {
                let (lead, y) = y.split_at_mut(if *lead { self.lanes } else { 0 });
                let (first, constants) = constants.split_at(lead.len());
                lead.copy_from_slice(first);
                for ((y, &x), &c) in y.iter_mut().zip(&x[lead.len()..]).zip(constants) {
                    *y = (x << *shift) + c;
                }
            }
            Action::Requantise(step) => {
                y.iter_mut().zip(x).for_each(|(y, x)| *y = T::of(step.apply(x.wide())));
            }
            Action::Norm { unit, kept } => {
                for (x, y) in x.chunks_exact(unit.lanes).zip(y.chunks_exact_mut(self.lanes)) {
                    arithmetic::norm(unit, x, kept, y);
                }
            }
            Action::Softmax(unit) => rows.for_each(|(x, y)| arithmetic::softmax(unit, x, y)),
            Action::Scores { table, heads } => table.scores(*heads, x, other, y),
            Action::ConstantScores(tables) => {
                let codes = x.chunks_exact(x.len() / y.len());
                for ((codes, y), table) in codes.zip(y.chunks_exact_mut(1)).zip(tables.iter().cycle()) {
                    table.run(codes, y);
                }
            }
            Action::Transpose { lead, written: true } => {
                let columns = y.len() / self.lanes;
                let leads = lead.iter().flatten();
                let first = usize::from(lead.is_some());
                y.chunks_exact_mut(self.lanes).zip(leads).for_each(|(y, &lead)| y[0] = lead);
                for (column, y) in y.chunks_exact_mut(self.lanes).enumerate() {
                    for (y, &x) in y[first..].iter_mut().zip(x[column..].iter().step_by(columns)) {
                        *y = x;
                    }
                }
            }
            Action::Transpose { .. } => {}
            Action::History => {
                y.copy_within(x.len().., 0);
                let older = y.len() - x.len();
                y[older..].copy_from_slice(x);
            }
            Action::Mix { table, columns } => table.mix(columns, x, other, y),
            Action::Residual { a_shift, b_shift } => {
                for ((y, &a), &b) in y.iter_mut().zip(x).zip(other) {
                    *y = (a << *a_shift) + (b << *b_shift);
                }
            }
            Action::Gelu(unit) => arithmetic::gelu(unit, x, y),
            Action::Relu => y.iter_mut().zip(x).for_each(|(y, &x)| *y = x.max(T::default())),
            Action::Select { row } => y.copy_from_slice(&x[row * self.lanes..][..self.lanes]),
            Action::SumRows => {
                y.fill(T::default());
                for row in x.chunks_exact(self.lanes) {
                    y.iter_mut().zip(row).for_each(|(y, &x)| *y = *y + x);
                }
            }
            Action::Threshold { warm_up, .. } if runs < *warm_up => y.fill(T::default()),
            Action::Threshold { threshold, .. } => {
                y.iter_mut().zip(x).for_each(|(y, x)| *y = T::of(i64::from(x >= threshold)));
            }
        }
    }
}

/// The value before a transposition that `node`, an encoder of trees, can read column by column in its place.
fn read_as_columns(design: &Design, node: &Node) -> Option<NodeId> {
    let Op::Encode { encoder, groups: 1 } = &node.op else {
        return None;
    };
    let transposed = design.node(node.inputs[0]);
    let trees = matches!(encoder.kind, IntEncoderKind::Tree { .. });
    (trees && transposed.op == Op::Transpose { lead: None }).then(|| transposed.inputs[0])
}
