//! A design prepared for interpretation: one step a node, one buffer a value.

use tablewright_design::{Design, IntTable, NodeId, Op, Requantise};

use crate::arithmetic::{self, Int};
use crate::encode::Encoder;

/// A design's nodes with their values for the window last run.
#[derive(Debug, Clone)]
pub(crate) struct Program<T> {
    steps: Vec<Step<T>>,
    values: Vec<Vec<T>>,
}

#[derive(Debug, Clone)]
struct Step<T> {
    inputs: Vec<NodeId>,
    lanes: usize,
    action: Action<T>,
}

#[derive(Debug, Clone)]
enum Action<T> {
    Window { lead: usize },
    Encode(Encoder<T>),
    Lookup(Table<T>),
    Position { constants: Vec<T>, shift: u32, lead: bool },
    Requantise(Requantise),
    Norm(tablewright_design::NormUnit),
    Scores { table: Table<T>, heads: usize },
    Softmax(tablewright_design::SoftmaxUnit),
    Transpose,
    Mix { table: Table<T>, heads: usize },
    Residual { a_shift: u32, b_shift: u32 },
    Gelu(tablewright_design::GeluUnit),
    Relu,
    Select { row: usize },
    SumRows,
    Threshold(T),
}

impl<T: Int> Program<T> {
    pub(crate) fn new(design: &Design) -> Self {
        let step = |node: &tablewright_design::Node| Step {
            inputs: node.inputs.clone(),
            lanes: node.value.lanes,
            action: match &node.op {
                Op::Window { lead } => Action::Window { lead: usize::from(*lead) * node.value.lanes },
                Op::Encode { encoder, .. } => Action::Encode(Encoder::new(encoder)),
                Op::Lookup { table } => Action::Lookup(Table::new(table)),
                Op::Position { constants, shift, lead } => Action::Position {
                    constants: constants.iter().map(|&c| T::of(c)).collect(),
                    shift: *shift,
                    lead: *lead,
                },
                Op::Requantise { step } => Action::Requantise(*step),
                Op::Norm { unit } => Action::Norm(unit.clone()),
                Op::Scores { table, heads } => Action::Scores { table: Table::new(table), heads: *heads },
                Op::Softmax { unit } => Action::Softmax(unit.clone()),
                Op::Transpose => Action::Transpose,
                Op::Mix { table, heads } => Action::Mix { table: Table::new(table), heads: *heads },
                Op::Residual { a_shift, b_shift } => Action::Residual { a_shift: *a_shift, b_shift: *b_shift },
                Op::Gelu { unit } => Action::Gelu(unit.clone()),
                Op::Relu => Action::Relu,
                Op::Select { row } => Action::Select { row: *row },
                Op::SumRows => Action::SumRows,
                Op::Threshold { threshold } => Action::Threshold(T::of(*threshold)),
            },
        };
        Self {
            steps: design.nodes.iter().map(step).collect(),
            values: design.nodes.iter().map(|n| vec![T::default(); n.value.rows * n.value.lanes]).collect(),
        }
    }

    pub(crate) fn value(&self, node: NodeId) -> &[T] {
        &self.values[node.0]
    }

    pub(crate) fn run(&mut self, window: &[u8]) {
        for (i, step) in self.steps.iter().enumerate() {
            let (before, rest) = self.values.split_at_mut(i);
            let operands = [0, 1].map(|k| step.inputs.get(k).map_or(&[][..], |id| &before[id.0][..]));
            step.run(window, operands, &mut rest[0]);
        }
    }
}

impl<T: Int> Step<T> {
    fn run(&self, window: &[u8], [x, other]: [&[T]; 2], y: &mut [T]) {
        let rows = x.chunks_exact(self.lanes).zip(y.chunks_exact_mut(self.lanes));
        match &self.action {
            Action::Window { lead } => {
                let (zero, tokens) = y.split_at_mut(*lead);
                zero.fill(T::default());
                assert_eq!(tokens.len(), window.len(), "a window has history × segments values");
                tokens.iter_mut().zip(window).for_each(|(y, &w)| *y = T::of(i64::from(w)));
            }
            Action::Encode(encoder) => encoder.run(x, y),
            Action::Lookup(table) => table.run(x, y),
            Action::Position { constants, shift, lead } => {
                let start = if *lead { self.lanes } else { 0 };
                y[..start].copy_from_slice(&constants[..start]);
                for ((y, &x), &c) in y.iter_mut().zip(x).zip(constants).skip(start) {
                    *y = (x << *shift) + c;
                }
            }
            Action::Requantise(step) => y.iter_mut().zip(x).for_each(|(y, x)| *y = T::of(step.apply(x.wide()))),
            Action::Norm(unit) => rows.for_each(|(x, y)| arithmetic::norm(unit, x, y)),
            Action::Softmax(unit) => rows.for_each(|(x, y)| arithmetic::softmax(unit, x, y)),
            Action::Scores { table, heads } => table.scores(*heads, x, other, y),
            Action::Transpose => {
                let columns = x.len() / self.lanes;
                for (column, y) in y.chunks_exact_mut(self.lanes).enumerate() {
                    for (y, x) in y.iter_mut().zip(x.chunks_exact(columns)) {
                        *y = x[column];
                    }
                }
            }
            Action::Mix { table, heads } => table.mix(*heads, x, other, y),
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
            Action::Threshold(t) => y.iter_mut().zip(x).for_each(|(y, x)| *y = T::of(i64::from(x >= t))),
        }
    }
}

/// A table with its entries in the narrowest type that holds them.
#[derive(Debug, Clone)]
struct Table<T> {
    rows: usize,
    outputs: usize,
    shifts: Vec<u32>,
    bias: Option<Vec<T>>,
    entries: Entries,
}

#[derive(Debug, Clone)]
enum Entries {
    Byte(Vec<i8>),
    Half(Vec<i16>),
    Full(Vec<i32>),
}

impl<T: Int> Table<T> {
    fn new(table: &IntTable) -> Self {
        let entries = match table.bits {
            ..=8 => Entries::Byte(table.entries.iter().map(|&e| e as i8).collect()),
            9..=16 => Entries::Half(table.entries.iter().map(|&e| e as i16).collect()),
            _ => Entries::Full(table.entries.clone()),
        };
        Self {
            rows: table.rows,
            outputs: table.outputs,
            shifts: table.shifts.clone(),
            bias: table.bias.as_ref().map(|b| b.iter().map(|&v| T::of(v)).collect()),
            entries,
        }
    }

    /// One row of sums for each row of codes.
    fn run(&self, codes: &[T], y: &mut [T]) {
        match &self.entries {
            Entries::Byte(e) => self.sum_rows(e, T::from, codes, y),
            Entries::Half(e) => self.sum_rows(e, T::from, codes, y),
            Entries::Full(e) => self.sum_rows(e, |v| T::of(i64::from(v)), codes, y),
        }
    }

    fn sum_rows<E: Copy>(&self, entries: &[E], widen: impl Fn(E) -> T, codes: &[T], y: &mut [T]) {
        let all = codes.chunks_exact(self.shifts.len()).zip(y.chunks_exact_mut(self.outputs));
        for (codes, y) in all {
            match &self.bias {
                Some(bias) => y.copy_from_slice(bias),
                None => y.fill(T::default()),
            }
            for (c, (code, &shift)) in codes.iter().zip(&self.shifts).enumerate() {
                let start = (c * self.rows + code.wide() as usize) * self.outputs;
                for (y, &e) in y.iter_mut().zip(&entries[start..start + self.outputs]) {
                    *y = *y + (widen(e) << shift);
                }
            }
        }
    }

    /// Σ_c of a pair table of one output; `code` gives the bank row of a subspace.
    fn pair(&self, row: impl Fn(usize) -> usize) -> T {
        let mut sum = T::default();
        for (c, &shift) in self.shifts.iter().enumerate() {
            let at = c * self.rows + row(c);
            let entry = match &self.entries {
                Entries::Byte(e) => T::from(e[at]),
                Entries::Half(e) => T::from(e[at]),
                Entries::Full(e) => T::of(i64::from(e[at])),
            };
            sum = sum + (entry << shift);
        }
        sum
    }

    fn scores(&self, heads: usize, q: &[T], k: &[T], y: &mut [T]) {
        let subspaces = self.shifts.len();
        let width = heads * subspaces;
        let code_bits = self.rows.ilog2() / 2;
        let tokens = k.len() / width;
        for (row, y) in y.chunks_exact_mut(tokens).enumerate() {
            let (token, head) = (row / heads, row % heads);
            let q = &q[token * width + head * subspaces..][..subspaces];
            for (y, k) in y.iter_mut().zip(k.chunks_exact(width)) {
                let k = &k[head * subspaces..][..subspaces];
                *y = self.pair(|c| (q[c].wide() as usize) << code_bits | k[c].wide() as usize);
            }
        }
    }

    fn mix(&self, heads: usize, a: &[T], v: &[T], y: &mut [T]) {
        let subspaces = self.shifts.len();
        let code_bits = self.rows.ilog2() / 2;
        let columns = v.len() / subspaces;
        let per_head = columns / heads;
        for (token, y) in y.chunks_exact_mut(columns).enumerate() {
            for (column, y) in y.iter_mut().enumerate() {
                let a = &a[(token * heads + column / per_head) * subspaces..][..subspaces];
                let v = &v[column * subspaces..][..subspaces];
                *y = self.pair(|c| (a[c].wide() as usize) << code_bits | v[c].wide() as usize);
            }
        }
    }
}
