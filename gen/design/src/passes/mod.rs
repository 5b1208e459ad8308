//! Design → Design. A pass leaves the golden output identical, bit for bit.

mod dead_rows;
mod stream;

pub use dead_rows::dead_rows;
pub use stream::stream;

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

/// All passes that leave the design one that takes windows, in the order they run.
pub const ALL: &[Pass] = &[Pass {
    name: "dead-rows",
    about: "drop the rows of the last layer that the pooled token does not read",
    run: dead_rows,
}];

/// The last pass, for hardware: what comes out takes accesses one by one where the model allows it.
pub const STREAM: Pass = Pass {
    name: "stream",
    about: "with relative positions, take one access at a time and keep the keys and values of the history",
    run: stream,
};

/// Every pass in order. The design takes windows, so that any window can be evaluated by itself.
pub fn optimise(design: &Design) -> Design {
    ALL.iter().fold(design.clone(), |d, pass| (pass.run)(&d))
}

/// What hardware is made from: [`optimise`], then [`stream`]. With relative positions it takes accesses one by one.
pub fn for_hardware(design: &Design) -> Design {
    stream(&optimise(design))
}
