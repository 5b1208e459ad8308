//! Which rows of which tables a run looked up.

use std::iter::repeat_n;

use tablewright_design::{Design, IntTable, NodeId, Op};

use crate::Golden;

/// A row that was looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Read {
    /// Which of the node's tables, where several stand side by side.
    pub table: usize,
    /// Subspace.
    pub subspace: usize,
    /// Row: the code, or for a pair table left · K + right.
    pub row: usize,
}

impl Golden {
    /// The rows that a node looked up for the window last run; none where it has no tables. `design` is that of this model.
    pub fn looked_up(&self, design: &Design, id: NodeId) -> Vec<Read> {
        let node = design.node(id);
        let codes = |i: usize| -> Vec<Vec<usize>> {
            let values = self.value(node.inputs[i]);
            let rows = values.chunks_exact(design.node(node.inputs[i]).value.lanes);
            rows.map(|row| row.iter().map(|&code| code as usize).collect()).collect()
        };
        match &node.op {
            Op::Lookup { .. } | Op::ConstantScores { .. } => {
                let subspaces = node.op.tables()[0].subspaces;
                let read =
                    |(i, row): (usize, usize)| Read { table: i / subspaces, subspace: i % subspaces, row };
                codes(0).into_iter().flat_map(|codes| codes.into_iter().enumerate().map(read)).collect()
            }
            // Every query with every key, head by head.
            Op::Scores { table, .. } => {
                let (queries, keys) = (codes(0), codes(1));
                let with_keys = |query: &Vec<usize>| -> Vec<Read> {
                    keys.iter().flat_map(|key| pairs(table, query, key)).collect()
                };
                queries.iter().flat_map(with_keys).collect()
            }
            // The weights of a head with its columns.
            Op::Mix { table, columns } => {
                let (weights, values) = (codes(0), codes(1));
                let heads = || columns.iter().enumerate().flat_map(|(head, &count)| repeat_n(head, count));
                let of_row = |(at, weight): (usize, &Vec<usize>)| -> Vec<Read> {
                    let own = heads().zip(&values).filter(|(head, _)| *head == at % columns.len());
                    own.flat_map(|(_, value)| pairs(table, weight, value)).collect()
                };
                weights.iter().enumerate().flat_map(of_row).collect()
            }
            _ => Vec::new(),
        }
    }
}

/// Of codes side by side, subspace by subspace and head by head.
fn pairs<'a>(
    table: &IntTable,
    left: &'a [usize],
    right: &'a [usize],
) -> impl Iterator<Item = Read> + use<'a> {
    let subspaces = table.subspaces;
    let count = 1 << (table.rows.ilog2() / 2);
    let pair = move |(i, (left, right)): (usize, (&usize, &usize))| Read {
        table: 0,
        subspace: i % subspaces,
        row: left * count + right,
    };
    left.iter().zip(right).enumerate().map(pair)
}
