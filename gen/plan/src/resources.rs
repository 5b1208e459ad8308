//! What each node is made of: memories, flip-flops, operators. Exact, by the formulas of the cells.
//!
//! The counts are those of the Verilog as written (`hdl-templates/cells`, `hdl-templates/rtl`), before any tool
//! simplifies it; a test elaborates whole designs with Yosys and demands equality, bit for bit. What synthesis makes of
//! them is a model and lives in [`crate::target`].

use std::fmt;

use serde::Serialize;
use tablewright_design::{Design, Format, Node, Op, Saved};

use crate::pipeline::Elements;
use crate::schedule::{Plan, Stage};
use cells::{clog2, index_bits};

mod cells;
mod loaded;
mod prefetcher;

/// What a memory holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Holds {
    /// The entries of one subspace of a table.
    TableBank,
    /// What is added once to each part of a folded row, a word for each part.
    Bias,
    /// The prototypes of one subspace of a nearest-prototype encoder.
    Prototypes,
    /// Position constants, one word a row.
    Positions,
    /// Reciprocal square roots of a layer normalisation.
    Gains,
    /// Powers of two of a softmax.
    Powers,
    /// Reciprocals of a softmax.
    Reciprocals,
    /// What a GELU takes off max(x, 0).
    Bump,
    /// Rows that wait for the other operand of a residual sum.
    WaitingRows,
    /// Codes that a sequencer pairs.
    Codes,
    /// Rows of the last accesses.
    History,
    /// Bitmaps that wait for the consumer.
    Bitmaps,
    /// Rows of logits that wait for the issue unit.
    Logits,
    /// Blocks of accesses that are on their way through the predictor.
    Blocks,
    /// Prefetches that wait for the consumer.
    Prefetches,
}

/// Equal memories of one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Memory {
    /// What is in them.
    pub holds: Holds,
    /// How many there are.
    pub count: u64,
    /// Words of one.
    pub words: u64,
    /// Bits of a word.
    pub width: u64,
    /// Written while the core runs and read without a register; the others are constant and read through a register of
    /// `width` flip-flops.
    pub writable: bool,
}

impl Memory {
    /// Bits of all of them.
    pub fn bits(&self) -> u64 {
        self.count * self.words * self.width
    }

    /// Flip-flops of their read registers.
    pub fn read_register_bits(&self) -> u64 {
        if self.writable { 0 } else { self.count * self.width }
    }
}

/// `2 banks 128x256`: words and bits of one.
impl fmt::Display for Memory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (one, more) = match self.holds {
            Holds::TableBank => ("bank", "banks"),
            Holds::Bias => ("bias", "biases"),
            Holds::Prototypes => ("prototype bank", "prototype banks"),
            Holds::Positions => ("position constants", "position constants"),
            Holds::Gains => ("gains", "gains"),
            Holds::Powers => ("powers", "powers"),
            Holds::Reciprocals => ("reciprocals", "reciprocals"),
            Holds::Bump => ("bump", "bumps"),
            Holds::WaitingRows => ("row buffer", "row buffers"),
            Holds::Codes => ("code buffer", "code buffers"),
            Holds::History => ("history", "histories"),
            Holds::Bitmaps => ("bitmap queue", "bitmap queues"),
            Holds::Logits => ("queue of logits", "queues of logits"),
            Holds::Blocks => ("block queue", "block queues"),
            Holds::Prefetches => ("prefetch queue", "prefetch queues"),
        };
        let Self { count, words, width, .. } = self;
        if *count == 1 {
            write!(f, "{one} {words}x{width}")
        } else {
            write!(f, "{count} {more} {words}x{width}")
        }
    }
}

/// What an operator does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Function {
    /// a + b or a − b.
    Add,
    /// a ≥ b or a < b.
    Compare,
    /// a · b.
    Multiply,
    /// a · constant.
    Scale,
    /// a shifted by a variable amount.
    Shift,
    /// One of several words.
    Select,
}

/// Equal operators of one node. Counters and the comparisons that steer them are left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Operator {
    /// What they do.
    pub function: Function,
    /// How many there are.
    pub count: u64,
    /// Bits of the first operand; of both for additions and comparisons.
    pub a: u32,
    /// Bits of the second operand: the other factor, the shift amount, the number of the word; for a constant factor the additions it takes,
    /// one fewer than it has ones.
    pub b: u32,
}

/// What one node, or several, are made of.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// Memories, equal ones together.
    pub memories: Vec<Memory>,
    /// Bits of table entries.
    pub table_bits: u64,
    /// Bits of the banks that they are stored in.
    pub stored_table_bits: u64,
    /// Why these are fewer. With them, bits of the banks as they would be, padding of folded rows included.
    pub saved: Saved,
    /// Bits of thresholds or prototypes, each encoder once.
    pub encoder_bits: u64,
    /// Bits of thresholds as they are wired into the logic of every instance.
    pub threshold_bits: u64,
    /// Flip-flops without the read registers of the memories.
    pub logic_register_bits: u64,
    /// Data-path operators, equal ones together.
    pub operators: Vec<Operator>,
}

impl Resources {
    /// Of one node, as it stands in the plan.
    pub fn of_node(design: &Design, plan: &Plan, node: &Node, stage: Stage) -> Self {
        let input = |i: usize| &design.node(node.inputs[i]).value;
        let in_width = || input(0).format.width;
        let rows = node.value.rows as u64;
        let lanes = node.value.lanes as u64;
        let width = node.value.format.width;
        let row_bits = lanes * u64::from(width);
        let pace = stage.row_interval;
        // Of what has one step.
        let cut = u64::from(stage.directive.cuts & 1);
        let mut r = Self::default();
        match &node.op {
            Op::Window { lead } => {
                let held = design.accesses() as u64 + u64::from(*lead);
                r.registers(
                    held * row_bits
                        + clog2(held + 1)
                        + clog2(pace + 1)
                        + clog2(plan.interval + 1)
                        + clog2(plan.queue + 1),
                );
            }
            Op::Encode { encoder, groups } => {
                r.encoder(encoder, *groups as u64 * stage.at_once(), stage.directive.cuts, design.loaded);
                if let Some(protection) = design.loaded {
                    r.held_trees(protection, encoder);
                }
            }
            Op::Lookup { table } => r.tables(std::slice::from_ref(table), width, stage.directive),
            Op::ConstantScores { tables } => r.tables(tables, width, stage.directive),
            Op::Position { .. } => {
                r.bank(design.loaded, Holds::Positions, 1, (rows, row_bits));
                r.registers(index_bits(rows) + cut * (1 + row_bits));
                r.operator(Function::Add, lanes, width, width);
            }
            Op::Requantise { step } => {
                r.registers(cut * (1 + row_bits));
                if step.shift > 0 {
                    let spare = match input(0).format.signed {
                        _ if step.shift > in_width() => 3,
                        true => 1,
                        false => 2,
                    };
                    r.operator(Function::Add, lanes, in_width() + spare, in_width() + spare);
                }
            }
            Op::Norm { unit, kept } => {
                r.norm(unit, in_width(), kept.len() as u64, width, stage.directive.cuts);
            }
            Op::Softmax { unit } => r.softmax(unit, lanes, width, stage.directive.cuts),
            Op::Gelu { unit } => r.gelu(unit, lanes, in_width(), width, stage.directive.cuts),
            Op::Relu => r.registers(cut * (1 + row_bits)),
            Op::Select { .. } => r.registers(index_bits(input(0).rows as u64)),
            Op::SumRows => {
                r.registers(index_bits(input(0).rows as u64) + 1 + row_bits);
                r.operator(Function::Add, lanes, width, width);
            }
            Op::Threshold { warm_up, .. } => {
                r.registers(cut * (1 + lanes) + clog2(*warm_up as u64 + 1));
                r.operator(Function::Compare, lanes, in_width() + 1, in_width() + 1);
            }
            Op::Transpose { lead } => {
                let columns = input(0).lanes as u64;
                let kept = input(0).rows as u64;
                r.registers(
                    index_bits(kept)
                        + clog2(stage.groups() + 1)
                        + clog2(pace + 1)
                        + (kept + u64::from(lead.is_some())) * columns * u64::from(width),
                );
                if let (Some(protection), Some(_)) = (design.loaded, lead) {
                    r.held(protection, columns * u64::from(width));
                }
            }
            Op::History => {
                // The newest goes on at once, and takes the place of the oldest.
                let kept = rows - 1;
                r.memory(Memory {
                    holds: Holds::History,
                    count: 1,
                    words: kept,
                    width: row_bits,
                    writable: true,
                });
                r.registers(index_bits(kept) + 2 * clog2(kept + 1) + clog2(stage.begin() + 1));
            }
            Op::Scores { table, .. } | Op::Mix { table, .. }
                if stage.directive.elements == Elements::Parallel =>
            {
                r.pair_table(node, [input(0), input(1)], table, (stage, plan.stage(node.inputs[1])));
            }
            Op::Scores { table, heads } => {
                let heads = *heads as u64;
                let code = u64::from(in_width());
                let group = table.subspaces as u64 * code;
                let (queries, keys) = (input(0).rows as u64, input(1).rows as u64);
                r.ram(queries, heads * group);
                r.ram(keys, heads * group);
                // Both write pointers, five flags, the counters of the loop, and the pair.
                r.registers(
                    2 * index_bits(queries) + 2 * index_bits(keys) + index_bits(heads) + index_bits(pace),
                );
                r.registers(5 + 2 * group);
                r.tables(std::slice::from_ref(table), width, stage.directive);
                r.collector(lanes, u64::from(width));
            }
            Op::Mix { table, columns: of_heads } => {
                let heads = of_heads.len() as u64;
                let code = u64::from(in_width());
                let group = table.subspaces as u64 * code;
                let (weights, columns) = (rows * heads, lanes);
                r.ram(weights, group);
                r.ram(columns, group);
                r.registers(2 * index_bits(weights) + 2 * index_bits(columns) + index_bits(pace));
                r.registers(5 + 2 * group);
                r.tables(std::slice::from_ref(table), width, stage.directive);
                r.collector(lanes, u64::from(width));
            }
            Op::Residual { .. } => {
                let rows = rows * stage.room;
                r.memory(Memory {
                    holds: Holds::WaitingRows,
                    count: 1,
                    words: rows,
                    width: lanes * u64::from(in_width()),
                    writable: true,
                });
                r.registers(2 * index_bits(rows) + cut * (1 + row_bits));
                r.operator(Function::Add, lanes, width, width);
            }
        }
        r
    }

    /// Of the output queue, which is no node.
    pub fn of_queue(design: &Design, plan: &Plan) -> Self {
        let mut r = Self::default();
        r.memory(Memory {
            holds: Holds::Bitmaps,
            count: 1,
            words: plan.queue,
            width: design.network.outputs as u64,
            writable: true,
        });
        r.registers(2 * index_bits(plan.queue) + clog2(plan.queue + 1));
        r
    }

    /// Of everything together.
    pub fn of_design(design: &Design, plan: &Plan) -> Self {
        let mut all = Self::of_queue(design, plan);
        all.absorb(&Self::of_loading(design, plan.queue));
        for (id, node) in design.iter() {
            all.absorb(&Self::of_node(design, plan, node, plan.stage(id)));
        }
        all
    }

    /// Flip-flops, the read registers of the memories included.
    pub fn register_bits(&self) -> u64 {
        self.logic_register_bits + self.memories.iter().map(Memory::read_register_bits).sum::<u64>()
    }

    /// Bits of constant memories, every copy counted.
    pub fn rom_bits(&self) -> u64 {
        self.memories.iter().filter(|m| !m.writable).map(Memory::bits).sum()
    }

    /// Bits of memories that are written while the core runs.
    pub fn writable_bits(&self) -> u64 {
        self.memories.iter().filter(|m| m.writable).map(Memory::bits).sum()
    }

    /// How many operators there are of a kind.
    pub fn operators(&self, function: Function) -> u64 {
        self.operators.iter().filter(|o| o.function == function).map(|o| o.count).sum()
    }

    /// Adds what another is made of.
    pub fn absorb(&mut self, other: &Self) {
        other.memories.iter().for_each(|m| self.memory(*m));
        other.operators.iter().for_each(|o| self.operator(o.function, o.count, o.a, o.b));
        self.table_bits += other.table_bits;
        self.stored_table_bits += other.stored_table_bits;
        self.saved = self.saved.plus(other.saved);
        self.encoder_bits += other.encoder_bits;
        self.threshold_bits += other.threshold_bits;
        self.logic_register_bits += other.logic_register_bits;
    }
}

/// The format in which a node accumulates, if it does.
pub fn accumulator(node: &Node) -> Option<Format> {
    match node.op {
        Op::Lookup { .. } | Op::ConstantScores { .. } | Op::Scores { .. } | Op::Mix { .. } | Op::SumRows => {
            Some(node.value.format)
        }
        Op::Window { .. }
        | Op::Encode { .. }
        | Op::Position { .. }
        | Op::Requantise { .. }
        | Op::Norm { .. }
        | Op::Softmax { .. }
        | Op::Transpose { .. }
        | Op::History
        | Op::Residual { .. }
        | Op::Gelu { .. }
        | Op::Relu
        | Op::Select { .. }
        | Op::Threshold { .. } => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn index_widths_are_those_of_verilog() {
        assert_eq!([1, 2, 3, 4, 5, 11].map(clog2), [0, 1, 2, 2, 3, 4]);
        assert_eq!([1, 2, 3].map(index_bits), [1, 1, 2]);
    }

    #[test]
    fn equal_parts_are_counted_together() {
        let mut r = Resources::default();
        r.rom(Holds::TableBank, 2, 16, 8);
        r.rom(Holds::TableBank, 1, 16, 8);
        r.ram(16, 8);
        assert_eq!(r.memories.len(), 2);
        assert_eq!((r.rom_bits(), r.writable_bits(), r.register_bits()), (3 * 128, 128, 24));
        r.operator(Function::Add, 0, 8, 8);
        assert!(r.operators.is_empty());
        r.operator(Function::Add, 2, 8, 8);
        r.operator(Function::Add, 3, 8, 8);
        r.operator(Function::Add, 1, 9, 9);
        assert_eq!((r.operators.len(), r.operators(Function::Add)), (2, 6));
    }
}
