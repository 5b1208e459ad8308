//! The network with its affine normalisations folded into the linear kernels behind them.

use ndarray::{Array2, ArrayView2, s};
use tablewright_model::{Dense, Network, Norm};

/// W' = W·diag(γ), b' = W·β + b: the linear kernel on the normalised x̂ instead of on γ·x̂ + β.
fn fold(dense: &Dense, norm: &Norm) -> Dense {
    Dense { weight: &dense.weight * &norm.weight, bias: dense.weight.dot(&norm.bias) + &dense.bias }
}

/// Query, key and value of one folded qkv kernel.
pub(crate) fn qkv(dense: &Dense, norm: &Norm) -> [Dense; 3] {
    let whole = fold(dense, norm);
    let inner = whole.weight.nrows() / 3;
    [0, 1, 2].map(|part| {
        let rows = part * inner..(part + 1) * inner;
        Dense {
            weight: whole.weight.slice(s![rows.clone(), ..]).to_owned(),
            bias: whole.bias.slice(s![rows]).to_owned(),
        }
    })
}

/// The first feed-forward kernel of a layer.
pub(crate) fn ff1(network: &Network, layer: usize) -> Dense {
    let layer = &network.layers[layer];
    fold(&layer.ff1, &layer.ln2)
}

/// The head.
pub(crate) fn head(network: &Network) -> Dense {
    fold(&network.head, &network.ln)
}

/// The positions as they are added, absolute ones with the cls token in its row.
pub(crate) fn position(network: &Network) -> Array2<f32> {
    let mut position = network.pos.clone();
    if let Some(cls) = &network.cls {
        let mut row = position.row_mut(0);
        row += cls;
    }
    position
}

/// x·Wᵀ + b.
pub(crate) fn apply(dense: &Dense, x: ArrayView2<'_, f32>) -> Array2<f32> {
    x.dot(&dense.weight.t()) + &dense.bias
}
