//! What `explain` finds out: F1 after each stage of the way, and what every kernel does.
//!
//! * [`measure`]: from networks, a model and windows to an [`Explanation`]. [`integers`]: the golden model against the
//!   float tables, node by node.
//! * [`text`]: for people. [`plot`]: as SVG.

pub(crate) mod integers;
pub(crate) mod measure;
pub(crate) mod plot;
pub(crate) mod text;

use serde::Serialize;
use tablewright_model::KernelSpec;
use tablewright_tabularize::explain::{Distance, Usage};

/// The result of `explain`; its fields are described in `models/EXPLAIN.md`.
#[derive(Debug, Serialize)]
pub(crate) struct Explanation {
    pub(crate) model: String,
    pub(crate) trace: String,
    pub(crate) page_bits: Option<u32>,
    pub(crate) windows: Windows,
    pub(crate) stages: Vec<Stage>,
    /// Why stages are missing.
    pub(crate) left_out: Vec<String>,
    pub(crate) baseline: Option<Baseline>,
    pub(crate) costliest: Option<Costliest>,
    pub(crate) kernels: Vec<Kernel>,
}

/// Windows that were used, after thinning.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Windows {
    /// Trees' prototypes are means over these.
    pub(crate) train: usize,
    /// Thresholds are chosen on these.
    pub(crate) valid: usize,
    /// Everything is measured on these.
    pub(crate) test: usize,
    /// Of how many in the test part.
    pub(crate) test_of: usize,
}

/// One stage of the way.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Stage {
    /// `teacher`, `student`, `prototypes`, `tables` or `integers`.
    pub(crate) name: &'static str,
    /// On the test windows.
    pub(crate) f1: f64,
    /// Of the stage before it minus this one's.
    pub(crate) f1_lost: Option<f64>,
    /// A probability.
    pub(crate) threshold: f64,
}

/// What single kernels are compared with: each with the threshold that is best on the validation windows.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Baseline {
    /// No kernel in tables.
    pub(crate) f1_exact: f64,
    /// All kernels in tables.
    pub(crate) f1_tables: f64,
}

/// The kernels to look at first.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Costliest {
    /// Loses most when it alone is in tables.
    pub(crate) alone: String,
    pub(crate) f1_lost: f64,
    /// Wins most when it alone is exact.
    pub(crate) exact: String,
    pub(crate) f1_gained: f64,
}

/// One kernel.
#[derive(Debug, Serialize)]
pub(crate) struct Kernel {
    pub(crate) name: String,
    #[serde(flatten)]
    pub(crate) spec: KernelSpec,
    /// It alone in tables, all others exact.
    pub(crate) alone: Option<Alone>,
    /// Its output in the running table model.
    pub(crate) running: Option<Error>,
    /// It alone exact, all others in tables.
    pub(crate) exact: Option<Exact>,
    /// Integers against float tables.
    pub(crate) integers: Option<Integers>,
    pub(crate) codes: Vec<Codes>,
}

/// One kernel in tables.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Alone {
    pub(crate) f1: f64,
    pub(crate) f1_lost: f64,
    #[serde(flatten)]
    pub(crate) error: Error,
}

/// All kernels but one in tables.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Exact {
    pub(crate) f1: f64,
    pub(crate) f1_gained: f64,
}

/// One kernel of the golden model.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Integers {
    #[serde(flatten)]
    pub(crate) error: Error,
    /// Share of the codes at its input that are others than in float.
    pub(crate) codes_changed: f64,
}

/// How far an output is from what it stands for.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Error {
    pub(crate) cosine: f64,
    pub(crate) mse: f64,
    /// Root mean square of the error over that of the true output.
    pub(crate) relative: Option<f64>,
}

impl From<Distance> for Error {
    fn from(distance: Distance) -> Self {
        Self { cosine: distance.cosine(), mse: distance.mse(), relative: distance.relative() }
    }
}

/// One encoder in one subspace.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Codes {
    pub(crate) encoder: &'static str,
    pub(crate) subspace: usize,
    pub(crate) used: usize,
    pub(crate) dead: usize,
    /// Bits.
    pub(crate) entropy: f64,
    /// log2 K.
    pub(crate) entropy_max: f64,
    pub(crate) top_share: f64,
    pub(crate) margin: Option<f64>,
}

impl From<&Usage> for Codes {
    fn from(usage: &Usage) -> Self {
        let (k, used) = (usage.counts.len(), usage.used());
        Self {
            encoder: usage.encoder,
            subspace: usage.subspace,
            used,
            dead: k - used,
            entropy: usage.entropy(),
            entropy_max: (k as f64).log2(),
            top_share: usage.top_share(),
            margin: usage.margin,
        }
    }
}
