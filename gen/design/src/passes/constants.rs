//! A constant `cls` token leads every window: of what is computed for it alone nothing depends on the window. Those rows are
//! computed here, once. In the first layer its query becomes part of the score table, of which one row a head is left;
//! its key and value become constants in front of the other tokens'.

use std::collections::HashMap;

use crate::format::Bounds;
use crate::graph::{Design, Node, NodeId, Op, Value};
use crate::table::IntTable;

/// Computes what is constant and leaves it out.
pub fn constants(design: &Design) -> Design {
    let known = known(design);
    let mut rewrite = Rewrite { nodes: Vec::new(), moved: HashMap::new() };
    let lead = leads(design, &known);
    for (id, node) in design.iter() {
        if all_of(design, &known, id).is_some() {
            continue;
        }
        let constant = |i: usize| all_of(design, &known, node.inputs[i]);
        let node = match &node.op {
            Op::Scores { table, heads } if constant(0).is_some() => {
                let query = constant(0).unwrap_or_default();
                let first = known[node.inputs[1].0].as_deref().filter(|_| lead);
                rewrite.push_constant_scores(id, node, table, *heads, &query, first);
                continue;
            }
            Op::Residual { a_shift, b_shift } if constant(0).is_some() => {
                let constants = constant(0).unwrap_or_default().iter().map(|v| v << a_shift).collect();
                let op = Op::Position { constants, shift: *b_shift, lead: false };
                Node { op, inputs: vec![node.inputs[1]], ..node.clone() }
            }
            Op::Transpose { lead: None } if lead => {
                let row = known[node.inputs[0].0].clone();
                Node { op: Op::Transpose { lead: row }, ..node.clone() }
            }
            op if lead && known[id.0].is_some() => {
                let op = match op {
                    Op::Window { .. } => Op::Window { lead: false },
                    Op::Position { constants, shift, .. } => Op::Position {
                        constants: constants[node.value.lanes..].to_vec(),
                        shift: *shift,
                        lead: false,
                    },
                    other => other.clone(),
                };
                Node { op, value: Value { rows: node.value.rows - 1, ..node.value }, ..node.clone() }
            }
            _ => node.clone(),
        };
        rewrite.push(id, node);
    }
    Design { nodes: rewrite.nodes, ..design.clone() }
}

/// Row 0 of every node where it is the same for all windows.
fn known(design: &Design) -> Vec<Option<Vec<i64>>> {
    let mut known: Vec<Option<Vec<i64>>> = Vec::with_capacity(design.nodes.len());
    for node in &design.nodes {
        let row = match &node.op {
            Op::Window { lead: true } => Some(vec![0; node.value.lanes]),
            Op::Position { constants, lead: true, .. } => Some(constants[..node.value.lanes].to_vec()),
            op => {
                let rows: Option<Vec<&[i64]>> = node.inputs.iter().map(|x| known[x.0].as_deref()).collect();
                rows.filter(|rows| !rows.is_empty()).and_then(|rows| row(op, &rows))
            }
        };
        known.push(row);
    }
    known
}

/// Row 0 of what works row by row, from row 0 of its operands.
fn row(op: &Op, x: &[&[i64]]) -> Option<Vec<i64>> {
    match op {
        Op::Encode { encoder, groups: _ } => {
            let codes = x[0].chunks_exact(encoder.features).flat_map(|group| encoder.codes(group));
            Some(codes.map(|code| code as i64).collect())
        }
        Op::Lookup { table } => Some(table.sum(&indices(x[0]))),
        Op::ConstantScores { tables } => {
            let codes = x[0].chunks_exact(x[0].len() / tables.len());
            Some(tables.iter().zip(codes).flat_map(|(table, codes)| table.sum(&indices(codes))).collect())
        }
        Op::Position { constants, shift, lead: false } if constants.len() == x[0].len() => {
            Some(x[0].iter().zip(constants).map(|(x, c)| (x << shift) + c).collect())
        }
        Op::Requantise { step } => Some(x[0].iter().map(|&v| step.apply(v)).collect()),
        Op::Norm { unit, kept } => {
            let row = unit.of_row(x[0]);
            Some(kept.iter().map(|&lane| row[lane]).collect())
        }
        Op::Residual { a_shift, b_shift } => {
            Some(x[0].iter().zip(x[1]).map(|(a, b)| (a << a_shift) + (b << b_shift)).collect())
        }
        Op::Relu => Some(x[0].iter().map(|&v| v.max(0)).collect()),
        Op::Select { row: 0 } => Some(x[0].to_vec()),
        // Not in front of the first attention, and behind it nothing is constant.
        Op::Window { .. }
        | Op::Position { .. }
        | Op::Scores { .. }
        | Op::Softmax { .. }
        | Op::Transpose { .. }
        | Op::History
        | Op::Mix { .. }
        | Op::Gelu { .. }
        | Op::Select { .. }
        | Op::SumRows
        | Op::Threshold { .. } => None,
    }
}

fn indices(codes: &[i64]) -> Vec<usize> {
    codes.iter().map(|&code| code as usize).collect()
}

/// The value of a node that is constant as a whole.
fn all_of(design: &Design, known: &[Option<Vec<i64>>], id: NodeId) -> Option<Vec<i64>> {
    known[id.0].clone().filter(|_| design.node(id).value.rows == 1)
}

/// Whether row 0 can be left out wherever it is known: whoever reads all rows can have it as a constant.
fn leads(design: &Design, known: &[Option<Vec<i64>>]) -> bool {
    let partly = |x: NodeId| known[x.0].is_some() && design.node(x).value.rows > 1;
    let mut any = false;
    let can = design.iter().all(|(id, node)| {
        node.inputs.iter().all(|&x| {
            any |= partly(x);
            !partly(x)
                || partly(id)
                || all_of(design, known, id).is_some()
                || match &node.op {
                    Op::Transpose { lead } => lead.is_none(),
                    Op::Scores { .. } => all_of(design, known, node.inputs[0]).is_some(),
                    _ => false,
                }
        })
    });
    any && can
}

struct Rewrite {
    nodes: Vec<Node>,
    /// Old node → the new one.
    moved: HashMap<NodeId, NodeId>,
}

impl Rewrite {
    fn push(&mut self, old: NodeId, mut node: Node) {
        node.inputs = node.inputs.iter().map(|x| self.moved[x]).collect();
        self.nodes.push(node);
        self.moved.insert(old, NodeId(self.nodes.len() - 1));
    }

    /// The scores of each key as it comes, then, transposed, the row of each head. `first` are the codes of a key in front
    /// of those that come.
    fn push_constant_scores(
        &mut self,
        old: NodeId,
        node: &Node,
        table: &IntTable,
        heads: usize,
        query: &[i64],
        first: Option<&[i64]>,
    ) {
        let query = indices(query);
        let tables: Vec<IntTable> = query.chunks_exact(table.subspaces).map(|q| table.with_left(q)).collect();
        let bounds = tables.iter().map(|table| table.bounds).reduce(Bounds::union).unwrap_or(table.bounds);
        let rows = node.value.lanes - usize::from(first.is_some());
        let value = Value { rows, rows_per_token: 1, lanes: heads, bounds, ..node.value };
        let op = Op::ConstantScores { tables };
        let lead = first.and_then(|codes| row(&op, &[codes]));
        self.nodes.push(Node {
            name: format!("{}_of_key", node.name),
            op,
            inputs: vec![self.moved[&node.inputs[1]]],
            value,
        });
        let inputs = vec![NodeId(self.nodes.len() - 1)];
        let value = Value { bounds, ..node.value };
        self.nodes.push(Node { name: node.name.clone(), op: Op::Transpose { lead }, inputs, value });
        self.moved.insert(old, NodeId(self.nodes.len() - 1));
    }
}
