//! Designs whose contents are loaded at run time.
//!
//! Hardware that is to take any model of a shape can rely on nothing but the shape. So every bound of such a design follows
//! from the number of bits of an entry, thresholds may be any value of the format they are compared in, and a tree may look
//! at any feature of its subspace. What does depend on a model are the scales: power-of-two shifts, which are wires. They are
//! taken from the model that the hardware is made with. Any other model of the shape is brought to those ([`lower_like`]),
//! by powers of two wherever it stays the same by that; what then lies beyond a range is cut to it, and counted.

use serde::{Deserialize, Serialize};
use tablewright_model::TableModel;

use crate::format::Bounds;
use crate::graph::{Design, Op};
use crate::lower::{Contents, lower_with};
use crate::rescale::{Rescaled, rescaled};

/// What guards the bits that were loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// Nothing.
    #[default]
    None,
    /// A parity bit for every 32 bits: one wrong bit is noticed.
    Parity,
    /// A Hamming code and a parity bit for every 32 bits: one wrong bit is corrected, two are noticed.
    Secded,
}

impl Protection {
    /// Check bits that go with `bits` bits of data.
    pub fn check_bits(self, bits: u32) -> u32 {
        match self {
            Self::None => 0,
            Self::Parity => 1,
            Self::Secded => {
                // As many as can tell every single wrong bit, their own included, from none; and one for all.
                let hamming = (1..u32::BITS).find(|r| 1_u64 << r > u64::from(bits + r)).unwrap_or(0);
                hamming + 1
            }
        }
    }

    /// As on the command line and in the Verilog.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Parity => "parity",
            Self::Secded => "secded",
        }
    }
}

/// A model that does not fit into hardware made for another one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {own} where the hardware has {built}")]
pub struct OtherShape {
    /// What differs.
    pub what: String,
    /// The model's.
    pub own: String,
    /// The hardware's.
    pub built: String,
}

/// A model in the formats of other hardware.
#[derive(Debug, Clone, PartialEq)]
pub struct Fitted {
    /// All rows of all layers, as [`crate::lower`] makes them.
    pub design: Design,
    /// Values beyond the range of the scales, by the name of the node, where there are any.
    pub beyond: Vec<(String, usize)>,
}

/// Lowers a model to hardware whose contents are loaded. The scales are the model's own.
pub fn lower_loaded(model: &TableModel, protection: Protection) -> Design {
    lower_with(model, Contents::Loaded { protection, like: None }).design
}

/// Lowers a model to the formats of `built`, made from another model by [`lower_loaded`] and not yet through passes.
pub fn lower_like(model: &TableModel, built: &Design) -> Result<Fitted, OtherShape> {
    let differs =
        |what: &str, own: String, built: String| Err(OtherShape { what: what.to_owned(), own, built });
    if model.network != built.network {
        let (own, built) = (format!("{:?}", model.network), format!("{:?}", built.network));
        let field = own.split(", ").zip(built.split(", ")).find(|(a, b)| a != b);
        let (own, built) = field.unwrap_or((&own, &built));
        let bare = |text: &str| text.trim_start_matches("NetworkConfig { ").to_owned();
        return differs("the network", bare(own), bare(built));
    }
    let segments =
        |input: &tablewright_model::InputConfig| (input.block_bits, input.segment_bits, input.pc_segments);
    if segments(&model.input) != segments(&built.input) {
        let show = |(block, bits, pc)| format!("block_bits {block}, segment_bits {bits}, pc_segments {pc}");
        return differs("the input", show(segments(&model.input)), show(segments(&built.input)));
    }
    let protection = built.loaded.unwrap_or_default();
    // What has another shape has other nodes; they are looked for by name, so nothing else can go wrong before.
    let Rescaled { model, logits } = rescaled(model, built);
    let fitted = lower_with(&model, Contents::Loaded { protection, like: Some((built, logits)) });
    let (own, other) = (&fitted.design.nodes, &built.nodes);
    for (a, b) in own.iter().zip(other) {
        if a.name != b.name {
            return differs("the kernels", a.name.clone(), b.name.clone());
        }
        if shape(&a.op) != shape(&b.op) {
            return differs(&a.name, shape(&a.op), shape(&b.op));
        }
        if a.value != b.value {
            return differs(&a.name, a.value.format.to_string(), b.value.format.to_string());
        }
    }
    if own.len() != other.len() {
        return differs("the number of steps", own.len().to_string(), other.len().to_string());
    }
    Ok(fitted)
}

/// What the hardware of an operation depends on beside its input's and its output's format.
fn shape(op: &Op) -> String {
    use crate::encoder::IntEncoderKind::{Nearest, Tree};
    match op {
        Op::Encode { encoder, groups } => {
            let (c, bits) = (encoder.subspaces, encoder.code_bits);
            let kind = match &encoder.kind {
                Tree { width, .. } => format!("trees of {width} bits"),
                Nearest { metric, width, lift, .. } => {
                    format!("nearest prototypes by {metric:?} of {width} bits, shifted by {lift}")
                }
            };
            format!("{groups} x {c} {kind}, {} prototypes", 1_u64 << bits)
        }
        Op::Position { shift, lead, .. } => format!("position, shift {shift}, lead {lead}"),
        op if !op.tables().is_empty() => {
            let one = |t: &crate::IntTable| {
                format!(
                    "{} banks of {} x {} x {} bits, shifts {:?}, bias {}",
                    t.subspaces,
                    t.rows,
                    t.outputs,
                    t.bits,
                    t.shifts,
                    t.bias.is_some()
                )
            };
            op.tables().iter().map(one).collect::<Vec<_>>().join("; ")
        }
        Op::Threshold { warm_up, .. } => format!("threshold, warm-up {warm_up}"),
        op => format!("{op:?}"),
    }
}

/// A value cut to its range; those that had to be are counted.
pub(crate) fn clamp(raw: i64, range: Bounds, beyond: &mut usize) -> i64 {
    let inside = raw.clamp(range.low, range.high);
    *beyond += usize::from(inside != raw);
    inside
}
