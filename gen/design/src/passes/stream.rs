//! One access in, in place of a window. With relative positions an access has one key and one value, wherever it stands in
//! the window. They are computed once, when the access arrives, and kept: T times fewer look-ups for all that is in front
//! of the attention. What can be done with absolute positions is in [`super::ahead`].

use std::collections::{HashMap, HashSet};

use tablewright_model::Positions;

use super::{ahead, dead_rows};
use crate::format::Bounds;
use crate::graph::{Design, Node, NodeId, Op, Value};

/// Makes a design take one access at a time, where what it computes of earlier accesses can be kept (relative positions) or
/// computed ahead of the newest one (absolute positions, and a pooled token that alone reads the others); others stay as they
/// are.
///
/// From the T-th access after a reset on, T the history, its logits and bitmaps are those of the window that ends in
/// that access; the bitmaps before are all zero.
pub fn stream(design: &Design) -> Design {
    if design.network.positions == Positions::Absolute {
        return ahead::accesses(design);
    }
    if design.streaming {
        return design.clone();
    }
    // Of the newest token alone there is a query.
    let design = dead_rows(design);
    let alone = of_one_access(&design);
    let mut rewrite = Rewrite {
        history: design.network.history,
        nodes: Vec::new(),
        moved: HashMap::new(),
        kept: HashMap::new(),
        may_be_zero: HashSet::new(),
    };
    for (id, node) in design.iter() {
        if alone[id.0] {
            let inputs = node.inputs.iter().map(|input| rewrite.moved[input]).collect();
            let value = Value { rows: node.value.rows_per_token, ..node.value };
            rewrite.push(id, Node { inputs, value, ..node.clone() });
            continue;
        }
        match (&node.op, node.inputs.first()) {
            // The newest access is the one there is.
            (Op::Select { row }, Some(x)) if alone[x.0] && row + 1 == design.node(*x).value.rows => {
                let newest = rewrite.moved[x];
                rewrite.moved.insert(id, newest);
            }
            _ => {
                let inputs: Vec<NodeId> = node
                    .inputs
                    .iter()
                    .map(|&x| if alone[x.0] { rewrite.history_of(x) } else { rewrite.moved[&x] })
                    .collect();
                rewrite.push_all(id, Node { inputs, ..node.clone() });
            }
        }
    }
    match rewrite.nodes.last_mut().map(|node| &mut node.op) {
        Some(Op::Threshold { warm_up, .. }) => *warm_up = design.network.history - 1,
        _ => unreachable!("every design ends in its threshold"),
    }
    let streaming = Design { streaming: true, nodes: rewrite.nodes, ..design };
    debug_assert!(
        ahead::known_before(&streaming),
        "keys and rows of V are kept, the query is the newest access's"
    );
    streaming
}

/// Nodes whose rows for one access depend on that access and nothing else.
fn of_one_access(design: &Design) -> Vec<bool> {
    let mut alone: Vec<bool> = Vec::with_capacity(design.nodes.len());
    for node in &design.nodes {
        let by_itself = match node.op {
            // Nothing stands in front of the oldest access: there is no cls token.
            Op::Window { lead } => !lead,
            Op::Encode { .. }
            | Op::Lookup { .. }
            | Op::Requantise { .. }
            | Op::Norm { .. }
            | Op::Softmax { .. }
            | Op::Residual { .. }
            | Op::Gelu { .. }
            | Op::Relu => node.inputs.iter().all(|x| alone[x.0]),
            // Another constant for each row.
            Op::Position { .. }
            | Op::Scores { .. }
            | Op::ConstantScores { .. }
            | Op::Transpose { .. }
            | Op::History
            | Op::Mix { .. }
            | Op::Select { .. }
            | Op::SumRows
            | Op::Threshold { .. } => false,
        };
        alone.push(by_itself);
    }
    alone
}

struct Rewrite {
    /// T.
    history: usize,
    nodes: Vec<Node>,
    /// Old node → the new one with its rows, of one access or all of them.
    moved: HashMap<NodeId, NodeId>,
    /// New node of one access → the history of it.
    kept: HashMap<NodeId, NodeId>,
    /// New nodes that are zero, whatever their bounds were, where the history is not full.
    may_be_zero: HashSet<NodeId>,
}

impl Rewrite {
    fn push(&mut self, old: NodeId, node: Node) -> NodeId {
        self.nodes.push(node);
        let new = NodeId(self.nodes.len() - 1);
        self.moved.insert(old, new);
        new
    }

    /// A node that reads rows of all accesses. Zeros go through a transposition and a requantisation; an encoder makes
    /// codes of them like any other.
    fn push_all(&mut self, old: NodeId, mut node: Node) {
        let zero = matches!(node.op, Op::Transpose { .. } | Op::Requantise { .. })
            && node.inputs.iter().any(|x| self.may_be_zero.contains(x));
        if zero {
            node.value.bounds = node.value.bounds.union(Bounds::point(0));
        }
        let new = self.push(old, node);
        if zero {
            self.may_be_zero.insert(new);
        }
    }

    /// The rows of the last T accesses of what was the old node `x`.
    fn history_of(&mut self, x: NodeId) -> NodeId {
        let one = self.moved[&x];
        if self.history == 1 {
            return one;
        }
        if let Some(&kept) = self.kept.get(&one) {
            return kept;
        }
        let node = &self.nodes[one.0];
        let value = Value {
            rows: node.value.rows * self.history,
            bounds: node.value.bounds.union(Bounds::point(0)),
            ..node.value
        };
        let name = format!("{}_history", node.name);
        self.nodes.push(Node { name, op: Op::History, inputs: vec![one], value });
        let kept = NodeId(self.nodes.len() - 1);
        self.kept.insert(one, kept);
        self.may_be_zero.insert(kept);
        kept
    }
}
