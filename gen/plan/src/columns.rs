//! Columns of a transpose that leave at once: tokens laid over space.
//!
//! Behind the transpose of the values the columns are what comes one after the other, and with 64 of them they, and no table, set
//! the interval. Several at once take an encoder each; the pair table behind keeps them in as many registers as before.

use tablewright_design::{Design, Node, NodeId, Op};

use crate::pipeline::{Elements, Shape};

/// Numbers of rows that may come out of a node at once, one by one first. More than one can the columns of a transpose and their
/// codes, on the way to a pair table that keeps them: each takes encoders of its own, and all groups must be whole.
pub fn at_once(design: &Design, id: NodeId) -> Vec<u32> {
    let node = design.node(id);
    let from = match node.op {
        Op::Encode { .. } => node.inputs[0],
        _ => id,
    };
    if kept_codes(design, from).is_none_or(|codes| id != from && id != codes) {
        return vec![1];
    }
    let rows = node.value.rows as u32;
    (1..=rows).filter(|n| rows.is_multiple_of(*n)).collect()
}

/// The codes of a transpose's columns, where they go to nobody but a pair table that keeps them.
pub fn kept_codes(design: &Design, transpose: NodeId) -> Option<NodeId> {
    let only_reader = |of: NodeId| {
        let mut readers = design.iter().filter(|(_, node)| node.inputs.contains(&of));
        readers.next().filter(|_| readers.next().is_none())
    };
    let (codes, encode) = only_reader(transpose)?;
    let (_, pairs) = only_reader(codes)?;
    let kept = matches!(pairs.op, Op::Scores { .. } | Op::Mix { .. }) && pairs.inputs[0] != codes;
    let columns = matches!(design.node(transpose).op, Op::Transpose { .. });
    (columns && kept && matches!(encode.op, Op::Encode { .. })).then_some(codes)
}

/// The shapes with as few rows at once out of transposes as leave no more than `groups` of them one after the other, given the
/// transpose. Pair tables with serial elements take them one by one.
pub fn side_by_side(design: &Design, shapes: &[Shape], groups: impl Fn(&Node) -> usize) -> Vec<Shape> {
    let mut wide = shapes.to_vec();
    for (id, node) in design.iter() {
        let Some(codes) = kept_codes(design, id) else { continue };
        let parallel = design
            .iter()
            .filter(|(_, reader)| reader.inputs.contains(&codes))
            .all(|(reader, _)| shapes[reader.0].elements == Elements::Parallel);
        let few = |n: &u32| !parallel || node.value.rows / *n as usize <= groups(node);
        let chosen = at_once(design, id).into_iter().find(few).unwrap_or(1);
        wide[id.0].at_once = chosen;
        wide[codes.0].at_once = chosen;
    }
    wide
}
