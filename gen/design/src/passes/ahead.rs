//! When an access arrives, the others of its window are known, each at its new position. What is computed or read of them
//! can be computed or read before, as far as it does not depend on the newest one.

use tablewright_model::Positions;

use crate::graph::{Design, Node, NodeId, Op, Value};

/// Makes a design with absolute positions take one access at a time, behind which a history makes its window; others stay
/// as they are: where older tokens look at the newest one (two layers, a mean over all tokens), and with a history of one,
/// whose window is an access already.
///
/// From the T-th access after a reset on, T the history, its logits and bitmaps are those of the window that ends in
/// that access; the bitmaps before are all zero.
pub(super) fn accesses(design: &Design) -> Design {
    let network = &design.network;
    let Some(window) = design.nodes.first() else {
        return design.clone();
    };
    let absolute = network.positions == Positions::Absolute && network.history > 1;
    if !absolute || design.streaming || window.op != (Op::Window { lead: false }) {
        return design.clone();
    }
    let mut nodes = Vec::with_capacity(design.nodes.len() + 1);
    nodes.push(Node { value: Value { rows: 1, ..window.value }, ..window.clone() });
    nodes.push(Node {
        name: format!("{}_history", window.name),
        op: Op::History,
        inputs: vec![NodeId(0)],
        value: window.value,
    });
    for node in &design.nodes[1..] {
        let inputs = node.inputs.iter().map(|x| NodeId(x.0 + 1)).collect();
        let mut node = Node { inputs, ..node.clone() };
        if let Op::Threshold { warm_up, .. } = &mut node.op {
            *warm_up = network.history - 1;
        }
        nodes.push(node);
    }
    let streaming = Design { streaming: true, nodes, ..design.clone() };
    if known_before(&streaming) { streaming } else { design.clone() }
}

/// Whether of whatever follows a history each row depends on that row alone, until somebody reads all of them, who can keep
/// them until the last one comes.
pub(super) fn known_before(design: &Design) -> bool {
    // Of each node: it has a row for each access, of that access alone.
    let mut of_each: Vec<bool> = Vec::with_capacity(design.nodes.len());
    for node in &design.nodes {
        let reads = |i: usize| node.inputs.get(i).is_some_and(|x| of_each[x.0]);
        let any = (0..node.inputs.len()).any(reads);
        let newest = |x: NodeId| design.node(x).value.rows - 1;
        let each = match &node.op {
            Op::History => true,
            _ if !any => false,
            Op::Encode { .. }
            | Op::Lookup { .. }
            | Op::ConstantScores { .. }
            | Op::Position { .. }
            | Op::Requantise { .. }
            | Op::Norm { .. }
            | Op::Gelu { .. }
            | Op::Relu => true,
            Op::Transpose { .. } => false,
            Op::Select { row } if *row == newest(node.inputs[0]) => false,
            Op::Scores { .. } if !reads(0) => false,
            Op::Window { .. }
            | Op::Scores { .. }
            | Op::Softmax { .. }
            | Op::Mix { .. }
            | Op::Residual { .. }
            | Op::Select { .. }
            | Op::SumRows
            | Op::Threshold { .. } => return false,
        };
        of_each.push(each);
    }
    true
}
