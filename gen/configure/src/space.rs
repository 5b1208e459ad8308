//! Which configurations there are to choose from.

use tablewright_model::{EncoderKind, KernelSpec, NetworkConfig, Pool, Positions, Purpose};

use crate::candidate::Candidate;
use crate::error::Error;

/// Values to choose from, each list in the order in which it is tried.
#[derive(Debug, Clone, PartialEq)]
pub struct Space {
    /// The networks.
    pub shapes: Shapes,
    /// What every kernel may have.
    pub tables: Tables,
}

/// Networks to choose from.
#[derive(Debug, Clone, PartialEq)]
pub enum Shapes {
    /// One that is trained already.
    Fixed(NetworkConfig),
    /// All combinations; everything else is as in `base`, widths of heads and of the feed-forward block in proportion to D.
    Grid {
        /// What is not searched.
        base: NetworkConfig,
        /// L.
        layers: Vec<usize>,
        /// D.
        dims: Vec<usize>,
        /// H.
        heads: Vec<usize>,
        /// Where the order of the accesses enters; relative positions are combined with one layer only.
        positions: Vec<Positions>,
    },
}

/// Choices of a kernel.
#[derive(Debug, Clone, PartialEq)]
pub struct Tables {
    /// K.
    pub prototypes: Vec<usize>,
    /// C; lowered to a kernel's features where those are fewer.
    pub subspaces: Vec<usize>,
    /// Bits of an entry.
    pub bits: Vec<u32>,
    /// Encoders.
    pub encoders: Vec<EncoderKind>,
}

impl Tables {
    /// Every combination, K growing fastest.
    pub fn specs(&self) -> Vec<KernelSpec> {
        let mut specs = Vec::new();
        for &encoder in &self.encoders {
            for &bits in &self.bits {
                for &subspaces in &self.subspaces {
                    specs.extend((self.prototypes.iter()).map(|&prototypes| KernelSpec {
                        encoder,
                        prototypes,
                        subspaces,
                        bits,
                    }));
                }
            }
        }
        specs
    }

    /// Refuses what no kernel may have.
    fn check(&self) -> Result<(), Error> {
        let bad = |field, value: usize, allowed| Err(Error::Choice { field, value, allowed });
        for &k in &self.prototypes {
            if !(k.is_power_of_two() && (2..=1024).contains(&k)) {
                return bad("prototypes", k, "the powers of two from 2 to 1024");
            }
        }
        for &c in &self.subspaces {
            if !(1..=16).contains(&c) {
                return bad("subspaces", c, "1 to 16");
            }
        }
        for &bits in &self.bits {
            if ![4, 6, 8, 12, 16, 32].contains(&bits) {
                return bad("bits", bits as usize, "4, 6, 8, 12, 16 and 32");
            }
        }
        Ok(())
    }
}

impl Shapes {
    /// Every network, within the limits of hardware.
    fn networks(&self) -> Vec<NetworkConfig> {
        let Self::Grid { base, layers, dims, heads, positions } = self else {
            let Self::Fixed(network) = self else { return Vec::new() };
            return vec![network.clone()];
        };
        let mut networks = Vec::new();
        for &positions in positions {
            let pool = match positions {
                Positions::Absolute => base.pool,
                Positions::Relative => Pool::Last,
            };
            for &layers in layers {
                for &dim in dims {
                    let scaled = |width: usize| (width * dim / base.dim).max(1);
                    for &heads in heads {
                        networks.push(NetworkConfig {
                            positions,
                            pool,
                            dim,
                            layers,
                            heads,
                            head_dim: scaled(base.head_dim),
                            hidden: scaled(base.hidden),
                            ..base.clone()
                        });
                    }
                }
            }
        }
        networks.retain(|network| network.violations(Purpose::Tables).is_empty());
        networks
    }

    /// Refuses values that no table model may have.
    fn check(&self) -> Result<(), Error> {
        let Self::Grid { layers, dims, heads, .. } = self else { return Ok(()) };
        for (field, values, (low, high), allowed) in [
            ("layers", layers, (1, 4), "1 to 4"),
            ("dims", dims, (4, 128), "4 to 128"),
            ("heads", heads, (1, 8), "1 to 8"),
        ] {
            if let Some(&value) = values.iter().find(|value| !(low..=high).contains(*value)) {
                return Err(Error::Choice { field, value, allowed });
            }
        }
        Ok(())
    }
}

impl Space {
    /// All candidates, K growing fastest; each has the same choices at every kernel.
    pub fn candidates(&self) -> Result<Vec<Candidate>, Error> {
        self.shapes.check()?;
        self.tables.check()?;
        let specs = self.tables.specs();
        let all: Vec<_> = (self.shapes.networks().iter())
            .flat_map(|network| specs.iter().map(|&spec| Candidate::uniform(network.clone(), spec)))
            .collect();
        if all.is_empty() { Err(Error::Empty) } else { Ok(all) }
    }
}
