//! The weights that a training starts from.

use std::collections::BTreeMap;

use ndarray::{Array1, Array2};
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;
use tablewright_model::{Dense, InputConfig, LayerWeights, Network, NetworkConfig, Norm, Pool};

/// Largest absolute value of a position or of the cls token.
const POSITION: f32 = 0.3;

struct Init(ChaCha8Rng);

impl Init {
    fn uniform(&mut self, rows: usize, columns: usize, width: f32) -> Array2<f32> {
        Array2::from_shape_simple_fn((rows, columns), || self.0.random_range(-width..=width))
    }

    /// Uniform up to ±1/√inputs, bias zero.
    fn dense(&mut self, outputs: usize, inputs: usize) -> Dense {
        let width = (inputs as f32).sqrt().recip();
        Dense { weight: self.uniform(outputs, inputs, width), bias: Array1::zeros(outputs) }
    }

    fn vector(&mut self, len: usize, width: f32) -> Array1<f32> {
        self.uniform(1, len, width).row(0).to_owned()
    }
}

fn norm(dim: usize) -> Norm {
    Norm { weight: Array1::ones(dim), bias: Array1::zeros(dim) }
}

/// A network with random weights, the same for the same seed. They suit features of mean 0 and deviation 1 or more:
/// [`crate::data::TrainingData::prepare`] suits them to those of a dataset.
pub(crate) fn initial(name: &str, config: &NetworkConfig, input: &InputConfig, seed: u64) -> Network {
    let mut init = Init(ChaCha8Rng::seed_from_u64(seed));
    let (dim, inner) = (config.dim, config.inner());
    let embed = init.dense(dim, config.segments);
    let cls = (config.pool == Pool::Cls).then(|| init.vector(dim, POSITION));
    let [rows, columns] = config.position_shape();
    let pos = init.uniform(rows, columns, POSITION);
    let layers = (0..config.layers)
        .map(|_| LayerWeights {
            ln1: norm(dim),
            qkv: init.dense(3 * inner, dim),
            out: init.dense(dim, inner),
            ln2: norm(dim),
            ff1: init.dense(config.hidden, dim),
            ff2: init.dense(dim, config.hidden),
        })
        .collect();
    Network {
        name: name.to_owned(),
        config: config.clone(),
        input: input.clone(),
        embed,
        cls,
        pos,
        layers,
        ln: norm(dim),
        head: init.dense(config.outputs, dim),
        provenance: BTreeMap::new(),
    }
}
