//! The trainable parameters of a network as one list of matrices, and as one vector.
//!
//! The vector is what the optimiser moves and a checkpoint holds; the matrices are what the framework computes with.
//! One function knows their order.

use ndarray::{ArrayViewMut2, Axis};
use tablewright_model::{Dense, Network, Norm};

/// A dense layer as the framework takes it, `[inputs, outputs]`, and its bias, `[1, outputs]`.
fn dense(layer: &mut Dense) -> [ArrayViewMut2<'_, f32>; 2] {
    [layer.weight.view_mut().reversed_axes(), layer.bias.view_mut().insert_axis(Axis(0))]
}

/// γ and β, `[1, dim]` each.
fn norm(layer: &mut Norm) -> [ArrayViewMut2<'_, f32>; 2] {
    [layer.weight.view_mut().insert_axis(Axis(0)), layer.bias.view_mut().insert_axis(Axis(0))]
}

/// Every trained parameter, in the order in which [`crate::net::Net`] takes them. The biases of q, k and v are not among
/// them: the reference network has none.
fn matrices(network: &mut Network) -> Vec<ArrayViewMut2<'_, f32>> {
    let inner = network.config.inner();
    let mut all = Vec::new();
    all.extend(dense(&mut network.embed));
    all.extend(network.cls.as_mut().map(|cls| cls.view_mut().insert_axis(Axis(0))));
    all.push(network.pos.view_mut());
    for layer in &mut network.layers {
        all.extend(norm(&mut layer.ln1));
        let (q, kv) = layer.qkv.weight.view_mut().split_at(Axis(0), inner);
        all.extend([q.reversed_axes(), kv.reversed_axes()]);
        all.extend(dense(&mut layer.out));
        all.extend(norm(&mut layer.ln2));
        all.extend(dense(&mut layer.ff1));
        all.extend(dense(&mut layer.ff2));
    }
    all.extend(norm(&mut network.ln));
    all.extend(dense(&mut network.head));
    all
}

/// Where each matrix lies in the vector: its shape, one after the other.
pub(crate) fn shapes(network: &Network) -> Vec<[usize; 2]> {
    matrices(&mut network.clone()).iter().map(|matrix| matrix.dim().into()).collect()
}

/// The parameters as one vector, each matrix row by row.
pub(crate) fn flatten(network: &Network) -> Vec<f32> {
    matrices(&mut network.clone()).iter().flat_map(|matrix| matrix.iter().copied()).collect()
}

/// Puts the values of [`flatten`] back; both have as many.
pub(crate) fn fill(network: &mut Network, values: &[f32]) {
    let mut rest = values.iter();
    for mut matrix in matrices(network) {
        for (parameter, value) in matrix.iter_mut().zip(&mut rest) {
            *parameter = *value;
        }
    }
}
