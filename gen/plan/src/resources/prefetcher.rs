//! The prefetcher around the predictor: each part counts one cell of `hdl-templates`, in the order of its text.

use tablewright_design::{Design, Op};

use super::cells::{clog2, index_bits};
use super::{Function, Holds, Memory, Resources};
use crate::prefetcher::PrefetcherPlan;
use crate::schedule::Plan;

/// Bits of the counter of dropped accesses.
const DROPPED_BITS: u64 = 32;

impl Resources {
    /// What is around the predictor, part by part: name of the instance, and what it is made of.
    pub fn of_prefetcher_parts(design: &Design, around: &PrefetcherPlan) -> Vec<(&'static str, Self)> {
        let history = design.network.history as u64;
        let block = u64::from(design.block_width());
        let mut parts = Vec::new();
        let mut part = |name: &'static str, fill: &dyn Fn(&mut Self)| {
            let mut resources = Self::default();
            fill(&mut resources);
            parts.push((name, resources));
        };
        part("hold", &|r| r.registers(u64::from(design.access_width()) + 1 + DROPPED_BITS));
        if !design.streaming {
            part("window", &|r| r.registers((history - 1) * u64::from(design.segments_width())));
        }
        part("warm_up", &|r| r.registers(clog2(history)));
        part("rows", &|r| {
            let row = design.network.outputs as u64 * u64::from(design.logits_format().width);
            r.fifo(Holds::Logits, around.places, row);
        });
        part("blocks", &|r| r.fifo(Holds::Blocks, around.places, block + 1));
        part("issue", &|r| r.issue(design, around));
        part("filter", &|r| {
            let entries = design.input.filter as u64;
            if entries > 0 {
                r.registers(index_bits(entries) + entries * (1 + block));
                r.operator(Function::Compare, entries, design.block_width(), design.block_width());
            }
        });
        part("prefetches", &|r| r.fifo(Holds::Prefetches, around.queue, block));
        parts
    }

    /// Of the whole prefetcher: the predictor, which is all nodes but the threshold, and what is around it.
    pub fn of_prefetcher(design: &Design, plan: &Plan, around: &PrefetcherPlan) -> Self {
        // It admits as many accesses as there are places for their rows.
        let plan = &Plan { queue: around.places, ..plan.clone() };
        let mut all = Self::default();
        for (id, node) in design.iter().filter(|(_, node)| !matches!(node.op, Op::Threshold { .. })) {
            all.absorb(&Self::of_node(design, plan, node, plan.stage(id)));
        }
        all.absorb(&Self::of_loading(design, around.places));
        for (_, part) in Self::of_prefetcher_parts(design, around) {
            all.absorb(&part);
        }
        all
    }

    /// `tw_fifo.v`.
    fn fifo(&mut self, holds: Holds, words: u64, width: u64) {
        self.memory(Memory { holds, count: 1, words, width, writable: true });
        self.registers(2 * index_bits(words) + clog2(words + 1));
    }

    /// `tw_issue.v`.
    fn issue(&mut self, design: &Design, around: &PrefetcherPlan) {
        let issue = &around.issue;
        let (logit, block) = (design.logits_format().width, design.block_width());
        let rank = logit + issue.lane_width();
        // State, group, issues, places; the rank picked and its target.
        self.registers(2 + u64::from(issue.group_width()));
        self.registers(index_bits(design.input.degree as u64) + clog2(around.queue + 1));
        self.registers(u64::from(rank + block));
        if let Some(page) = design.input.page_bits {
            let place =
                (page - design.input.block_bits).max(issue.group_width() + issue.lane_width() + 2) + 1;
            self.operator(Function::Add, issue.lanes, place, place);
        }
        // The best of each group.
        self.registers(issue.groups * u64::from(1 + rank));
        self.operator(Function::Compare, issue.lanes, logit + 1, logit + 1);
        self.operator(Function::Compare, issue.lanes, rank, rank);
        self.operator(Function::Compare, issue.lanes - 1 + issue.groups - 1, logit, logit);
        self.operator(Function::Add, 1, block, block);
    }
}
