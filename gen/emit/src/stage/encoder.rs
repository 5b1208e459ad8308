//! The modules of encoders: one cell for each group and subspace.

use minijinja::context;
use serde::Serialize;
use tablewright_design::{IntEncoder, IntEncoderKind, Metric, Node};
use tablewright_plan::{Elements, pipeline, schedule};

use super::{Generated, bits};
use crate::image::hex;

/// An encoder over the rows of `input`, whose codes are `node`.
pub(super) fn encoder_module(
    module: String,
    input: &Node,
    node: &Node,
    encoder: &IntEncoder,
    groups: usize,
    cuts: u32,
) -> Generated {
    #[derive(Serialize)]
    struct Level {
        feature: usize,
        key: String,
    }
    #[derive(Serialize, Default)]
    struct One {
        group: usize,
        subspace: usize,
        levels: Vec<Level>,
        thresholds: String,
        keys: String,
        features: usize,
        file: String,
        vector: String,
    }
    let format = input.value.format;
    let in_width = format.width as usize;
    let (width, lift) = match &encoder.kind {
        IntEncoderKind::Tree { width, .. } => (*width as usize, 0),
        IntEncoderKind::Nearest { width, lift, .. } => (*width as usize, *lift as usize),
    };
    let levels = encoder.code_bits as usize;
    let slot_bits = width.next_power_of_two().ilog2();
    // A feature of the row, extended at both ends to the width it is compared in.
    let feature = |group: usize, f: usize| {
        let lane = group * encoder.features + f;
        let (low, high) = (lane * in_width, (lane + 1) * in_width - 1);
        let bits = match lift {
            0 => format!("in_data[{high}:{low}]"),
            _ => format!("in_data[{high}:{low}], {lift}'d0"),
        };
        match (width - lift - in_width, format.signed) {
            (0, _) if lift > 0 => format!("{{{bits}}}"),
            (0, _) => bits,
            (more, true) => format!("{{{{{more}{{in_data[{high}]}}}}, {bits}}}"),
            (more, false) => format!("{{{more}'d0, {bits}}}"),
        }
    };
    let mut used = vec![false; encoder.features];
    let mut encoders = Vec::new();
    for group in 0..groups {
        for c in 0..encoder.subspaces {
            let mut one = One { group, subspace: c, ..One::default() };
            match &encoder.kind {
                IntEncoderKind::Tree { split, threshold, .. } => {
                    for &f in &split[c * levels..][..levels] {
                        used[f] = true;
                        one.levels.push(Level { feature: f, key: feature(group, f) });
                    }
                    let nodes = encoder.prototypes() - 1;
                    let slot = 1_u32 << slot_bits;
                    let slots: Vec<i64> =
                        threshold[c * nodes..][..nodes].iter().map(|t| t & ((1 << width) - 1)).collect();
                    one.thresholds = format!("{}'h{}", nodes * slot as usize, hex(&slots, slot));
                    let keys: Vec<String> =
                        (0..levels).rev().map(|l| format!("key_{group}_{c}_{l}")).collect();
                    one.keys = keys.join(", ");
                }
                IntEncoderKind::Nearest { .. } => {
                    used.fill(true);
                    one.features = encoder.range(c).len();
                    one.file = format!("{module}_prototypes{c}.hex");
                    one.vector =
                        encoder.range(c).rev().map(|f| feature(group, f)).collect::<Vec<_>>().join(", ");
                }
            }
            encoders.push(one);
        }
    }
    let (tree, metric, squared, distance_width) = match &encoder.kind {
        IntEncoderKind::Tree { .. } => (true, "", 0, 0),
        IntEncoderKind::Nearest { metric: Metric::L2, distance_width, .. } => {
            (false, "squared differences", 1, *distance_width)
        }
        IntEncoderKind::Nearest { metric: Metric::L1, distance_width, .. } => {
            (false, "absolute differences", 0, *distance_width)
        }
    };
    let context = context! {
        title => format!("{module}: codes of {}", input.name),
        module => module.clone(),
        groups,
        features => encoder.features,
        subspaces => encoder.subspaces,
        code_bits => levels,
        in_format => format.to_string(),
        in_width,
        occupancy => schedule::encode_occupancy(encoder),
        latency => schedule::encode_latency(encoder, cuts),
        cuts => bits(cuts, pipeline::steps(node, Elements::Parallel).len()),
        tree,
        metric,
        squared,
        distance_width,
        width,
        slot_bits,
        unused => used.iter().any(|u| !u),
        encoders => crate::render::data(&encoders),
    };
    Generated { module, template: "encoder.v.j2", context }
}
