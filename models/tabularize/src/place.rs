//! Where a kernel stands in the network.

use std::fmt;

use tablewright_model::NetworkConfig;

/// A kernel's place; the layer counts from 0. Displayed, it is the kernel's name in the model file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Place {
    /// Segments of one access → dim.
    Embed,
    /// norm(x) → queries, keys, values.
    Qkv(usize),
    /// Queries × keys → scores.
    Score(usize),
    /// Weights × columns of V.
    Mix(usize),
    /// Mixed values of all heads → dim.
    Out(usize),
    /// norm(x) → hidden.
    Ff1(usize),
    /// Activated hidden → dim.
    Ff2(usize),
    /// norm(pooled token) → logits.
    Head,
}

impl Place {
    /// Every place of a network in the order of evaluation, that of [`NetworkConfig::kernels`].
    pub fn all(config: &NetworkConfig) -> Vec<Self> {
        let mut places = vec![Self::Embed];
        for layer in 0..config.layers {
            places.extend([
                Self::Qkv(layer),
                Self::Score(layer),
                Self::Mix(layer),
                Self::Out(layer),
                Self::Ff1(layer),
                Self::Ff2(layer),
            ]);
        }
        places.push(Self::Head);
        places
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (layer, part) = match *self {
            Self::Embed => return f.write_str("embed"),
            Self::Head => return f.write_str("head"),
            Self::Qkv(layer) => (layer, "qkv"),
            Self::Score(layer) => (layer, "score"),
            Self::Mix(layer) => (layer, "mix"),
            Self::Out(layer) => (layer, "out"),
            Self::Ff1(layer) => (layer, "ff1"),
            Self::Ff2(layer) => (layer, "ff2"),
        };
        write!(f, "layers.{layer}.{part}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tablewright_model::{Activation, AttentionActivation, Pool};

    #[test]
    fn names_and_order_are_those_of_the_model_file() {
        let config = NetworkConfig {
            history: 3,
            segments: 2,
            positions: tablewright_model::Positions::Absolute,
            pool: Pool::Last,
            dim: 4,
            layers: 2,
            heads: 1,
            head_dim: 4,
            hidden: 4,
            outputs: 8,
            attention: AttentionActivation::Softmax,
            activation: Activation::Gelu,
            norm_eps: 1e-5,
        };
        let names: Vec<_> = Place::all(&config).iter().map(ToString::to_string).collect();
        let sites: Vec<_> = config.kernels().into_iter().map(|site| site.name).collect();
        assert_eq!(names, sites);
    }
}
