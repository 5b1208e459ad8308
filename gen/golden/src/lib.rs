//! The bit-exact meaning of a design.
//!
//! [`Golden`] interprets a [`Design`] node by node, one window at a time, and keeps every node's value, so that the
//! Verilog can be compared at every kernel boundary. It shares the design's numbers with the Verilog and none of its
//! code: the steps of each unit are written here from `gen/ARITHMETIC.md`.

mod arithmetic;
mod compile;
mod encode;

use tablewright_design::{Design, NodeId};

use compile::Program;

/// An interpreter of one design with room for one window's values.
#[derive(Debug, Clone)]
pub struct Golden {
    program: Width,
}

/// Values are kept in 32 bits when every format of the design fits, which twice as many lanes share a vector register.
#[derive(Debug, Clone)]
enum Width {
    Narrow(Program<i32>),
    Wide(Program<i64>),
}

impl Golden {
    /// Prepares a design.
    pub fn new(design: &Design) -> Self {
        let widest = design.nodes.iter().map(|n| n.value.bounds.signed_width()).max().unwrap_or(1);
        let program = if widest <= 31 {
            Width::Narrow(Program::new(design))
        } else {
            Width::Wide(Program::new(design))
        };
        Self { program }
    }

    /// Computes every node for one window.
    ///
    /// `window` holds history × segments integers, oldest access first, each below 2^`segment_bits`.
    ///
    /// # Panics
    ///
    /// When `window` has another length.
    pub fn run(&mut self, window: &[u8]) {
        match &mut self.program {
            Width::Narrow(p) => p.run(window),
            Width::Wide(p) => p.run(window),
        }
    }

    /// Raw values `[rows, lanes]` of a node for the window last run, appended to `out`.
    pub fn extend_with(&self, node: NodeId, out: &mut Vec<i64>) {
        match &self.program {
            Width::Narrow(p) => out.extend(p.value(node).iter().map(|&v| i64::from(v))),
            Width::Wide(p) => out.extend_from_slice(p.value(node)),
        }
    }

    /// Raw values `[rows, lanes]` of a node for the window last run.
    pub fn value(&self, node: NodeId) -> Vec<i64> {
        let mut out = Vec::new();
        self.extend_with(node, &mut out);
        out
    }
}
