//! Design → Design. A pass leaves the golden output identical, bit for bit.

mod dead_rows;

pub use dead_rows::dead_rows;

use crate::graph::Design;

/// A pass, for lists and options.
#[derive(Debug, Clone, Copy)]
pub struct Pass {
    /// As written on the command line.
    pub name: &'static str,
    /// What it does, in a line.
    pub about: &'static str,
    /// The pass.
    pub run: fn(&Design) -> Design,
}

/// All passes in the order they run.
pub const ALL: &[Pass] = &[Pass {
    name: "dead-rows",
    about: "drop the rows of the last layer that the pooled token does not read",
    run: dead_rows,
}];

/// Every pass in order.
pub fn optimise(design: &Design) -> Design {
    ALL.iter().fold(design.clone(), |d, pass| (pass.run)(&d))
}
