//! The steps of each node, and where registers cut them.
//!
//! A node is a chain of steps: the levels of a tree, a bank and the adders behind it, the steps of a layer
//! normalisation. Behind each step there is a register or there is not: a cut. A memory's own register is always there. What
//! lies between two cuts shares a cycle, across nodes too, and how much fits into one is a matter of the clock. Logic is
//! counted in levels: a level is about a two-input multiplexer or a carry-save adder. That is a model, and no time.

use serde::Serialize;
use tablewright_design::{
    Design, IntEncoder, IntEncoderKind, IntTable, Layout, Node, NodeId, NormUnit, Op, Protection, SoftmaxUnit,
};

use crate::banks::Style;
use crate::columns::side_by_side;

/// Levels between two registers where nobody says otherwise.
pub const DEFAULT_LEVELS: u32 = 20;
/// Bits of a word up to which the elements of a pair table are parallel where nobody says otherwise.
pub const WIDEST_BANK: u64 = 2048;
/// Levels between a clock edge and what a memory read in front of that edge shows behind it.
const MEMORY_OUT: u32 = 4;
/// Levels of a tree that may share a cycle: n of them take 2^n − 1 comparators.
const TREE_LEVELS_AT_ONCE: usize = 4;
/// Levels that put a wrong bit of 39 right: six parities, of 19 bits at most, and for each bit the comparison of all six.
const CHECK: u32 = 9;
/// Levels from the registers of a source, a ring of rows with a multiplexer, to its row.
const SOURCE_OUT: u32 = 3;
/// Levels in front of the registers of what takes rows in: a decoder of the row's number.
const STORE: u32 = 2;

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// Levels of logic.
    pub levels: u32,
    /// There is a register behind it in every plan.
    pub fixed: bool,
    /// Levels from that register to what the next step sees.
    pub out: u32,
}

impl Step {
    fn logic(levels: u32) -> Self {
        Self { levels, fixed: false, out: 0 }
    }

    fn memory(words: usize) -> Self {
        Self { levels: select(words) / 2, fixed: true, out: MEMORY_OUT }
    }
}

/// How the elements of a row are laid out for a pair table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Elements {
    /// One after the other: a bank has one word for each pair of codes.
    Serial,
    /// All elements of a head at once: a bank has one word for each left code, with the entries of all right codes, and
    /// every element has a multiplexer.
    Parallel,
}

/// How one node is laid over time and space, its registers apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Shape {
    /// Of a pair table; the elements of all other rows are parallel.
    pub elements: Elements,
    /// Of a table ([`folds`]): so many parts of a row lie one under the other in a bank and are looked up one after the other.
    pub fold: u32,
    /// What the banks of a table are made of.
    pub style: Style,
    /// Rows that come at once ([`at_once`](crate::columns::at_once)).
    pub at_once: u32,
}

impl Shape {
    /// Row by row, each of them whole, from banks of whatever the synthesis takes.
    pub fn of(elements: Elements) -> Self {
        Self { elements, fold: 1, style: Style::Auto, at_once: 1 }
    }
}

/// How one node is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Directive {
    /// Bit s: there is a register behind step s.
    pub cuts: u32,
    /// As in [`Shape`].
    pub elements: Elements,
    /// As in [`Shape`].
    pub fold: u32,
    /// As in [`Shape`].
    pub style: Style,
    /// As in [`Shape`].
    pub at_once: u32,
}

impl Directive {
    /// Of a shape and its cuts.
    pub fn new(Shape { elements, fold, style, at_once }: Shape, cuts: u32) -> Self {
        Self { cuts, elements, fold, style, at_once }
    }

    /// How the rows of this node's tables lie in their banks.
    pub fn layout(&self, node: &Node) -> Layout {
        match node.op {
            Op::Scores { .. } | Op::Mix { .. } if self.elements == Elements::Parallel => Layout::Pairs,
            _ => Layout::Rows { fold: self.fold },
        }
    }

    /// Without the cuts.
    pub fn shape(&self) -> Shape {
        Shape { elements: self.elements, fold: self.fold, style: self.style, at_once: self.at_once }
    }
}

/// Ways to fold the rows of a node's table, the flat one first: powers of two, so that an address is a code and the number of a
/// part side by side, and no part without an output of its own.
pub fn folds(node: &Node) -> Vec<u32> {
    let most = match &node.op {
        Op::Lookup { table } => table.outputs,
        _ => 1,
    };
    let whole = |fold: &u32| most.div_ceil(part(most, *fold)) == *fold as usize;
    (0..u32::BITS).map(|n| 1 << n).take_while(|fold| *fold as usize <= most).filter(whole).collect()
}

/// Outputs of each part of a row of `outputs` that is folded; the last part may have fewer.
pub fn part(outputs: usize, fold: u32) -> usize {
    outputs.div_ceil(fold as usize)
}

/// How every node of a design is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Directives(pub Vec<Directive>);

impl Directives {
    /// Pair tables parallel where their banks are no wider than [`WIDEST_BANK`]; columns leave a transpose in no more cycles than
    /// its rows came in, where they can leave at once.
    pub fn shapes(design: &Design) -> Vec<Shape> {
        let of = |node: &Node| match &node.op {
            Op::Scores { table, .. } | Op::Mix { table, .. } if bank_width(table) > WIDEST_BANK => {
                Shape::of(Elements::Serial)
            }
            _ => Shape::of(Elements::Parallel),
        };
        let shapes: Vec<Shape> = design.nodes.iter().map(of).collect();
        side_by_side(design, &shapes, |transpose| design.node(transpose.inputs[0]).value.rows)
    }

    /// As few registers as leave at most `budget` levels between two of them, where that can be had: a step that alone has
    /// more levels gets a cycle of its own.
    pub fn within(design: &Design, shapes: &[Shape], budget: u32) -> Self {
        // Whose output must come from a register, found one after the other.
        let mut registered = vec![false; design.nodes.len()];
        loop {
            match chain(design, shapes, budget, &registered) {
                Ok(cuts) => return cuts,
                Err(NodeId(node)) => registered[node] = true,
            }
        }
    }

    /// What is done where nobody says otherwise.
    pub fn automatic(design: &Design) -> Self {
        Self::within(design, &Self::shapes(design), DEFAULT_LEVELS)
    }

    /// Of one node.
    pub fn of(&self, node: NodeId) -> Directive {
        self.0[node.0]
    }
}

/// Bits of a word of a pair table's bank when its elements are parallel.
fn bank_width(table: &IntTable) -> u64 {
    u64::from(table.bits) << (table.rows.ilog2() / 2)
}

/// The steps between a node's input and its output. What keeps rows or counts cycles has none: its registers are its own.
pub fn steps(node: &Node, elements: Elements) -> Vec<Step> {
    let width = node.value.format.width;
    match &node.op {
        Op::Scores { table, .. } | Op::Mix { table, .. } if elements == Elements::Parallel => {
            let codes = 1 << (table.rows.ilog2() / 2);
            let mut steps = lookup(table, width);
            steps[0] = Step::memory(codes);
            steps[1] = Step::logic(check(table) + select(codes) + 1);
            steps
        }
        Op::Encode { encoder, .. } => match &encoder.kind {
            IntEncoderKind::Tree { .. } => vec![Step::logic(0); encoder.code_bits as usize],
            IntEncoderKind::Nearest { .. } => Vec::new(),
        },
        Op::Lookup { table } | Op::Scores { table, .. } | Op::Mix { table, .. } => lookup(table, width),
        Op::ConstantScores { tables } => tables.first().map_or_else(Vec::new, |table| lookup(table, width)),
        Op::Position { .. } | Op::Residual { .. } => vec![Step::logic(add(width))],
        Op::Requantise { step } => {
            vec![Step::logic(if step.shift > 0 { add(width + step.shift) + 2 } else { 0 })]
        }
        Op::Relu => vec![Step::logic(1)],
        // A logit has hardly more bits; one level is for the history that is not full.
        Op::Threshold { .. } => vec![Step::logic(compare(16) + 1)],
        Op::Gelu { unit } => {
            vec![Step { levels: 4 + add(width), ..Step::memory(unit.bump.len()) }, Step::logic(add(width))]
        }
        Op::Norm { unit, .. } => norm(unit),
        Op::Softmax { unit } => softmax(unit, node.value.lanes),
        Op::Window { .. } | Op::Transpose { .. } | Op::History | Op::Select { .. } | Op::SumRows => {
            Vec::new()
        }
    }
}

/// Levels that put wrong bits of a bank's word right: of a table that is loaded and guarded so.
fn check(table: &IntTable) -> u32 {
    let corrected = table.loaded.is_some_and(|loaded| loaded.protection == Protection::Secded);
    if corrected { CHECK } else { 0 }
}

fn lookup(table: &IntTable, width: u32) -> Vec<Step> {
    let operands = table.subspaces + usize::from(table.bias.is_some());
    let adders = operands.next_power_of_two().ilog2() as usize;
    let mut steps = vec![Step::logic(add(width)); adders + 2];
    steps[0] = Step::memory(table.rows);
    // Where nothing is put right, a register here has nothing to do but to take what a slow memory shows.
    steps[1] = Step::logic(check(table));
    steps
}

fn norm(unit: &NormUnit) -> Vec<Step> {
    let (centred, variance) = (unit.centred_width, unit.variance_width);
    let width = centred.saturating_sub(1 + unit.lanes.next_power_of_two().ilog2());
    vec![
        Step::logic(multiply(width, width)),
        Step::logic(sum(unit.lanes, centred)),
        Step::logic(multiply(centred, centred) + 1),
        Step::logic(scale(unit.lanes) + add(variance)),
        Step::logic(2 * select(variance as usize)),
        Step::memory(unit.rsqrt.len()),
        Step::logic(multiply(unit.rsqrt_width, centred)),
        Step::logic(add(centred + unit.rsqrt_width) + select(variance as usize / 2)),
    ]
}

fn softmax(unit: &SoftmaxUnit, lanes: usize) -> Vec<Step> {
    let whole = unit.exponent_width - SoftmaxUnit::FRACTION_BITS;
    let power = SoftmaxUnit::MANTISSA_BITS + SoftmaxUnit::GUARD_BITS;
    let rounds = select(lanes);
    vec![
        Step::logic(if unit.align > 0 { add(unit.exponent_width) } else { 0 }),
        Step { levels: rounds * (compare(whole) + 1), ..Step::memory(unit.pow2.len()) },
        Step::logic(add(whole) + select(power as usize)),
        Step::logic(sum(lanes, unit.sum_width)),
        Step::logic(2 * select(unit.sum_width as usize)),
        Step::memory(unit.recip.len()),
        Step::logic(multiply(unit.recip_width, power)),
        Step::logic(add(unit.sum_width + unit.recip_width) + select(unit.sum_width as usize)),
    ]
}

/// Levels of the longest way between two registers.
pub fn depth(design: &Design, directives: &Directives) -> u32 {
    let mut out = Vec::with_capacity(design.nodes.len());
    let mut longest = 0;
    for (id, node) in design.iter() {
        let way = way(node, directives.of(id), &out);
        longest = longest.max(way.longest);
        out.push(way.out);
    }
    longest
}

/// How far it is through a node.
struct Way {
    /// Levels of the longest way that ends in it, or at its output.
    longest: u32,
    /// Levels from the last register to its output.
    out: u32,
}

fn way(node: &Node, directive: Directive, before: &[u32]) -> Way {
    let Directive { cuts, elements, .. } = directive;
    let mut reached = begins_at(node, directive.shape(), before);
    let kept = stored(node, elements).iter().map(|&i| before[node.inputs[i].0] + STORE);
    let (mut from, mut longest) = (0, kept.max().unwrap_or(0).max(reached));
    let steps = steps(node, elements);
    for (s, step) in steps.iter().enumerate() {
        longest = longest.max(reached + levels(node, &steps, from, s));
        if cuts >> s & 1 == 1 {
            (reached, from) = (step.out, s + 1);
        }
    }
    if from < steps.len() {
        reached += levels(node, &steps, from, steps.len() - 1);
    }
    match &node.op {
        // They keep what comes in, and what goes out comes from there.
        // The newest row, or one that is kept.
        Op::History => Way { longest, out: reached.max(SOURCE_OUT) + 1 },
        Op::Window { .. } | Op::Transpose { .. } => Way { longest, out: SOURCE_OUT },
        Op::SumRows => Way { longest: reached + add(node.value.format.width), out: 0 },
        Op::Scores { .. } if elements == Elements::Parallel => {
            Way { longest: longest.max(reached), out: reached }
        }
        Op::Scores { .. } | Op::Mix { .. } => Way { longest: longest.max(reached + STORE), out: 0 },
        // The parts are joined in registers.
        Op::Lookup { .. } if directive.fold > 1 => Way { longest: longest.max(reached + STORE), out: 0 },
        Op::Encode {
            encoder: IntEncoder { kind: IntEncoderKind::Nearest { width, distance_width, .. }, .. },
            ..
        } => {
            let features = 1 << (distance_width - width).min(8);
            let own =
                multiply(*width, *width).max(sum(features, *distance_width)).max(compare(*distance_width));
            Way { longest: own.max(longest), out: 0 }
        }
        _ => Way { longest: longest.max(reached), out: reached },
    }
}

/// Operands that a node keeps in registers or a memory of its own before it looks at them.
fn stored(node: &Node, elements: Elements) -> &'static [usize] {
    match &node.op {
        Op::Scores { .. } | Op::Mix { .. } if elements == Elements::Parallel => &[1],
        Op::Scores { .. } | Op::Mix { .. } => &[0, 1],
        Op::Transpose { .. } | Op::History | Op::Residual { .. } => &[0],
        Op::Encode { encoder, .. } if matches!(encoder.kind, IntEncoderKind::Nearest { .. }) => &[0],
        _ => &[],
    }
}

/// Levels that are behind a node's input already when its first step begins.
fn begins_at(node: &Node, Shape { elements, fold, .. }: Shape, out: &[u32]) -> u32 {
    let of = |i: usize| node.inputs.get(i).map_or(0, |x| out[x.0]);
    match &node.op {
        // The row of codes comes, or waits; and the bank is deeper.
        Op::Lookup { .. } if fold > 1 => of(0) + 1 + select(fold as usize).div_ceil(2),
        // The element to look up comes from a register of the sequencer; the row, perhaps from where it waits.
        Op::Scores { .. } | Op::Mix { .. } if elements == Elements::Serial => 0,
        Op::Scores { .. } | Op::Mix { .. } => of(0).max(SOURCE_OUT),
        // The row that came early is read from where it waits.
        Op::Residual { .. } => of(1).max(SOURCE_OUT),
        _ => of(0),
    }
}

/// Registers so that no way exceeds the budget, outputs in `registered` always; or the node whose output must be registered
/// as well.
fn chain(design: &Design, shapes: &[Shape], budget: u32, registered: &[bool]) -> Result<Directives, NodeId> {
    let mut directives = Directives(Vec::with_capacity(design.nodes.len()));
    let mut out = Vec::with_capacity(design.nodes.len());
    for (id, node) in design.iter() {
        let shape = shapes[id.0];
        let elements = shape.elements;
        let mut own = 0;
        let steps = steps(node, elements);
        let mut reached = begins_at(node, shape, &out);
        let mut from = 0;
        for &i in stored(node, elements) {
            if out[node.inputs[i].0] + STORE > budget {
                demand(design, node.inputs[i], registered)?;
            }
        }
        if node.op == Op::SumRows && reached + add(node.value.format.width) > budget {
            demand(design, node.inputs[0], registered)?;
        }
        for (s, step) in steps.iter().enumerate() {
            let crowded = is_tree(node) && s - from == TREE_LEVELS_AT_ONCE;
            let too_far = crowded || reached + levels(node, &steps, from, s) > budget;
            if too_far && s > from {
                own |= 1 << (s - 1);
                (reached, from) = (steps[s - 1].out, s);
            } else if too_far && s == 0 && reached > 0 {
                demand(design, node.inputs[flow(node)], registered)?;
            }
            if step.fixed {
                own |= 1 << s;
                (reached, from) = (step.out, s + 1);
            }
        }
        if registered[id.0] {
            own |= 1 << (steps.len() - 1);
        }
        let directive = Directive::new(shape, own);
        out.push(way(node, directive, &out).out);
        directives.0.push(directive);
    }
    Ok(directives)
}

/// The operand whose rows go through a node's steps.
fn flow(node: &Node) -> usize {
    usize::from(matches!(node.op, Op::Residual { .. }))
}

/// Asks for a register at a node's output, where there can be another one.
fn demand(design: &Design, id: NodeId, registered: &[bool]) -> Result<(), NodeId> {
    let node = design.node(id);
    match &node.op {
        Op::Select { .. } | Op::History => demand(design, node.inputs[0], registered),
        _ if steps(node, Elements::Parallel).is_empty() || registered[id.0] => Ok(()),
        _ => Err(id),
    }
}

fn is_tree(node: &Node) -> bool {
    matches!(&node.op, Op::Encode { encoder: IntEncoder { kind: IntEncoderKind::Tree { .. }, .. }, .. })
}

/// Levels of steps `from..=to` of a node when no register is between them.
fn levels(node: &Node, steps: &[Step], from: usize, to: usize) -> u32 {
    match &node.op {
        Op::Encode { encoder: IntEncoder { kind: IntEncoderKind::Tree { width, .. }, .. }, .. } => {
            // The thresholds that can still be reached, the comparisons side by side, then the choice among them.
            (from as u32).div_ceil(2) + compare(*width) + (to - from) as u32
        }
        _ => steps[from..=to].iter().map(|step| step.levels).sum(),
    }
}

/// Levels that choose one of `n`.
fn select(n: usize) -> u32 {
    n.next_power_of_two().ilog2()
}

fn add(width: u32) -> u32 {
    2 + select(width as usize)
}

fn compare(width: u32) -> u32 {
    1 + select(width as usize)
}

/// `n` numbers: carry-save adders, each of which makes two of three, then one addition.
fn sum(n: usize, width: u32) -> u32 {
    (17 * select(n)).div_ceil(10) + add(width)
}

fn multiply(a: u32, b: u32) -> u32 {
    1 + sum(a.min(b) as usize, a + b)
}

/// By a constant.
fn scale(factor: usize) -> u32 {
    if factor.is_power_of_two() { 0 } else { sum(factor.count_ones() as usize, 2 * select(factor)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Plan;
    use tablewright_design::{lower, passes};
    use tablewright_model::testing::{dart, dart_s, dart_s_spec, dart_spec, dart_stream, random_model};

    fn designs() -> [Design; 3] {
        [(dart(), dart_spec()), (dart_s(), dart_s_spec()), (dart_stream(), dart_spec())]
            .map(|(network, spec)| passes::for_hardware(&lower(&random_model(&network, spec, 1))))
    }

    /// The published cycles let all tokens look up in parallel; here each table has one port.
    #[test]
    fn as_few_cycles_as_published_at_one_port_a_table() {
        let [dart, dart_s, stream] = designs().map(|design| Plan::automatic(&design).latency);
        assert!(dart <= 97 && dart_s <= 57, "{dart} and {dart_s}");
        // The older tokens of the window do not count.
        assert!(dart <= 60 && dart_s <= 48 && stream <= 60, "{dart}, {dart_s}, {stream}");
    }

    #[test]
    fn a_budget_is_kept_where_no_step_alone_exceeds_it() {
        for design in designs() {
            let shapes = Directives::shapes(&design);
            let least = depth(&design, &Directives::within(&design, &shapes, 1));
            let mut before = u64::MAX;
            for budget in 1..60 {
                let directives = Directives::within(&design, &shapes, budget);
                let plan = Plan::new(&design, &directives);
                assert!(plan.depth <= budget.max(least), "{} levels for {budget}", plan.depth);
                assert!(plan.latency <= before, "{budget} levels cost cycles");
                before = plan.latency;
                for (id, node) in design.iter() {
                    let Directive { cuts, elements, .. } = directives.of(id);
                    let steps = steps(node, elements);
                    assert!(steps.iter().enumerate().all(|(s, step)| !step.fixed || cuts >> s & 1 == 1));
                    assert_eq!(u64::from(cuts) >> steps.len(), 0, "{}", node.name);
                }
            }
        }
    }

    #[test]
    fn a_tree_has_at_most_four_levels_in_a_cycle() {
        for design in designs() {
            let directives = Directives::within(&design, &Directives::shapes(&design), u32::MAX);
            for (id, node) in design.iter().filter(|(_, node)| is_tree(node)) {
                let mut open = 0;
                for level in 0..node.value.format.width {
                    open += 1;
                    assert!(open <= TREE_LEVELS_AT_ONCE, "{}", node.name);
                    open *= usize::from(directives.of(id).cuts >> level & 1 == 0);
                }
            }
        }
    }
}
