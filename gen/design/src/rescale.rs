//! A model brought nearer to the scales of hardware that was made with another one.
//!
//! What is compared by a tree, or with the decision threshold, may be multiplied by any power of two together with the
//! thresholds; so may whatever is normalised: all that is added up in the residual stream. These powers are chosen so that the
//! tables fill the range that the hardware has for them, and nothing of them is cut. Scores in front of a softmax and what a GELU
//! takes in have no such freedom. In the real numbers the model stays the same, but for the eps of the layer normalisations,
//! which is next to nothing.

use ndarray::{Array1, Array3, Axis};
use tablewright_model::{Activation, AttentionActivation, Encoder, Pool, Positions, Table, TableModel};

use crate::format::{Bounds, Format, frac_for, to_raw};
use crate::graph::{Design, Node, Op};
use crate::table::MAX_FRAC;

/// A model of which some numbers are multiplied by powers of two.
pub(crate) struct Rescaled {
    pub model: TableModel,
    /// Power of two that the logits are multiplied by.
    pub logits: i32,
}

/// The model at the scales of `built`.
pub(crate) fn rescaled(model: &TableModel, built: &Design) -> Rescaled {
    let mut model = model.clone();
    let residual = residual_power(&model, built);
    scale_table(&mut model.embed.table, residual);
    if model.network.positions == Positions::Absolute {
        model.position.mapv_inplace(|v| times(v, residual));
    }
    let net = model.network.clone();
    for (i, layer) in model.layers.iter_mut().enumerate() {
        let name = |kernel: &str| format!("l{i}_{kernel}");
        for (kernel, table, encoder) in [
            ("q", &mut layer.qkv.q, &mut layer.score.left),
            ("k", &mut layer.qkv.k, &mut layer.score.right),
            ("v", &mut layer.qkv.v, &mut layer.mix.right),
        ] {
            let power = table_power(built, &name(kernel), table);
            scale_table(table, power);
            scale_encoder(encoder, power);
        }
        if net.attention == AttentionActivation::Sigmoid && net.positions == Positions::Absolute {
            let power = pair_power(built, &name("score"), &layer.score.table);
            layer.score.table.mapv_inplace(|v| times(v, power));
            scale_encoder(&mut layer.mix.left, power);
        }
        let power = pair_power(built, &name("mix"), &layer.mix.table);
        layer.mix.table.mapv_inplace(|v| times(v, power));
        scale_encoder(&mut layer.out.encoder, power);
        scale_table(&mut layer.out.table, residual);
        if net.activation == Activation::Relu {
            let power = table_power(built, &name("ff1"), &layer.ff1.table);
            scale_table(&mut layer.ff1.table, power);
            scale_encoder(&mut layer.ff2.encoder, power);
        }
        scale_table(&mut layer.ff2.table, residual);
    }
    let logits = table_power(built, "head", &model.head.table);
    scale_table(&mut model.head.table, logits);
    Rescaled { model, logits }
}

/// Of all that is added up in the residual stream, which has one scale.
fn residual_power(model: &TableModel, built: &Design) -> i32 {
    let layers = model.layers.iter().enumerate().flat_map(|(i, layer)| {
        [(format!("l{i}_out"), &layer.out.table), (format!("l{i}_ff2"), &layer.ff2.table)]
    });
    let mut powers: Vec<Option<i32>> =
        layers.map(|(name, table)| power(built, &name, &table.entries, table.bias.as_ref())).collect();
    let (entries, offset) = centred(&model.embed.table);
    if model.network.positions == Positions::Absolute {
        powers.push(power(built, "embed", &entries, None));
        powers.push(position_power(model, built, &offset));
    } else {
        powers.push(power(built, "embed", &entries, Some(&offset)));
    }
    powers.into_iter().flatten().min().unwrap_or(0)
}

/// Of the position constants, to which the embedding's columns owe their middles.
fn position_power(model: &TableModel, built: &Design, offset: &Array1<f32>) -> Option<i32> {
    let Node { op: Op::Position { shift, lead, .. }, inputs, value, .. } = node(built, "x0")? else {
        return None;
    };
    let sum = built.node(inputs[0]).value.bounds;
    let sum = if *lead { Bounds::point(0).union(sum) } else { sum }.shifted_left(*shift);
    let range = Bounds { low: value.bounds.low - sum.low, high: value.bounds.high - sum.high };
    let cls = usize::from(model.network.pool == Pool::Cls);
    let rows = model.position.outer_iter().enumerate();
    let values = rows.flat_map(|(r, row)| {
        let added = |(v, o): (&f32, &f32)| if r < cls { *v } else { v + o };
        row.iter().zip(offset).map(added).collect::<Vec<f32>>()
    });
    Some(frac_within(values, range)? - value.format.frac)
}

/// Largest number of fraction bits with which every value is within the format of `range`; `None` when all are 0. Unlike entries,
/// which are scaled by their magnitude, these may be the lowest number of the format: a built model's own constants then fit.
fn frac_within(values: impl Iterator<Item = f32>, range: Bounds) -> Option<i32> {
    let (low, high) =
        values.fold((0.0_f64, 0.0_f64), |(low, high), v| (low.min(v.into()), high.max(v.into())));
    let bits = range.signed_width();
    let frac = frac_for(high.max(-low), bits)?;
    let format = Format::signed(bits, frac + 1).bounds();
    let finer = to_raw(low, frac + 1) >= format.low && to_raw(high, frac + 1) <= format.high;
    Some(frac + i32::from(finer))
}

/// The columns of a table around zero, one for each subspace and output, and what that takes from each output.
pub(crate) fn centred(table: &Table) -> (Array3<f32>, Array1<f32>) {
    let mut entries = table.entries.clone();
    let outputs = entries.len_of(Axis(2));
    let mut offset = table.bias.clone().unwrap_or_else(|| Array1::zeros(outputs));
    // One column for each subspace and output, outputs innermost.
    for (i, mut column) in entries.lanes_mut(Axis(1)).into_iter().enumerate() {
        let (low, high) = column.iter().fold((f32::MAX, f32::MIN), |(l, h), &v| (l.min(v), h.max(v)));
        let middle = low / 2.0 + high / 2.0;
        column.mapv_inplace(|v| v - middle);
        offset[i % outputs] += middle;
    }
    (entries, offset)
}

fn table_power(built: &Design, name: &str, table: &Table) -> i32 {
    power(built, name, &table.entries, table.bias.as_ref()).unwrap_or(0)
}

fn pair_power(built: &Design, name: &str, table: &Array3<f32>) -> i32 {
    power(built, name, table, None).unwrap_or(0)
}

/// The greatest power of two that keeps entries and bias within their range; nothing where they are all zero.
fn power(built: &Design, name: &str, entries: &Array3<f32>, bias: Option<&Array1<f32>>) -> Option<i32> {
    let table = node(built, name)?.op.tables().first()?;
    let largest =
        |values: &mut dyn Iterator<Item = &f32>| values.fold(0.0_f64, |m, v| m.max(f64::from(v.abs())));
    let of_entries = entries.outer_iter().zip(&table.shifts).filter_map(|(plane, shift)| {
        let own = frac_for(largest(&mut plane.iter()), table.bits)?.min(MAX_FRAC);
        Some(own - (table.frac - *shift as i32))
    });
    let of_bias = bias
        .zip(table.loaded)
        .and_then(|(bias, loaded)| Some(frac_within(bias.iter().copied(), loaded.bias)? - table.frac));
    of_entries.chain(of_bias).min()
}

fn node<'a>(built: &'a Design, name: &str) -> Option<&'a Node> {
    built.nodes.iter().find(|node| node.name == name)
}

fn times(value: f32, power: i32) -> f32 {
    (f64::from(value) * f64::from(power).exp2()) as f32
}

fn scale_table(table: &mut Table, power: i32) {
    table.entries.mapv_inplace(|v| times(v, power));
    if let Some(bias) = &mut table.bias {
        bias.mapv_inplace(|v| times(v, power));
    }
}

fn scale_encoder(encoder: &mut Encoder, power: i32) {
    match encoder {
        Encoder::Tree { threshold, .. } => threshold.mapv_inplace(|v| times(v, power)),
        Encoder::Nearest { prototypes, .. } => prototypes.mapv_inplace(|v| times(v, power)),
    }
}
