//! Where rows are folded over the depth of a bank, and what the banks are made of, chosen for a target.
//!
//! A folded table takes as many cycles a row as it has parts, so it needs an interval with room. What is gained is the width:
//! memories are cheap in depth and dear in width, and the adders are those of one part. What it costs is in the price too: the
//! registers that keep the codes and join the parts.

use tablewright_design::{Design, IntTable};

use crate::banks::{self, Bank, Rules, Style, StyleError};
use crate::pipeline::{Directives, Shape, folds};
use crate::resources::{Holds, Resources};
use crate::schedule::Plan;
use crate::target::Target;

/// What the whole must keep.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Levels between two registers, at most.
    pub levels: u32,
    /// Cycles from one window to the next, at most.
    pub interval: u64,
    /// Cycles from a window to its bitmap, at most.
    pub latency: u64,
}

/// The banks of a design under a plan, each kernel's made as its directive says.
pub fn banks(design: &Design, plan: &Plan, target: &Target) -> Result<Vec<Bank>, StyleError> {
    let mut all = Vec::new();
    for (id, node) in design.iter().filter(|(_, node)| !node.op.tables().is_empty()) {
        let stage = plan.stage(id);
        let memories = Resources::of_node(design, plan, node, stage).memories;
        let directive = stage.directive;
        all.extend(banks::plan(target, &node.name, &memories, directive.fold, directive.style)?);
    }
    Ok(all)
}

/// The cheapest styles that the rules allow, for every table; what a plan already says of one stays. A target without prices
/// leaves all as it is.
#[must_use]
pub fn styled(design: &Design, directives: &Directives, target: &Target, rules: Rules) -> Directives {
    let rules = rules.of(design);
    let plan = Plan::new(design, directives);
    let mut directives = directives.clone();
    for (id, node) in design.iter().filter(|(_, node)| !node.op.tables().is_empty()) {
        let memories = Resources::of_node(design, &plan, node, plan.stage(id)).memories;
        let shapes: Vec<(u64, u64, u64)> = memories
            .iter()
            .filter(|memory| memory.holds == Holds::TableBank)
            .map(|memory| (memory.count, memory.words, memory.width))
            .collect();
        let style = banks::style(target, &shapes, rules);
        let directive = &mut directives.0[id.0];
        if let (Style::Auto, Some(style)) = (directive.style, style) {
            directive.style = style;
        }
    }
    directives
}

/// Folds every table as far as that makes the whole cheaper and the limits hold, the largest table first. The shapes given keep
/// the limits.
#[must_use]
pub fn folded(
    design: &Design,
    shapes: &[Shape],
    limits: Limits,
    target: &Target,
    rules: Rules,
) -> Vec<Shape> {
    let mut shapes = shapes.to_vec();
    let Some(mut cheapest) = price(design, &shapes, limits, target, rules) else {
        return shapes;
    };
    let bits = |i: usize| design.nodes[i].op.tables().iter().map(IntTable::storage_bits).sum::<u64>();
    let mut order: Vec<usize> = (0..design.nodes.len()).collect();
    order.sort_by_key(|&i| (std::cmp::Reverse(bits(i)), i));
    for i in order {
        for fold in folds(&design.nodes[i]).into_iter().skip(1) {
            let tried = Shape { fold, ..shapes[i] };
            let kept = std::mem::replace(&mut shapes[i], tried);
            match price(design, &shapes, limits, target, rules) {
                Some(price) if price < cheapest => cheapest = price,
                _ => shapes[i] = kept,
            }
        }
    }
    shapes
}

/// Of the whole design; `None` where the limits do not hold, or nothing has a price.
fn price(design: &Design, shapes: &[Shape], limits: Limits, target: &Target, rules: Rules) -> Option<f64> {
    let rules = rules.of(design);
    let directives = Directives::within(design, shapes, limits.levels);
    let plan = Plan::new(design, &styled(design, &directives, target, rules));
    if plan.interval > limits.interval || plan.latency > limits.latency {
        return None;
    }
    let banks = banks(design, &plan, target).ok()?;
    target.price(&Resources::of_design(design, &plan), &banks)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::{Cells, Macro};
    use tablewright_design::{Op, lower, passes};
    use tablewright_model::testing::{dart_s, dart_s_spec, random_model};

    /// A process whose only macro is deep and narrow.
    fn target() -> Target {
        let deep = Macro {
            name: "DEEP".into(),
            words: 256,
            width: 16,
            area: 10_000.0,
            clk_to_q_ns: 1.0,
            read_pj: 1.0,
        };
        Target {
            name: "test".into(),
            title: String::new(),
            source: String::new(),
            less_percent: 1,
            more_percent: 1,
            timing: None,
            cells: Some(Cells {
                rom_bit: 1000.0,
                flip_flop: 1.0,
                writable_bit: 1000.0,
                adder_bit: 1.0,
                comparator_bit: 1.0,
                multiplier_bit: 1.0,
                shifter_bit: 1.0,
                macros: vec![deep],
            }),
            fpga: None,
        }
    }

    #[test]
    fn rows_are_folded_as_far_as_the_limits_hold() {
        let design = passes::for_hardware(&lower(&random_model(&dart_s(), dart_s_spec(), 1)));
        let shapes = Directives::shapes(&design);
        let flat = Plan::new(&design, &Directives::within(&design, &shapes, 20));
        let plan = |interval: u64, latency: u64| {
            let limits = Limits { levels: 20, interval, latency };
            let shapes = folded(&design, &shapes, limits, &target(), Rules::default());
            let directives = Directives::within(&design, &shapes, 20);
            (Plan::new(&design, &styled(&design, &directives, &target(), Rules::default())), shapes)
        };
        // Nothing that would cost a cycle, where none is left.
        let (tight, kept) = plan(flat.interval, flat.latency);
        assert!(tight.interval <= flat.interval && tight.latency <= flat.latency);
        assert!(kept.iter().all(|shape| shape.fold == 1));
        let (some, _) = plan(flat.interval + 20, flat.latency + 30);
        assert!(some.interval <= flat.interval + 20 && some.latency <= flat.latency + 30);
        let (free, shapes) = plan(u64::MAX, u64::MAX);
        let tiles = |plan: &Plan| -> u64 {
            let banks = banks(&design, plan, &target()).expect("styles of this target");
            banks.iter().map(|b| b.count * b.chosen.across * b.chosen.stacked).sum()
        };
        assert!(tiles(&free) < tiles(&some) && tiles(&some) < tiles(&tight));
        // 16 words of 2,048 bits would be 128 macros, each for 16 words; folded 16 times they are full, and eight.
        let (head, _) = design.iter().find(|(_, n)| n.name == "head").expect("a head");
        assert!(matches!(design.node(head).op, Op::Lookup { .. }));
        assert!(shapes[head.0].fold >= 16, "{:?}", shapes[head.0]);
    }
}
