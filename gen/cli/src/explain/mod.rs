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

#[cfg(test)]
mod tests {
    use tablewright_model::EncoderKind;

    use super::*;

    /// Numbers made up, so that what is printed is the same on every machine.
    fn example() -> Explanation {
        let error = |cosine, mse, relative| Error { cosine, mse, relative: Some(relative) };
        let codes = |encoder, subspace, used, entropy, top_share, margin| Codes {
            encoder,
            subspace,
            used,
            dead: 16 - used,
            entropy,
            entropy_max: 4.0,
            top_share,
            margin,
        };
        let spec = |encoder| KernelSpec { encoder, prototypes: 16, subspaces: 2, bits: 8 };
        let stage = |name, f1, f1_lost, threshold| Stage { name, f1, f1_lost, threshold };
        Explanation {
            model: "example".into(),
            trace: "traces/example.champsimtrace.xz".into(),
            page_bits: Some(12),
            windows: Windows { train: 20_000, valid: 20_000, test: 20_000, test_of: 62_709 },
            stages: vec![
                stage("teacher", 0.93, None, 0.4),
                stage("student", 0.9125, Some(0.0175), 0.375),
                stage("prototypes", 0.84, Some(0.0725), 0.25),
                stage("tables", 0.9, Some(-0.06), 0.5),
                stage("integers", 0.899_99, Some(0.000_01), 0.5),
            ],
            left_out: Vec::new(),
            baseline: Some(Baseline { f1_exact: 0.9125, f1_tables: 0.902 }),
            costliest: Some(Costliest {
                alone: "layers.0.score".into(),
                f1_lost: 0.05,
                exact: "embed".into(),
                f1_gained: 0.0041,
            }),
            kernels: vec![
                Kernel {
                    name: "embed".into(),
                    spec: spec(EncoderKind::Tree),
                    alone: Some(Alone { f1: 0.91, f1_lost: 0.0025, error: error(0.99, 0.0123, 0.141) }),
                    running: Some(error(0.99, 0.0123, 0.141)),
                    exact: Some(Exact { f1: 0.9061, f1_gained: 0.0041 }),
                    integers: Some(Integers { error: error(0.9999, 3.2e-6, 0.004), codes_changed: 0.0 }),
                    codes: vec![
                        codes("encoder", 0, 16, 3.75, 0.125, Some(0.5)),
                        codes("encoder", 1, 1, 0.0, 1.0, None),
                    ],
                },
                Kernel {
                    name: "layers.0.score".into(),
                    spec: spec(EncoderKind::L2),
                    alone: Some(Alone { f1: 0.8625, f1_lost: 0.05, error: error(0.8, 12.5, 0.6) }),
                    running: Some(error(-0.2, 12_345.0, 1.25)),
                    exact: Some(Exact { f1: 0.89, f1_gained: -0.012 }),
                    integers: None,
                    codes: vec![
                        codes("left", 0, 12, 3.0, 0.25, None),
                        codes("right", 0, 16, 4.0, 0.0625, None),
                    ],
                },
            ],
        }
    }

    /// Without a student.
    fn bare() -> Explanation {
        let mut bare = example();
        bare.stages.drain(..3);
        bare.stages[0].f1_lost = None;
        (bare.baseline, bare.costliest, bare.page_bits) = (None, None, None);
        bare.windows.test_of = 20_000;
        bare.left_out = vec!["student: there is no `m.stages/student.safetensors`, give --network".into()];
        for kernel in &mut bare.kernels {
            (kernel.alone, kernel.running, kernel.exact) = (None, None, None);
        }
        bare
    }

    #[test]
    fn texts() {
        use crate::ui::Render;
        insta::assert_snapshot!("text", example().text());
        insta::assert_snapshot!("text_without_a_student", bare().text());
    }

    #[test]
    fn fields_for_machines() {
        let json = serde_json::to_string_pretty(&example()).unwrap_or_default();
        insta::assert_snapshot!("json", json);
    }

    #[test]
    fn drawings() {
        let (whole, bare) = (plot::svg(&example()), plot::svg(&bare()));
        assert_eq!(whole, plot::svg(&example()));
        let (whole, bare) = (whole.unwrap_or_default(), bare.unwrap_or_default());
        for text in
            ["Where example loses F1 on example.champsimtrace.xz", "0.9125", "+0.0600", "won: alone exact"]
        {
            assert!(whole.contains(text), "no `{text}` in {whole}");
        }
        assert!(!whole.contains("traces/"), "the page names a folder");
        assert!(bare.contains("integers vs. tables") && !bare.contains("won: alone exact"), "{bare}");
        assert!(!whole.contains("NaN") && !bare.contains("NaN"));
    }
}
