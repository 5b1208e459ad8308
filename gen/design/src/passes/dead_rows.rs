//! Only the pooled token of the last layer feeds the head. Its query, its attention weights, its output projection and
//! its feed-forward block are needed; those of the other tokens are not.

use std::collections::HashMap;

use crate::graph::{Design, Node, NodeId, Op, Value};

/// Which tokens' rows of a value somebody reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Live {
    Nobody,
    One(usize),
    All,
}

impl Live {
    fn join(self, other: Self) -> Self {
        match (self, other) {
            (Self::Nobody, x) | (x, Self::Nobody) => x,
            (a, b) if a == b => a,
            _ => Self::All,
        }
    }
}

/// Removes rows nobody reads and nodes nobody needs.
pub fn dead_rows(design: &Design) -> Design {
    let live = liveness(design);
    let mut rewrite = Rewrite { nodes: Vec::new(), moved: HashMap::new(), selected: HashMap::new() };
    for (id, node) in design.iter() {
        match (live[id.0], &node.op) {
            (Live::Nobody, _) => {}
            // What is left of its input is the one row already.
            (_, Op::Select { row }) => {
                let narrowed = rewrite.row_of(design, node.inputs[0], *row);
                rewrite.moved.insert(id, narrowed);
            }
            (Live::One(token), op) if narrows(op) => {
                let inputs = node.inputs.iter().enumerate().map(|(i, &input)| {
                    if reads_all_rows(op, i) {
                        rewrite.moved[&input]
                    } else {
                        rewrite.row_of(design, input, token)
                    }
                });
                let inputs = inputs.collect();
                let value = Value { rows: node.value.rows_per_token, ..node.value };
                let op = one_row(op, token, node.value);
                rewrite.push(id, Node { name: node.name.clone(), op, inputs, value });
            }
            _ => {
                let inputs = node.inputs.iter().map(|input| rewrite.moved[input]).collect();
                rewrite.push(id, Node { inputs, ..node.clone() });
            }
        }
    }
    Design { nodes: rewrite.nodes, ..design.clone() }
}

/// Backwards: what each consumer reads of its inputs.
fn liveness(design: &Design) -> Vec<Live> {
    let mut live = vec![Live::Nobody; design.nodes.len()];
    if let Some(last) = live.last_mut() {
        *last = Live::All;
    }
    for (id, node) in design.iter().collect::<Vec<_>>().into_iter().rev() {
        let wanted = live[id.0];
        if wanted == Live::Nobody {
            continue;
        }
        for (i, input) in node.inputs.iter().enumerate() {
            let reads = match &node.op {
                Op::Select { row } => Live::One(*row),
                op if reads_all_rows(op, i) => Live::All,
                // A single-row value behind the pool is all there is of it.
                _ if design.node(*input).value.rows == 1 => Live::All,
                _ => wanted,
            };
            live[input.0] = live[input.0].join(reads);
        }
    }
    live
}

/// Operand `i` is read as a whole, whichever row of the result is wanted.
fn reads_all_rows(op: &Op, i: usize) -> bool {
    match op {
        Op::Transpose { .. } | Op::SumRows | Op::History => true,
        // Keys of all tokens for each query, columns of V for each row of weights.
        Op::Scores { .. } | Op::Mix { .. } => i == 1,
        Op::Window { .. }
        | Op::Encode { .. }
        | Op::Lookup { .. }
        | Op::ConstantScores { .. }
        | Op::Position { .. }
        | Op::Requantise { .. }
        | Op::Norm { .. }
        | Op::Softmax { .. }
        | Op::Residual { .. }
        | Op::Gelu { .. }
        | Op::Relu
        | Op::Select { .. }
        | Op::Threshold { .. } => false,
    }
}

/// The node can be made to produce one token's rows alone.
fn narrows(op: &Op) -> bool {
    !matches!(op, Op::Window { .. } | Op::Transpose { .. } | Op::SumRows | Op::History)
}

/// The op for one token; only a position knows which rows it is at.
fn one_row(op: &Op, token: usize, value: Value) -> Op {
    let kept = value.rows_per_token * value.lanes;
    match op {
        Op::Position { constants, shift, lead } => Op::Position {
            constants: constants[token * kept..][..kept].to_vec(),
            shift: *shift,
            lead: *lead && token == 0,
        },
        other => other.clone(),
    }
}

struct Rewrite {
    nodes: Vec<Node>,
    /// Old node → the new one that holds its live rows.
    moved: HashMap<NodeId, NodeId>,
    /// (new node, token) → the select behind it.
    selected: HashMap<(NodeId, usize), NodeId>,
}

impl Rewrite {
    fn push(&mut self, old: NodeId, node: Node) {
        self.nodes.push(node);
        self.moved.insert(old, NodeId(self.nodes.len() - 1));
    }

    /// The rows of `token` of what was the old node `input`, selected where the new one still holds more.
    fn row_of(&mut self, design: &Design, input: NodeId, token: usize) -> NodeId {
        let new = self.moved[&input];
        let node = &self.nodes[new.0];
        if node.value.rows == node.value.rows_per_token {
            return new;
        }
        if let Some(&id) = self.selected.get(&(new, token)) {
            return id;
        }
        let name = format!("{}_row{token}", design.node(input).name);
        let value = Value { rows: 1, ..node.value };
        self.nodes.push(Node { name, op: Op::Select { row: token }, inputs: vec![new], value });
        let id = NodeId(self.nodes.len() - 1);
        self.selected.insert((new, token), id);
        id
    }
}
