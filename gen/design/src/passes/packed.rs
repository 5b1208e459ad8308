//! A frozen bank need not store what repeats in it: constant columns of bits, and those like another.

use crate::graph::{Design, Op};

/// Marks every table to be stored without what repeats in it ([`crate::packed`]). What is computed stays as it is.
pub fn packed(design: &Design) -> Design {
    let mut design = design.clone();
    // What is loaded may be anything.
    if design.loaded.is_some() {
        return design;
    }
    for node in &mut design.nodes {
        let tables = match &mut node.op {
            Op::Lookup { table } | Op::Scores { table, .. } | Op::Mix { table, .. } => {
                std::slice::from_mut(table)
            }
            Op::ConstantScores { tables } => tables,
            _ => continue,
        };
        for table in tables {
            table.packed = Some(vec![true; table.subspaces * table.rows]);
        }
    }
    design
}
