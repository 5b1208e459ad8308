//! The modules of encoders: one cell for each group and subspace.

use minijinja::context;
use serde::Serialize;
use tablewright_design::{IntEncoder, IntEncoderKind, Metric, Node};
use tablewright_plan::{Elements, pipeline, schedule};

use super::store::{Bank, Store};
use super::{Generated, Instance, Net, bits};
use crate::image::{hex, index_bits};

/// What a tree looks at.
#[derive(Serialize)]
struct Level {
    feature: usize,
    key: String,
}

/// One cell.
#[derive(Serialize)]
struct One {
    group: usize,
    subspace: usize,
    /// Of a tree whose features are fixed.
    levels: Vec<Level>,
    keys: String,
    /// All features of the subspace, the last one first.
    vector: String,
}

/// What all groups share: the contents of one subspace.
#[derive(Serialize)]
struct Subspace {
    index: usize,
    features: usize,
    /// Bits that tell a feature.
    index_width: u32,
    /// Of a tree that is part of the hardware.
    thresholds: String,
    /// Of a nearest-prototype encoder, read by group 0: the groups take their vectors at once.
    prototypes: Option<Instance>,
    /// Of a tree that is loaded.
    held: Vec<(Instance, Net)>,
}

/// An encoder over the rows of `input`, whose codes are `node`.
pub(super) fn encoder_module(
    module: String,
    store: Store<'_>,
    input: &Node,
    node: &Node,
    encoder: &IntEncoder,
    groups: usize,
    cuts: u32,
) -> Generated {
    let store = store.inside();
    let format = input.value.format;
    let in_width = format.width as usize;
    let (width, lift) = match &encoder.kind {
        IntEncoderKind::Tree { width, .. } => (*width as usize, 0),
        IntEncoderKind::Nearest { width, lift, .. } => (*width as usize, *lift as usize),
    };
    let levels = encoder.code_bits as usize;
    let nodes = encoder.prototypes() - 1;
    let slot = 1_usize << width.next_power_of_two().ilog2();
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
    let one = |group: usize, c: usize| {
        let mut one =
            One { group, subspace: c, levels: Vec::new(), keys: String::new(), vector: String::new() };
        match &encoder.kind {
            IntEncoderKind::Tree { split, .. } if !store.loaded() => {
                let level = |&f: &usize| Level { feature: f, key: feature(group, f) };
                one.levels = split[c * levels..][..levels].iter().map(level).collect();
                let keys: Vec<String> = (0..levels).rev().map(|l| format!("key_{group}_{c}_{l}")).collect();
                one.keys = keys.join(", ");
            }
            _ => {
                let features: Vec<String> = encoder.range(c).rev().map(|f| feature(group, f)).collect();
                one.vector = features.join(", ");
            }
        }
        one
    };
    let encoders: Vec<One> = (0..groups)
        .flat_map(|group| (0..encoder.subspaces).map(move |c| (group, c)))
        .map(|(g, c)| one(g, c))
        .collect();
    let contents = |c: usize| {
        let features = encoder.range(c).len();
        let mut contents = Subspace {
            index: c,
            features,
            index_width: index_bits(features),
            thresholds: String::new(),
            prototypes: None,
            held: Vec::new(),
        };
        match &encoder.kind {
            IntEncoderKind::Tree { threshold, .. } if !store.loaded() => {
                let slots: Vec<i64> =
                    threshold[c * nodes..][..nodes].iter().map(|t| t & ((1 << width) - 1)).collect();
                contents.thresholds = hex(&slots, slot as u32);
            }
            IntEncoderKind::Tree { .. } => {
                let index_width = u64::from(contents.index_width);
                let chosen = (format!("features{c}"), levels as u64 * index_width, format!("chosen_{c}"));
                let held = (format!("thresholds{c}"), (nodes * width) as u64, format!("held_{c}"));
                contents.held = [chosen, held]
                    .into_iter()
                    .filter_map(|(suffix, width, net)| store.held(&suffix, width, net))
                    .collect();
            }
            IntEncoderKind::Nearest { .. } => {
                contents.prototypes = Some(store.bank(Bank {
                    instance: format!("u_prototypes_{c}"),
                    suffix: format!("prototypes{c}"),
                    words: 1 << levels,
                    width: (features * width) as u64,
                    address_width: levels as u32,
                    address: format!("address_0_{c}"),
                    data: format!("prototype_{c}"),
                    read: "reading_0_0",
                    style: "auto",
                }));
            }
        }
        contents
    };
    let contents: Vec<Subspace> = (0..encoder.subspaces).map(contents).collect();
    let (tree, metric, squared, distance_width) = match &encoder.kind {
        IntEncoderKind::Tree { .. } => (true, "", 0, 0),
        IntEncoderKind::Nearest { metric: Metric::L2, distance_width, .. } => {
            (false, "squared differences", 1, *distance_width)
        }
        IntEncoderKind::Nearest { metric: Metric::L1, distance_width, .. } => {
            (false, "absolute differences", 0, *distance_width)
        }
    };
    let all_used = store.loaded() || encoder.looked_at().len() == encoder.features;
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
        nodes,
        slot,
        slot_bits => slot.ilog2(),
        unused => !all_used,
        memories => store.count(),
        contents => crate::render::data(&contents),
        encoders => crate::render::data(&encoders),
    };
    Generated { module, template: "encoder.v.j2", context }
}
