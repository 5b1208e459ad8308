//! A frozen bank need not store what repeats in it, nor what no code reaches.

use crate::graph::{Design, Op};
use crate::reach::{pairs, reach};

/// Marks every table to be stored without what repeats in it ([`crate::packed`]), and its rows that can be looked up
/// ([`crate::reach`]). What is computed stays as it is.
pub fn packed(design: &Design) -> Design {
    // What is loaded may be anything.
    if design.loaded.is_some() {
        return design.clone();
    }
    let reach = reach(design);
    let mut design = design.clone();
    for node in &mut design.nodes {
        let x: Vec<_> = node.inputs.iter().map(|input| &reach[input.0]).collect();
        match &mut node.op {
            Op::Lookup { table } => table.packed = Some(x[0].codes(table.rows).concat()),
            Op::Scores { table, .. } | Op::Mix { table, .. } => {
                table.packed = Some(pairs(table, x[0], x[1]).concat());
            }
            Op::ConstantScores { tables } => {
                let codes = x[0].codes(tables[0].rows);
                let of_head = codes.chunks(tables[0].subspaces);
                tables.iter_mut().zip(of_head).for_each(|(table, codes)| table.packed = Some(codes.concat()));
            }
            _ => {}
        }
    }
    design
}
