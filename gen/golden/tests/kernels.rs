//! What is written for speed equals what the graph's documentation says, node by node, on random models.
#![allow(clippy::unwrap_used)]

mod common;

use common::{network, spec, windows};
use proptest::prelude::*;
use tablewright_design::{IntTable, Node, Op, lower, passes};
use tablewright_golden::Golden;
use tablewright_model::testing::random_model;

/// A node's value, straight from the definition; `None` for nodes that have one way of being computed.
fn plainly(node: &Node, x: &[i64], other: &[i64]) -> Option<Vec<i64>> {
    let (rows, lanes) = (node.value.rows, node.value.lanes);
    let each = |f: &dyn Fn(usize, usize) -> i64| (0..rows * lanes).map(|i| f(i / lanes, i % lanes)).collect();
    match &node.op {
        Op::Encode { encoder, .. } => {
            let codes = x.chunks(encoder.features).flat_map(|x| encoder.codes(x));
            Some(codes.map(|code| code as i64).collect())
        }
        Op::Lookup { table } => Some(each(&|r, o| sum(table, |c| x[r * table.subspaces + c] as usize, o))),
        Op::Transpose { lead: None } => Some(each(&|r, l| x[l * rows + r])),
        Op::Transpose { lead: Some(lead) } => {
            Some(each(&|r, l| if l == 0 { lead[r] } else { x[(l - 1) * rows + r] }))
        }
        Op::ConstantScores { tables } => Some(each(&|r, head| {
            let n = tables[head].subspaces;
            sum(&tables[head], |c| x[(r * lanes + head) * n + c] as usize, 0)
        })),
        Op::Scores { table, heads } => {
            let (n, k) = (table.subspaces, table.rows.isqrt());
            Some(each(&|r, key| {
                sum(
                    table,
                    |c| x[r * n + c] as usize * k + other[(key * heads + r % heads) * n + c] as usize,
                    0,
                )
            }))
        }
        Op::Mix { table, columns } => {
            let (n, k) = (table.subspaces, table.rows.isqrt());
            let head: Vec<usize> =
                columns.iter().enumerate().flat_map(|(head, &count)| vec![head; count]).collect();
            Some(each(&|r, v| {
                let weights = &x[(r * columns.len() + head[v]) * n..];
                sum(table, |c| weights[c] as usize * k + other[v * n + c] as usize, 0)
            }))
        }
        Op::Norm { unit, kept } => {
            let rows = x.chunks(unit.lanes).map(|x| unit.of_row(x));
            Some(rows.flat_map(|row| kept.iter().map(|&lane| row[lane]).collect::<Vec<_>>()).collect())
        }
        _ => None,
    }
}

fn sum(table: &IntTable, row: impl Fn(usize) -> usize, output: usize) -> i64 {
    let rows: Vec<usize> = (0..table.subspaces).map(row).collect();
    table.sum(&rows)[output]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 100, ..ProptestConfig::default() })]
    #[test]
    fn nodes_are_what_the_graph_says(network in network(), spec in spec(8), seed in any::<u64>()) {
        let whole = lower(&random_model(&network, spec, seed));
        // With what the passes make of it, as far as it takes windows.
        let reduced = passes::for_hardware(&whole);
        let design = if reduced.streaming { whole } else { reduced };
        let mut golden = Golden::new(&design);
        let mut portable = Golden::portable(&design);
        for window in windows(&design, seed, 4) {
            golden.run(&window);
            portable.run(&window);
            for (id, node) in design.iter() {
                let found = golden.value(id);
                prop_assert_eq!(&found, &portable.value(id), "{}, with vector instructions and without", node.name);
                let operand = |k: usize| node.inputs.get(k).map_or_else(Vec::new, |&id| golden.value(id));
                if let Some(expected) = plainly(node, &operand(0), &operand(1)) {
                    prop_assert_eq!(found, expected, "{}", node.name);
                }
            }
        }
    }
}
