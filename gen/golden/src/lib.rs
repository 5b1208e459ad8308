//! The bit-exact meaning of a design.
//!
//! [`Golden`] interprets a [`Design`] node by node, one window at a time, and keeps every node's value, so that the
//! Verilog can be compared at every kernel boundary. A streaming design is run access by access instead; the golden
//! model then holds the history, as the hardware does. It shares the design's numbers with the Verilog and none of its
//! code: the steps of each unit are written here from `gen/ARITHMETIC.md`. [`Prefetcher`] is the whole prefetcher around it.

// Code is compiled for a set of vector instructions only where it is inlined into the function that names the set.
#![allow(clippy::inline_always)]

mod arithmetic;
mod compile;
mod descend;
mod encode;
mod looked_up;
mod prefetcher;
mod table;

use pulp::{Arch, NullaryFnOnce};
use tablewright_design::{Design, NodeId};

use arithmetic::Int;
use compile::Program;
use descend::{Descend, Plain};

pub use looked_up::Read;
pub use prefetcher::{Demand, Prefetcher};

/// An interpreter of one design with room for one window's values, and with the history of a streaming design.
#[derive(Debug, Clone)]
pub struct Golden {
    program: Width,
    /// The vector instructions that this processor has, found once.
    arch: Arch,
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
        Self { program, arch: Arch::new() }
    }

    /// Prepares a design for the instructions that every processor has: slower, the same values. What [`Self::new`]
    /// computes can be held against it.
    pub fn portable(design: &Design) -> Self {
        Self { arch: Arch::Scalar, ..Self::new(design) }
    }

    /// Computes every node for one window, or for the next access of a streaming design.
    ///
    /// `window` holds accesses × segments integers, oldest access first, each below 2^`segment_bits`;
    /// [`Design::accesses`] of them.
    ///
    /// # Panics
    ///
    /// When `window` has another length.
    pub fn run(&mut self, window: &[u8]) {
        match &mut self.program {
            Width::Narrow(program) => run(self.arch, program, window),
            Width::Wide(program) => run(self.arch, program, window),
        }
    }

    /// Empties the history, as a reset of the hardware does. For a design that takes windows it changes nothing that the
    /// next run does not.
    pub fn reset(&mut self) {
        match &mut self.program {
            Width::Narrow(program) => program.reset(),
            Width::Wide(program) => program.reset(),
        }
    }

    /// Raw values `[rows, lanes]` of a node for the window last run, appended to `out`.
    pub fn extend_with(&self, node: NodeId, out: &mut Vec<i64>) {
        match &self.program {
            Width::Narrow(p) => p.extend_with(node, out),
            Width::Wide(p) => p.extend_with(node, out),
        }
    }

    /// Raw values `[rows, lanes]` of a node for the window last run.
    pub fn value(&self, node: NodeId) -> Vec<i64> {
        let mut out = Vec::new();
        self.extend_with(node, &mut out);
        out
    }
}

fn run<T: Int>(arch: Arch, program: &mut Program<T>, window: &[u8]) {
    match arch {
        #[cfg(target_arch = "x86_64")]
        Arch::V4(simd) => simd.vectorize(Run { with: simd, program, window }),
        other => other.dispatch(Run { with: Plain, program, window }),
    }
}

/// A run as `pulp` takes it, compiled once for each set of vector instructions. All that is to be compiled so is
/// `inline(always)` down from here.
struct Run<'a, P, T> {
    with: P,
    program: &'a mut Program<T>,
    window: &'a [u8],
}

impl<P: Descend, T: Int> NullaryFnOnce for Run<'_, P, T> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.program.run(self.with, self.window);
    }
}
