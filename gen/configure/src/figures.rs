//! What a configuration costs, read off the plan of a design.

use serde::Serialize;
use tablewright_design::{lower, passes};
use tablewright_model::{InputConfig, TableModel};
use tablewright_plan::published::Published;
use tablewright_plan::resources::Resources;
use tablewright_plan::target::Figure;
use tablewright_plan::{Plan, Target, folding};

use crate::candidate::Candidate;
use crate::stand_in::stand_in;

/// What is the same for all candidates.
#[derive(Debug, Clone)]
pub struct Base {
    /// How an access becomes segments.
    pub input: InputConfig,
    /// Width of the values between kernels.
    pub activation_bits: u32,
    /// What the hardware is made for.
    pub target: Target,
}

/// Of one design under its plan.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Figures {
    /// Cycles from a window, or in a streaming design an access, to its bitmap.
    pub latency_cycles: u64,
    /// Cycles from one of them to the next.
    pub interval_cycles: u64,
    /// Tables and encoders, each encoder once, in whole bytes.
    pub storage_bytes: u64,
    /// Bits of table entries.
    pub table_bits: u64,
    /// Bits of thresholds and prototypes.
    pub encoder_bits: u64,
    /// Table words read for one inference.
    pub words_per_inference: u64,
    /// Area or primitives; empty where the target models none.
    pub target: Vec<Figure>,
    /// The formulas of the paper for the same configuration.
    pub published: Published,
}

impl Figures {
    /// Of a candidate, on tables of its shape that stand in for those nobody has trained yet.
    pub fn of(candidate: &Candidate, base: &Base) -> Self {
        Self::of_model(&stand_in(candidate, &base.input, base.activation_bits), &base.target)
    }

    /// Of a model.
    pub fn of_model(model: &TableModel, target: &Target) -> Self {
        // What a bank stores depends on contents, and of a stand-in there are none: banks are whole.
        let design = passes::chosen(&lower(model), |pass| pass != passes::PACKED);
        let plan = Plan::automatic(&design);
        let resources = Resources::of_design(&design, &plan);
        Self {
            latency_cycles: plan.latency,
            interval_cycles: plan.interval,
            storage_bytes: (resources.table_bits + resources.encoder_bits).div_ceil(8),
            table_bits: resources.table_bits,
            encoder_bits: resources.encoder_bits,
            words_per_inference: design.words_per_inference(),
            // Nothing is asked of the banks here, so nothing can be refused.
            target: target.figures(&resources, &folding::banks(&design, &plan, target).unwrap_or_default()),
            published: Published::of(&design),
        }
    }
}
