//! Design → Design. A pass leaves the golden output identical, bit for bit.

mod ahead;
mod constants;
mod dead_lanes;
mod dead_rows;
mod packed;
mod stream;

pub use constants::constants;
pub use dead_lanes::dead_lanes;
pub use dead_rows::dead_rows;
pub use packed::packed;
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

/// Name of the pass behind which a design may take accesses in place of windows.
pub const STREAM: &str = "stream";

/// Name of the pass behind which banks are stored without what repeats.
pub const PACKED: &str = "packed-tables";

/// Passes in the order they run where hardware is made.
pub const ALL: &[Pass] = &[
    Pass {
        name: "dead-rows",
        about: "drop the rows of the last layer that the pooled token does not read",
        run: dead_rows,
    },
    Pass {
        name: "constants",
        about: "compute once what depends on the cls token alone: its query, key and value in the first layer",
        run: constants,
    },
    Pass {
        name: STREAM,
        about: "take one access at a time: keep what is computed of earlier ones, or compute it ahead of the newest",
        run: stream,
    },
    Pass {
        name: "dead-lanes",
        about: "drop elements of rows that no hash tree looks at, with their table columns and columns of V",
        run: dead_lanes,
    },
    Pass {
        name: PACKED,
        about: "store each different column of bits of a bank once, none that is constant, and nothing that no code reaches",
        run: packed,
    },
];

/// The passes after which the design still takes windows and has all elements of every row: any window can be evaluated by
/// itself, and compared with the float tables kernel by kernel.
pub fn optimise(design: &Design) -> Design {
    dead_rows(design)
}

/// What hardware is made from: every pass in order. Where that can be it takes accesses one by one.
pub fn for_hardware(design: &Design) -> Design {
    chosen(design, |_| true)
}

/// The passes whose names are wanted, in order.
pub fn chosen(design: &Design, wanted: impl Fn(&str) -> bool) -> Design {
    let passes = ALL.iter().filter(|pass| wanted(pass.name));
    passes.fold(design.clone(), |design, pass| (pass.run)(&design))
}
