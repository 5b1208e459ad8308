//! Why there is nothing to choose.

use crate::reach::Reach;

/// Why there is nothing to choose.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A value that no table model may have.
    #[error("--{field} {value}: allowed are {allowed}")]
    Choice {
        /// The list it stands in.
        field: &'static str,
        /// The value.
        value: usize,
        /// What would be.
        allowed: &'static str,
    },
    /// No combination is a network.
    #[error(
        "no combination of --layers, --dims, --heads and --positions is a network that tables can be made of; relative \
         positions need one layer, and D x head_dim / dim of the configuration at most 128"
    )]
    Empty,
    /// Limits that no candidate keeps.
    #[error("{0}")]
    Infeasible(Box<Reach>),
}
