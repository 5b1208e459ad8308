//! The block diagram of a core: every node of the design as a box in its place in the data flow, with its shape, its cycles and its
//! memories, and the rows between them as wires. For people.
//!
//! Bands from top to bottom are the parts of the network; in a band time runs from left to right. [`layout`] says where everything
//! is, [`svg`] prints it.

use tablewright_design::{Design, Node, Op};
use tablewright_plan::resources::Holds;
use tablewright_plan::{Plan, Resources, Stage, Style};

use crate::names::{Names, identifier};

mod layout;
mod svg;

/// Path of the diagram in the build of a model.
pub(crate) fn path(model: &str) -> String {
    format!("tw_{}.svg", identifier(model))
}

/// The diagram as SVG 1.1.
pub(crate) fn text(design: &Design, plan: &Plan) -> String {
    let title = format!(
        "{}: latency {} cycles, interval {} cycles",
        Names::new(&design.name).core(),
        plan.latency,
        plan.interval
    );
    svg::print(&title, &layout::place(&items(design, plan)))
}

/// What a box is, for its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Class {
    Stream,
    Table,
    Encoder,
    Arithmetic,
    /// What keeps rows, or puts them in another order.
    Storage,
}

/// A part of the network: its place from the top and its title, line by line.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Band {
    place: usize,
    title: Vec<String>,
}

/// A box before it has a place.
#[derive(Debug, Clone)]
struct Item {
    /// The first one is its name.
    lines: Vec<String>,
    class: Class,
    /// Rows that come ahead of their access.
    ahead: bool,
    band: Band,
    /// Numbers of the items it reads.
    inputs: Vec<usize>,
    /// Bits of a row it hands on; 0 for an end.
    bits: u64,
}

/// The nodes between the two streams, in topological order.
fn items(design: &Design, plan: &Plan) -> Vec<Item> {
    let (in_width, out_width) = crate::stream_widths(design);
    let first = Item {
        lines: vec!["s_axis".to_owned(), "AXI4-Stream in".to_owned(), format!("{in_width} bits")],
        class: Class::Stream,
        ahead: false,
        band: Band { place: 0, title: vec!["input".to_owned()] },
        inputs: Vec::new(),
        bits: in_width as u64,
    };
    let mut items = vec![first];
    for (id, node) in design.iter() {
        // Items are nodes moved by one, for the stream in front.
        let inputs: Vec<usize> = match node.inputs.as_slice() {
            [] => vec![0],
            inputs => inputs.iter().map(|input| input.0 + 1).collect(),
        };
        let behind = inputs.iter().map(|&i| &items[i].band).max_by_key(|band| band.place);
        let stage = plan.stage(id);
        items.push(Item {
            lines: lines(design, plan, node, stage),
            class: class(&node.op),
            ahead: stage.ahead().is_some(),
            band: band(design, &node.name, behind),
            bits: crate::stage::row_width(node) * stage.at_once(),
            inputs,
        });
    }
    let band = items[items.len() - 1].band.clone();
    let outputs = design.network.outputs as u64;
    let queue =
        vec!["queue".to_owned(), format!("{} bitmaps", plan.queue), format!("cycle {}", plan.latency)];
    let end = vec!["m_axis".to_owned(), "AXI4-Stream out".to_owned(), format!("{out_width} bits")];
    for (lines, class, bits) in [(queue, Class::Storage, outputs), (end, Class::Stream, 0)] {
        let inputs = vec![items.len() - 1];
        items.push(Item { lines, class, ahead: false, band: band.clone(), inputs, bits });
    }
    items
}

fn lines(design: &Design, plan: &Plan, node: &Node, stage: Stage) -> Vec<String> {
    let value = &node.value;
    let (first, last) = (stage.first, stage.last());
    let mut lines = vec![
        node.name.clone(),
        node.op.kind().to_owned(),
        format!("{} x {} x {}", value.rows, value.lanes, value.format),
        if first == last { format!("cycle {first}") } else { format!("cycles {first} .. {last}") },
    ];
    if let Some((rows, _)) = stage.ahead() {
        lines.push(format!("{rows} rows ahead"));
    }
    let memories = Resources::of_node(design, plan, node, stage).memories;
    let (banks, others): (Vec<_>, Vec<_>) =
        memories.into_iter().partition(|memory| memory.holds == Holds::TableBank);
    match banks.as_slice() {
        [] | [_] => lines.extend(banks.iter().map(ToString::to_string)),
        // Of what is stored each has another shape.
        _ => {
            let count: u64 = banks.iter().map(|bank| bank.count).sum();
            let bits: u64 = banks.iter().map(|bank| bank.count * bank.words * bank.width).sum();
            lines.push(format!("{count} banks, {bits} bits"));
        }
    }
    lines.extend(others.iter().map(ToString::to_string));
    if stage.at_once() > 1 {
        lines.push(format!("{} rows at once", stage.at_once()));
    }
    if stage.directive.fold > 1 {
        lines.push(format!("folded {} times", stage.directive.fold));
    }
    if !node.op.tables().is_empty() && stage.directive.style != Style::Auto {
        lines.push(stage.directive.style.to_string());
    }
    lines
}

fn class(op: &Op) -> Class {
    match op {
        Op::Lookup { .. } | Op::Scores { .. } | Op::ConstantScores { .. } | Op::Mix { .. } => Class::Table,
        Op::Encode { .. } => Class::Encoder,
        Op::Window { .. } | Op::History | Op::Transpose { .. } | Op::Select { .. } => Class::Storage,
        Op::Position { .. }
        | Op::Requantise { .. }
        | Op::Norm { .. }
        | Op::Softmax { .. }
        | Op::Residual { .. }
        | Op::Gelu { .. }
        | Op::Relu
        | Op::SumRows
        | Op::Threshold { .. } => Class::Arithmetic,
    }
}

/// By the name: `lN_` and what the layer is made of. What belongs to no layer is input as long as it reads input only. No band is
/// above one that it reads (`behind`).
fn band(design: &Design, name: &str, behind: Option<&Band>) -> Band {
    let of_layer = name.strip_prefix('l').and_then(|rest| rest.split_once('_'));
    let of_layer = of_layer.and_then(|(layer, part)| Some((layer.parse::<usize>().ok()?, part)));
    let from = behind.map_or(0, |band| band.place);
    let starts = |part: &str, with: &[&str]| with.iter().any(|start| part.starts_with(start));
    let (place, title) = match of_layer {
        Some((layer, part)) => {
            let (step, what) = if starts(part, &["ln2", "ff", "act", "x"]) {
                (3, vec!["feed-forward".to_owned()])
            } else if starts(part, &["out", "mid"]) {
                (2, vec!["projection".to_owned()])
            } else {
                let heads = design.network.heads;
                let heads = format!("{heads} head{}", if heads == 1 { "" } else { "s" });
                (1, vec!["attention".to_owned(), heads])
            };
            let mut title = vec![format!("layer {layer}")];
            title.extend(what);
            (3 * layer + step, title)
        }
        None if from == 0 && !starts(name, &["head", "bitmap"]) => (0, vec!["input".to_owned()]),
        None => (3 * design.network.layers + 1, vec!["head".to_owned()]),
    };
    match behind {
        Some(band) if band.place > place => band.clone(),
        _ => Band { place, title },
    }
}

#[cfg(test)]
mod tests;
