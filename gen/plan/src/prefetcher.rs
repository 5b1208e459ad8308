//! Plan of what is around the predictor in a prefetcher: how many lanes the issue unit looks at in a cycle, how long it takes,
//! and how much waits where.

use serde::Serialize;
use tablewright_design::Design;

use crate::schedule::Plan;

/// Cycles a demand access spends in its holding register, at least.
const HOLD: u64 = 1;
/// Cycles from a row of logits to its place at the head of the queue.
const ROW_QUEUE: u64 = 1;
/// Cycles that one target takes: picked, then held against the filter.
const TARGET: u64 = 2;
/// Cycles from an issue to the prefetch at the output.
const PREFETCH_QUEUE: u64 = 1;

/// The issue unit: it takes the rows of logits one after the other, each for as long as its targets ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct IssuePlan {
    /// Lanes looked at in a cycle; a power of two.
    pub lanes: u64,
    /// Groups of so many lanes in a row; the first look at a row takes as many cycles.
    pub groups: u64,
    /// Targets of one row that are visited, at most: the issued ones, and all that the recent-request filter can pass over.
    pub targets: u64,
    /// Cycles from a row to its first prefetch at the output, if its best target is issued.
    pub latency: u64,
    /// Cycles that a row takes whose targets are all issued, as many as there may be.
    pub interval: u64,
    /// Cycles that a row takes, at most, while the consumer keeps up.
    pub interval_longest: u64,
}

impl IssuePlan {
    /// About as many groups as lanes of a group is cheapest: every lane and every group has a comparator. The unit gets
    /// wider than that only where it would else take longer than `interval` for a row, and where being wider helps.
    fn new(outputs: u64, degree: u64, filter: u64, interval: u64) -> Self {
        let widths = (1..=outputs.next_power_of_two().ilog2()).map(|log| 1 << log);
        let mut units = widths
            .filter(|lanes| lanes * lanes >= outputs)
            .map(|lanes| Self::with_lanes(outputs, degree, filter, lanes));
        let cheapest = units.next().unwrap_or_else(|| Self::with_lanes(outputs, degree, filter, 2));
        let in_time = |unit: &Self| unit.interval_longest <= interval;
        if in_time(&cheapest) { cheapest } else { units.find(in_time).unwrap_or(cheapest) }
    }

    /// Bits of a lane's place in its group.
    pub fn lane_width(&self) -> u32 {
        self.lanes.ilog2()
    }

    /// Bits of a group's number, at least 1.
    pub fn group_width(&self) -> u32 {
        self.groups.next_power_of_two().ilog2().max(1)
    }

    fn with_lanes(outputs: u64, degree: u64, filter: u64, lanes: u64) -> Self {
        let groups = outputs.div_ceil(lanes);
        // The access's own block is in the filter and no target; targets of one row are all different.
        let targets = outputs.min(degree + filter.saturating_sub(1));
        // A row that runs out of lanes before its last issue takes a cycle to see it.
        let row = |targets: u64, ended: bool| groups + TARGET * targets + u64::from(!ended);
        let ended = outputs >= degree + filter.saturating_sub(1);
        Self {
            lanes,
            groups,
            targets,
            latency: groups + TARGET - 1 + PREFETCH_QUEUE,
            interval: row(degree.min(outputs), outputs >= degree),
            interval_longest: row(targets, ended),
        }
    }
}

/// A prefetcher around a predictor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PrefetcherPlan {
    /// The issue unit.
    pub issue: IssuePlan,
    /// Cycles from a demand access to its first prefetch at the output, nobody in its way and its best target issued.
    pub latency: u64,
    /// Cycles from one access taken to the next, at most, while the consumer keeps up.
    pub interval: u64,
    /// Accesses between the holding register and the end of their issue; rows of logits that may wait.
    pub places: u64,
    /// Prefetches that may wait for the consumer.
    pub queue: u64,
}

impl PrefetcherPlan {
    /// Around the predictor of `design` under `plan`.
    pub fn new(design: &Design, plan: &Plan) -> Self {
        let (outputs, degree) = (design.network.outputs as u64, design.input.degree as u64);
        let issue = IssuePlan::new(outputs, degree, design.input.filter as u64, plan.interval);
        let row = plan.stage(design.logits()).last() + ROW_QUEUE;
        // Enough places that a row in its turn, as long as it does not outlast the interval, costs no cycle.
        let held = row + issue.interval_longest.min(plan.interval);
        Self {
            issue,
            latency: HOLD + row + issue.latency,
            interval: plan.interval.max(issue.interval_longest),
            places: held.div_ceil(plan.interval),
            queue: degree,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_wider_than_cheapest_where_that_keeps_up() {
        let unit = |interval| IssuePlan::new(256, 16, 16, interval);
        assert_eq!([1000, 129, 78, 77, 70, 66].map(|i| unit(i).lanes), [16, 16, 16, 32, 32, 64]);
        // 31 targets: 16 issued, 15 passed over; the block itself has the sixteenth place of the filter.
        assert_eq!((unit(70).targets, unit(70).interval_longest), (31, 8 + 62));
        // Never fast enough.
        let cheapest = unit(30);
        assert_eq!((cheapest.lanes, cheapest.groups), (16, 16));
        assert_eq!((cheapest.interval, cheapest.interval_longest), (16 + 32, 16 + 62));
    }

    #[test]
    fn a_row_that_runs_out_of_lanes_takes_a_cycle_more() {
        let unit = |outputs, degree, filter| IssuePlan::with_lanes(outputs, degree, filter, 2);
        assert_eq!((unit(10, 16, 16).targets, unit(10, 16, 16).interval_longest), (10, 5 + 20 + 1));
        assert_eq!((unit(10, 4, 0).targets, unit(10, 4, 0).interval_longest), (4, 5 + 8));
        assert_eq!((unit(10, 4, 4).targets, unit(10, 4, 4).interval_longest), (7, 5 + 14));
        assert_eq!((unit(10, 10, 1).interval, unit(10, 10, 1).interval_longest), (25, 25));
        assert_eq!(unit(2, 1, 0).latency, 3);
    }
}
