//! A hash tree looks at one feature a level. Of the row in front of it, other elements are not needed unless somebody else
//! reads them; nor are the table columns that they were looked up in, nor, behind a transposition, the rows.

use std::collections::BTreeSet;

use crate::graph::{Design, Node, Op, Value};

/// Removes elements of rows, and columns of V, that nobody reads.
pub fn dead_lanes(design: &Design) -> Design {
    let live = liveness(design);
    let mut kept: Vec<Kept> = Vec::with_capacity(design.nodes.len());
    for (id, node) in design.iter() {
        let own = keep(node, &live[id.0], &kept);
        kept.push(own);
    }
    let nodes = design.iter().map(|(id, node)| narrowed(node, &kept[id.0], &kept)).collect();
    Design { nodes, ..design.clone() }
}

/// What somebody reads of a value: elements of its rows, and rows where these are columns of V.
#[derive(Debug, Clone, Default)]
struct Live {
    lanes: BTreeSet<usize>,
    rows: BTreeSet<usize>,
}

/// What is left of a value, ascending.
#[derive(Debug, Clone)]
struct Kept {
    lanes: Vec<usize>,
    rows: Vec<usize>,
}

/// Backwards: what each consumer reads of its inputs.
fn liveness(design: &Design) -> Vec<Live> {
    let mut live = vec![Live::default(); design.nodes.len()];
    for (id, node) in design.iter().collect::<Vec<_>>().into_iter().rev() {
        // The heads share an encoder, so the same elements of each are kept.
        for reader in design.nodes.iter().filter(|reader| reader.inputs.contains(&id)) {
            if let Op::Encode { encoder, groups } = &reader.op {
                let features = encoder.features;
                let of_any: BTreeSet<usize> = live[id.0].lanes.iter().map(|lane| lane % features).collect();
                let of_all = (0..*groups).flat_map(|g| of_any.iter().map(move |f| g * features + f));
                live[id.0].lanes = of_all.collect();
            }
        }
        let wanted = live[id.0].clone();
        for (i, &input) in node.inputs.iter().enumerate() {
            let read = read(node, i, &wanted, design.node(input).value);
            live[input.0].lanes.extend(read.lanes);
            live[input.0].rows.extend(read.rows);
        }
    }
    live
}

/// What a node reads of its operand `i` for what is wanted of it.
fn read(node: &Node, i: usize, wanted: &Live, x: Value) -> Live {
    let all_rows = || (0..x.rows).collect();
    let all_lanes = || (0..x.lanes).collect();
    match &node.op {
        Op::Encode { encoder, groups } => {
            let looked_at = encoder.looked_at();
            let groups = (0..*groups).map(|group| group * encoder.features);
            let lanes = groups.flat_map(|start| looked_at.iter().map(move |feature| start + feature));
            Live { lanes: lanes.collect(), rows: wanted.rows.clone() }
        }
        Op::Transpose { .. } => Live { lanes: wanted.rows.clone(), rows: all_rows() },
        Op::Mix { columns, .. } if i == 1 => {
            // Each head has a column, wanted or not.
            let mut rows = wanted.lanes.clone();
            let mut first = 0;
            for count in columns {
                if wanted.lanes.range(first..first + count).next().is_none() {
                    rows.insert(first);
                }
                first += count;
            }
            Live { lanes: all_lanes(), rows }
        }
        Op::Lookup { .. } | Op::Norm { .. } => Live { lanes: all_lanes(), rows: wanted.rows.clone() },
        Op::Position { .. } | Op::Requantise { .. } | Op::Gelu { .. } | Op::Relu => wanted.clone(),
        Op::History | Op::SumRows | Op::Select { .. } => {
            Live { lanes: wanted.lanes.clone(), rows: all_rows() }
        }
        // The sum is normalised.
        Op::Residual { .. }
        | Op::Scores { .. }
        | Op::ConstantScores { .. }
        | Op::Softmax { .. }
        | Op::Mix { .. }
        | Op::Threshold { .. } => Live { lanes: all_lanes(), rows: all_rows() },
        Op::Window { .. } => Live::default(),
    }
}

/// What is left of a node where `kept` is left of those before it.
fn keep(node: &Node, live: &Live, kept: &[Kept]) -> Kept {
    let of = |i: usize| &kept[node.inputs[i].0];
    let all_rows = || (0..node.value.rows).collect();
    let all_lanes = || (0..node.value.lanes).collect();
    let read = |set: &BTreeSet<usize>| set.iter().copied().collect();
    match &node.op {
        Op::Lookup { .. } | Op::Norm { .. } => Kept { lanes: read(&live.lanes), rows: of(0).rows.clone() },
        Op::Encode { .. } => Kept { lanes: all_lanes(), rows: of(0).rows.clone() },
        Op::Position { .. } | Op::Requantise { .. } | Op::Gelu { .. } | Op::Relu | Op::Residual { .. } => {
            of(0).clone()
        }
        Op::Transpose { .. } => Kept { lanes: all_lanes(), rows: read(&live.rows) },
        Op::Mix { .. } => Kept { lanes: of(1).rows.clone(), rows: all_rows() },
        Op::History | Op::SumRows | Op::Select { .. } => {
            Kept { lanes: of(0).lanes.clone(), rows: all_rows() }
        }
        Op::Window { .. }
        | Op::Scores { .. }
        | Op::ConstantScores { .. }
        | Op::Softmax { .. }
        | Op::Threshold { .. } => Kept { lanes: all_lanes(), rows: all_rows() },
    }
}

fn narrowed(node: &Node, own: &Kept, kept: &[Kept]) -> Node {
    let of = |i: usize| &kept[node.inputs[i].0];
    let op = match &node.op {
        Op::Lookup { table } => Op::Lookup { table: table.outputs_of(&own.lanes) },
        Op::Norm { unit, kept } => {
            Op::Norm { unit: unit.clone(), kept: own.lanes.iter().map(|&lane| kept[lane]).collect() }
        }
        Op::Encode { encoder, groups } => {
            let group: Vec<usize> = of(0).lanes.iter().copied().filter(|&l| l < encoder.features).collect();
            Op::Encode { encoder: encoder.over(&group), groups: *groups }
        }
        Op::Position { constants, shift, lead } => {
            let rows = own.rows.iter().map(|row| &constants[row * node.value.lanes..][..node.value.lanes]);
            let constants = rows.flat_map(|row| own.lanes.iter().map(|&lane| row[lane])).collect();
            Op::Position { constants, shift: *shift, lead: *lead }
        }
        Op::Transpose { lead } => {
            let lead = lead.as_ref().map(|row| own.rows.iter().map(|&column| row[column]).collect());
            Op::Transpose { lead }
        }
        Op::Mix { table, columns } => {
            let mut end = 0;
            let count = |of_head: &usize| {
                let start = end;
                end += of_head;
                own.lanes.iter().filter(|&&lane| (start..end).contains(&lane)).count()
            };
            Op::Mix { table: table.clone(), columns: columns.iter().map(count).collect() }
        }
        other => other.clone(),
    };
    let value = Value { lanes: own.lanes.len(), rows: own.rows.len(), ..node.value };
    Node { op, value, ..node.clone() }
}
