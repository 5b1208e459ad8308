//! What the prefetcher costs beyond its predictor.

use serde::Serialize;
use tablewright_design::Design;

use crate::prefetcher::PrefetcherPlan;
use crate::resources::{Memory, Operator, Resources};
use crate::schedule::Plan;
use crate::target::{Figure, Target};

/// The prefetcher: demand accesses in, prefetch addresses out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrefetcherEstimate {
    /// Cycles from a demand access to its first prefetch, nobody in its way.
    pub latency_cycles: u64,
    /// Cycles from one access taken to the next, at most, while the consumer keeps up.
    pub interval_cycles: u64,
    /// Lanes that the issue unit looks at in a cycle.
    pub issue_lanes: u64,
    /// Cycles from a row of logits to its first prefetch.
    pub issue_latency_cycles: u64,
    /// Cycles that a row takes with as many prefetches as there may be and no target passed over.
    pub issue_interval_cycles: u64,
    /// Cycles that a row takes at most.
    pub issue_interval_longest_cycles: u64,
    /// What is around the predictor.
    pub parts: Vec<Part>,
    /// Flip-flops of these parts.
    pub around_register_bits: u64,
    /// Bits of memories of these parts.
    pub around_writable_bits: u64,
    /// Flip-flops of the whole prefetcher, the read registers of the banks included.
    pub register_bits: u64,
    /// Bits of memories that are written while it runs, of the whole prefetcher.
    pub writable_bits: u64,
    /// What the target makes of the parts around the predictor.
    pub around_figures: Vec<Figure>,
}

/// One part around the predictor.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Of the instance, without its `u_`.
    pub name: &'static str,
    /// Flip-flops.
    pub register_bits: u64,
    /// Bits of memories.
    pub writable_bits: u64,
    /// Shapes of its memories.
    pub memories: Vec<Memory>,
    /// Its data-path operators.
    pub operators: Vec<Operator>,
}

impl PrefetcherEstimate {
    pub(super) fn of(design: &Design, plan: &Plan, target: &Target) -> Self {
        let around = PrefetcherPlan::new(design, plan);
        let whole = Resources::of_prefetcher(design, plan, &around);
        let mut together = Resources::default();
        let mut parts = Vec::new();
        for (name, resources) in Resources::of_prefetcher_parts(design, &around) {
            together.absorb(&resources);
            parts.push(Part {
                name,
                register_bits: resources.register_bits(),
                writable_bits: resources.writable_bits(),
                memories: resources.memories,
                operators: resources.operators,
            });
        }
        Self {
            latency_cycles: around.latency,
            interval_cycles: around.interval,
            issue_lanes: around.issue.lanes,
            issue_latency_cycles: around.issue.latency,
            issue_interval_cycles: around.issue.interval,
            issue_interval_longest_cycles: around.issue.interval_longest,
            parts,
            around_register_bits: together.register_bits(),
            around_writable_bits: together.writable_bits(),
            register_bits: whole.register_bits(),
            writable_bits: whole.writable_bits(),
            around_figures: target.figures(&together, &[]),
        }
    }
}
