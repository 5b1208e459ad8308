//! What a design costs, read off its plan: every figure exact or modelled, and marked so.

use std::collections::BTreeMap;

use serde::Serialize;
use tablewright_design::{Design, Node, Op, Saved};

pub use self::prefetcher::{Part, PrefetcherEstimate};
use crate::banks::{Bank, StyleError};
use crate::folding;
use crate::published::Published;
use crate::resources::{Memory, Operator, Resources, accumulator};
use crate::schedule::{Plan, Stage};
use crate::target::{Figure, Target};

mod prefetcher;

/// How a figure came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Basis {
    /// Counted: the Verilog has just that, and simulation shows it.
    Exact,
    /// Computed from coefficients that were measured elsewhere, or fitted.
    Modelled,
}

/// What a design costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// Of the model.
    pub model: String,
    /// Cycles from the acceptance of a window to its bitmap, nobody stalling.
    pub latency_cycles: u64,
    /// Cycles from one window to the next, nobody stalling.
    pub interval_cycles: u64,
    /// Levels of logic between two registers, at most; a level is about a multiplexer of two.
    pub levels: u32,
    /// The node that sets the interval.
    pub bottleneck: String,
    /// Table words read for one inference.
    pub words_per_inference: u64,
    /// Bits of table entries.
    pub table_bits: u64,
    /// Bits of the banks that they are stored in.
    pub stored_table_bits: u64,
    /// Bits of these banks that repeat others or are never read, by why, and are not stored.
    pub saved_table_bits: Saved,
    /// Bits of thresholds and prototypes, each encoder once.
    pub encoder_bits: u64,
    /// Bits of all constant memories, every copy counted: tables, prototypes, constants of the arithmetic units.
    pub rom_bits: u64,
    /// Bits of memories that are written while the core runs: waiting rows, codes, the output queue.
    pub writable_bits: u64,
    /// Flip-flops, the read registers of the banks included.
    pub register_bits: u64,
    /// How the plain numbers above, of the kernels and of `published` came about, by the name of the field. Figures of
    /// the target carry their own.
    pub basis: BTreeMap<&'static str, Basis>,
    /// The paper's numbers for this configuration.
    pub published: Published,
    /// Every node in order, and last the output queue.
    pub kernels: Vec<Kernel>,
    /// The other top: the prefetcher around the same predictor. All other figures are the core's.
    pub prefetcher: PrefetcherEstimate,
    /// What the target makes of it.
    pub target: TargetEstimate,
}

/// What one node costs.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Kernel {
    /// Of the node, and of its signals.
    pub name: String,
    /// What it computes.
    pub op: &'static str,
    /// Rows of its value.
    pub rows: usize,
    /// Elements of a row.
    pub lanes: usize,
    /// Of an element, `s` or `u`, width, fraction bits.
    pub format: String,
    /// Cycle in which row 0 is valid, or with an `ahead_cycle` the last row; the window is accepted in cycle 0.
    pub first_cycle: u64,
    /// Where all rows but the last come ahead of their access: cycle in which row 0 is valid, the access before it accepted
    /// in cycle 0.
    pub ahead_cycle: Option<u64>,
    /// Rows that come in one cycle.
    pub rows_at_once: u64,
    /// Cycles from one row, or group of rows that come at once, to the next.
    pub row_interval_cycles: u64,
    /// Cycle in which the last row is valid.
    pub last_cycle: u64,
    /// Cycles for which one window takes the stage.
    pub occupancy_cycles: u64,
    /// Bits of table entries.
    pub table_bits: u64,
    /// Bits of the banks that they are stored in.
    pub stored_table_bits: u64,
    /// Bits of these banks that repeat others or are never read, by why, and are not stored.
    pub saved_table_bits: Saved,
    /// Bits of thresholds or prototypes, once.
    pub encoder_bits: u64,
    /// Times the encoder is instantiated: once for each part of a row (head) that shares it.
    pub encoder_copies: u64,
    /// Bits of constant memories, every copy counted.
    pub rom_bits: u64,
    /// Bits of memories that are written while the core runs.
    pub writable_bits: u64,
    /// Flip-flops, the read registers of the banks included.
    pub register_bits: u64,
    /// The format in which it accumulates.
    pub accumulator: Option<String>,
    /// Shapes of its memories.
    pub memories: Vec<Memory>,
    /// Its data-path operators.
    pub operators: Vec<Operator>,
}

/// What a target makes of a design.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TargetEstimate {
    /// As it was asked for.
    pub name: String,
    /// For people.
    pub title: String,
    /// Where the coefficients come from.
    pub source: String,
    /// How far below the modelled figures the truth may lie.
    pub less_percent: u32,
    /// How far above.
    pub more_percent: u32,
    /// Areas or primitives.
    pub figures: Vec<Figure>,
    /// What the levels of logic make of a cycle; none for a target whose logic nobody timed.
    pub clock: Option<Clock>,
    /// The banks of every table: shapes and bits are exact, prices modelled. Empty for a target without prices.
    pub banks: Vec<Bank>,
}

/// Cycles in time. All modelled.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Clock {
    /// Megahertz.
    pub mhz: f64,
    /// Nanoseconds from the acceptance of a window to its bitmap.
    pub latency_ns: f64,
    /// Nanoseconds from one window to the next.
    pub interval_ns: f64,
    /// How far the periods of cores that were timed lie from the model, at most.
    pub within_percent: u32,
}

impl Clock {
    /// The period that the levels ask for, or the slowest memory.
    fn of(plan: &Plan, target: &Target, banks: &[Bank]) -> Option<Self> {
        let timing = target.timing?;
        let slowest = banks.iter().filter_map(|bank| bank.chosen.clk_to_q_ns).fold(0.0, f64::max);
        let period = timing.period_ns(plan.depth, slowest);
        Some(Self {
            mhz: 1000.0 / period,
            latency_ns: plan.latency as f64 * period,
            interval_ns: plan.interval as f64 * period,
            within_percent: timing.within_percent,
        })
    }
}

impl Estimate {
    /// Of a design under a plan, for a target that has all that the plan makes banks of.
    pub fn of(design: &Design, plan: &Plan, target: &Target) -> Result<Self, StyleError> {
        let banks = folding::banks(design, plan, target)?;
        let total = Resources::of_design(design, plan);
        let mut kernels: Vec<Kernel> =
            design.iter().map(|(id, node)| kernel(design, plan, node, plan.stage(id))).collect();
        kernels.push(queue(design, plan));
        let figures = target.figures(&total, &banks);
        let clock = Clock::of(plan, target, &banks);
        Ok(Self {
            model: design.name.clone(),
            latency_cycles: plan.latency,
            interval_cycles: plan.interval,
            levels: plan.depth,
            bottleneck: design.node(plan.bottleneck()).name.clone(),
            words_per_inference: design.words_per_inference(),
            table_bits: total.table_bits,
            stored_table_bits: total.stored_table_bits,
            saved_table_bits: total.saved,
            encoder_bits: total.encoder_bits,
            rom_bits: total.rom_bits(),
            writable_bits: total.writable_bits(),
            register_bits: total.register_bits(),
            basis: basis(),
            published: Published::of(design),
            kernels,
            prefetcher: PrefetcherEstimate::of(design, plan, target),
            target: TargetEstimate {
                name: target.name.clone(),
                title: target.title.clone(),
                source: target.source.clone(),
                less_percent: target.less_percent,
                more_percent: target.more_percent,
                figures,
                clock,
                banks,
            },
        })
    }
}

/// Of every plain number by its field.
fn basis() -> BTreeMap<&'static str, Basis> {
    let exact = [
        "latency_cycles",
        "interval_cycles",
        "words_per_inference",
        "table_bits",
        "stored_table_bits",
        "saved_table_bits",
        "encoder_bits",
        "rom_bits",
        "writable_bits",
        "register_bits",
        "kernels.first_cycle",
        "kernels.ahead_cycle",
        "kernels.rows_at_once",
        "kernels.row_interval_cycles",
        "kernels.last_cycle",
        "kernels.occupancy_cycles",
        "kernels.table_bits",
        "kernels.stored_table_bits",
        "kernels.saved_table_bits",
        "kernels.encoder_bits",
        "kernels.encoder_copies",
        "kernels.rom_bits",
        "kernels.writable_bits",
        "kernels.register_bits",
        "kernels.accumulator",
        "kernels.memories",
        "kernels.operators",
        "prefetcher.latency_cycles",
        "prefetcher.interval_cycles",
        "prefetcher.issue_latency_cycles",
        "prefetcher.issue_interval_cycles",
        "prefetcher.issue_interval_longest_cycles",
        "prefetcher.around_register_bits",
        "prefetcher.around_writable_bits",
        "prefetcher.register_bits",
        "prefetcher.writable_bits",
        "prefetcher.parts.register_bits",
        "prefetcher.parts.writable_bits",
        "prefetcher.parts.memories",
        "prefetcher.parts.operators",
    ];
    let modelled =
        ["levels", "published.latency_cycles", "published.storage_bits", "published.storage_bits_32"];
    let exact = exact.into_iter().map(|field| (field, Basis::Exact));
    exact.chain(modelled.into_iter().map(|field| (field, Basis::Modelled))).collect()
}

fn kernel(design: &Design, plan: &Plan, node: &Node, stage: Stage) -> Kernel {
    let copies = match &node.op {
        Op::Encode { groups, .. } => *groups as u64 * stage.at_once(),
        _ => 0,
    };
    let timed = Kernel {
        name: node.name.clone(),
        op: node.op.kind(),
        rows: node.value.rows,
        lanes: node.value.lanes,
        format: node.value.format.to_string(),
        first_cycle: stage.first,
        ahead_cycle: stage.ahead().map(|(_, cycle)| cycle),
        rows_at_once: stage.at_once(),
        row_interval_cycles: stage.row_interval,
        last_cycle: stage.last(),
        occupancy_cycles: stage.occupancy(),
        encoder_copies: copies,
        accumulator: accumulator(node).map(|f| f.to_string()),
        ..Kernel::default()
    };
    timed.made_of(Resources::of_node(design, plan, node, stage))
}

fn queue(design: &Design, plan: &Plan) -> Kernel {
    let timed = Kernel {
        name: "queue".to_owned(),
        op: "queue",
        rows: 1,
        lanes: design.network.outputs,
        format: "u1.0".to_owned(),
        // In the cycle after it was written a bitmap is at the output.
        first_cycle: plan.latency,
        rows_at_once: 1,
        row_interval_cycles: 1,
        last_cycle: plan.latency,
        occupancy_cycles: 1,
        ..Kernel::default()
    };
    timed.made_of(Resources::of_queue(design, plan))
}

impl Kernel {
    fn made_of(self, resources: Resources) -> Self {
        Self {
            table_bits: resources.table_bits,
            stored_table_bits: resources.stored_table_bits,
            saved_table_bits: resources.saved,
            encoder_bits: resources.encoder_bits,
            rom_bits: resources.rom_bits(),
            writable_bits: resources.writable_bits(),
            register_bits: resources.register_bits(),
            memories: resources.memories,
            operators: resources.operators,
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tablewright_design::{lower, passes};
    use tablewright_model::testing::{dart, dart_spec, random_model};

    fn dart_estimate() -> Estimate {
        let design = passes::optimise(&lower(&random_model(&dart(), dart_spec(), 1)));
        let plan = Plan::automatic(&design);
        let target = Target {
            name: "none".into(),
            title: String::new(),
            source: String::new(),
            less_percent: 1,
            more_percent: 1,
            timing: None,
            cells: None,
            fpga: None,
        };
        Estimate::of(&design, &plan, &target).expect("no styles")
    }

    #[test]
    fn the_table_bits_of_dart() {
        let estimate = dart_estimate();
        // embed, out, ff1, ff2: 32 outputs each; q, k, v: 64 each; head: 256; two pair tables of 128² words.
        let words = 128 * 2 * (4 * 32 + 3 * 64 + 256) + 2 * 128 * 128 * 2;
        assert_eq!(estimate.table_bits, 8 * words);
        assert!(estimate.target.figures.is_empty());
    }

    #[test]
    fn the_kernels_add_up_to_the_whole() {
        let estimate = dart_estimate();
        let sum = |of: fn(&Kernel) -> u64| estimate.kernels.iter().map(of).sum::<u64>();
        assert_eq!(sum(|k| k.table_bits), estimate.table_bits);
        assert_eq!(sum(|k| k.stored_table_bits), estimate.stored_table_bits);
        assert_eq!(sum(|k| k.encoder_bits), estimate.encoder_bits);
        assert_eq!(sum(|k| k.rom_bits), estimate.rom_bits);
        assert_eq!(sum(|k| k.writable_bits), estimate.writable_bits);
        assert_eq!(sum(|k| k.register_bits), estimate.register_bits);
        let longest = estimate.kernels.iter().max_by_key(|k| k.occupancy_cycles).expect("kernels");
        assert_eq!(longest.occupancy_cycles, estimate.interval_cycles);
        assert_eq!(longest.name, estimate.bottleneck);
    }

    #[test]
    fn every_plain_number_says_how_it_came_about() {
        let estimate = dart_estimate();
        let json = serde_json::to_value(&estimate).expect("serialises");
        let named = |field: String| {
            assert!(estimate.basis.contains_key(field.as_str()), "{field} has no basis");
        };
        let costs = |key: &str| key.ends_with("_bits") || key.ends_with("_cycles") || key.contains("_bits_");
        for key in json.as_object().expect("an object").keys().filter(|k| costs(k)) {
            named(key.clone());
        }
        for key in json["kernels"][1].as_object().expect("an object").keys().filter(|k| costs(k)) {
            named(format!("kernels.{key}"));
        }
        let prefetcher = &json["prefetcher"];
        for key in prefetcher.as_object().expect("an object").keys().filter(|k| costs(k)) {
            named(format!("prefetcher.{key}"));
        }
        for key in prefetcher["parts"][0].as_object().expect("an object").keys().filter(|k| costs(k)) {
            named(format!("prefetcher.parts.{key}"));
        }
        assert!(json["latency_cycles"].is_u64() && json["interval_cycles"].is_u64());
        assert_eq!(json["basis"]["latency_cycles"], "exact");
    }
}
