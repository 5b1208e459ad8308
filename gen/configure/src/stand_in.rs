//! A model of a given shape, without training: what a plan is made of before there is a trace.
//!
//! Cycles and memories of a design follow from its shape, but a little also from what its tables hold: the width of a
//! sum, hence of the thresholds behind it; whether a residual sum must drop a fraction bit, which costs a cycle; whether
//! a bias fits into the entries, which may save one. The stand-in is on the careful side in each: every residual sum
//! grows by a bit and drops one, every bias stands apart, the subspaces of a table differ in scale, no tree looks at a feature
//! twice while there are others. The trained models of this repository take as many cycles, up to six fewer for each layer or
//! one more, from one window to the next up to five fewer or three more, and as much storage or up to a tenth less
//! (`tests/stand_in.rs` holds the shipped ones to that).

use std::collections::BTreeMap;

use ndarray::{Array1, Array2, Array3};
use tablewright_model::{
    Activation, AttentionActivation, Encoder, EncoderKind, InputConfig, KernelSpec, Layer, Linear, Metric,
    NetworkConfig, Pair, Positions, Qkv, Table, TableModel, subspace,
};

use crate::candidate::Candidate;

/// Sums of queries, keys, values, hidden units and normalised values: within ± this.
const SPREAD: f64 = 4.0;
/// Logits: within ± this, their bias aside.
const LOGITS: f64 = 6.0;
/// The bias of the head: most deltas are rare, so that it is far below zero and does not fit into the entries.
const HEAD_BIAS: f32 = -9.0;
/// Sums of the embedding, and position constants.
const EMBEDDED: f64 = 1.7;
const POSITION: f64 = 1.9;

/// A model of the candidate's shape.
pub(crate) fn stand_in(candidate: &Candidate, input: &InputConfig, activation_bits: u32) -> TableModel {
    let network = &candidate.network;
    let spec = |name: &str| candidate.spec_of(name);
    let normal = Range(-SPREAD / 2.0, SPREAD / 2.0);
    let wide = Range(-SPREAD, SPREAD);
    let weights = match network.attention {
        AttentionActivation::Softmax => Range(0.0, 0.9),
        AttentionActivation::Sigmoid => wide,
    };
    let hidden = match network.activation {
        Activation::Gelu => Range(-0.17, SPREAD),
        Activation::Relu => Range(0.0, SPREAD),
    };
    let mut stream = Stream(EMBEDDED + POSITION);
    let layers = (0..network.layers).map(|i| {
        let site = |part: &str| format!("layers.{i}.{part}");
        let qkv = spec(&site("qkv"));
        let inner = network.inner();
        Layer {
            qkv: Qkv {
                spec: qkv,
                encoder: encoder(network.dim, qkv, normal),
                q: table(qkv, inner, SPREAD),
                k: table(qkv, inner, SPREAD),
                v: table(qkv, inner, SPREAD),
            },
            score: pair(spec(&site("score")), network.head_dim, (wide, wide), 2.0 * SPREAD),
            mix: pair(spec(&site("mix")), network.tokens(), (weights, wide), SPREAD),
            out: linear(spec(&site("out")), (network.inner(), network.dim), wide, stream.grow()),
            ff1: linear(spec(&site("ff1")), (network.dim, network.hidden), normal, SPREAD),
            ff2: linear(spec(&site("ff2")), (network.hidden, network.dim), hidden, stream.grow()),
        }
    });
    let layers = layers.collect();
    let mut head = linear(spec("head"), (network.dim, network.outputs), normal, LOGITS);
    head.table.bias = Some(Array1::from_elem(network.outputs, HEAD_BIAS));
    TableModel {
        name: "stand-in".to_owned(),
        network: network.clone(),
        input: input.clone(),
        threshold: 0.5,
        activation_bits,
        embed: linear(spec("embed"), (network.segments, network.dim), Range(0.0, 1.0), EMBEDDED),
        position: position(network),
        layers,
        head,
        provenance: BTreeMap::new(),
    }
}

/// How far the values of the residual stream reach.
struct Stream(f64);

impl Stream {
    /// What a sum must add so that the stream needs one more bit, and one fraction bit less.
    fn grow(&mut self) -> f64 {
        let next = 1.35 * self.0.log2().ceil().exp2();
        let added = next - self.0;
        self.0 = next;
        added
    }
}

/// What reaches an encoder: from, to.
#[derive(Clone, Copy)]
struct Range(f64, f64);

impl Range {
    fn at(self, fraction: f64) -> f32 {
        (self.0 + (self.1 - self.0) * fraction) as f32
    }
}

/// Alternating signs, so that rows differ.
fn position(network: &NetworkConfig) -> Array2<f32> {
    let [rows, columns] = network.position_shape();
    let size = match network.positions {
        Positions::Absolute => POSITION,
        Positions::Relative => SPREAD,
    };
    Array2::from_shape_fn((rows, columns), |(i, j)| {
        let sign = if (i + j) % 2 == 0 { 1.0 } else { -1.0 };
        (sign * size) as f32
    })
}

/// Position `k` of a permutation of 0 … K − 1 (K a power of two), one for each column.
fn shuffled(k: usize, column: usize, prototypes: usize) -> usize {
    (k * (2 * column + 1) + column) & (prototypes - 1)
}

/// Entries whose sums lie within ± `reach`. Every column of a subspace holds the same values in an order of its own; the
/// first subspace is twice as large as each other one.
fn entries(spec: KernelSpec, columns: usize, reach: f64) -> Array3<f32> {
    let KernelSpec { prototypes, subspaces, .. } = spec;
    let largest = reach / (1.0 + (subspaces - 1) as f64 / 2.0);
    let ramps: Vec<f32> = (0..prototypes)
        .map(|k| (largest * (2.0 * k as f64 / (prototypes - 1) as f64 - 1.0)) as f32)
        .collect();
    Array3::from_shape_fn((subspaces, prototypes, columns), |(c, k, o)| {
        let entry = ramps[shuffled(k, o, prototypes)];
        if c == 0 { entry } else { entry / 2.0 }
    })
}

fn table(spec: KernelSpec, outputs: usize, reach: f64) -> Table {
    // The tables' columns swing around zero, and where they were moved to do so the bias makes up for it.
    Table {
        entries: entries(spec, outputs, reach),
        bias: Some(Array1::from_elem(outputs, reach as f32 / 2.0)),
    }
}

fn linear(spec: KernelSpec, (features, outputs): (usize, usize), range: Range, reach: f64) -> Linear {
    Linear { spec, encoder: encoder(features, spec, range), table: table(spec, outputs, reach) }
}

fn pair(spec: KernelSpec, features: usize, (left, right): (Range, Range), reach: f64) -> Pair {
    Pair {
        spec,
        left: encoder(features, spec, left),
        right: encoder(features, spec, right),
        table: entries(spec, spec.prototypes, reach),
    }
}

fn encoder(features: usize, spec: KernelSpec, range: Range) -> Encoder {
    let metric = match spec.encoder {
        EncoderKind::Tree => return tree(features, spec, range),
        EncoderKind::L2 => Metric::L2,
        EncoderKind::L1 => Metric::L1,
    };
    let prototypes = Array2::from_shape_fn((spec.prototypes, features), |(k, feature)| {
        range.at((shuffled(k, feature, spec.prototypes) as f64 + 0.5) / spec.prototypes as f64)
    });
    Encoder::Nearest { prototypes, metric }
}

/// A tree whose levels go through the features of the subspace in turn, each node in the middle of what its ancestors
/// left of its feature's range.
fn tree(features: usize, spec: KernelSpec, range: Range) -> Encoder {
    let levels = spec.code_bits() as usize;
    let mut split = Array2::zeros((spec.subspaces, levels));
    let mut threshold = Array2::zeros((spec.subspaces, spec.prototypes - 1));
    for c in 0..spec.subspaces {
        let own = subspace(features, spec.subspaces, c);
        for level in 0..levels {
            let feature = level % own.len();
            split[[c, level]] = (own.start + feature) as u32;
            for node in 0..1_usize << level {
                // The turns taken earlier at this feature, first turn first.
                let turns = (feature..level).step_by(own.len()).map(|l| node >> (level - 1 - l) & 1);
                let (place, pieces) =
                    turns.fold((0, 1), |(place, pieces), right| (2 * place + right, 2 * pieces));
                let middle = (2 * place + 1) as f64 / f64::from(2 * pieces);
                threshold[[c, (1 << level) - 1 + node]] = range.at(middle);
            }
        }
    }
    Encoder::Tree { split, threshold }
}
