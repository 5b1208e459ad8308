//! The integer graph: what the hardware computes, exactly.
//!
//! Every wire has a [`Format`] and [`Bounds`]; every sum's width follows from its tables' own entries, so overflow is
//! impossible by construction. The rules are written out, with an example, in `gen/ARITHMETIC.md`.

mod access;
pub mod encoder;
pub mod format;
pub mod graph;
mod loaded;
mod lower;
pub mod packed;
pub mod passes;
pub mod reach;
mod rescale;
pub mod table;
pub mod units;

pub use access::ADDRESS_BITS;
pub use encoder::{IntEncoder, IntEncoderKind};
pub use format::{Bounds, Format, Requantise};
pub use graph::{Design, Node, NodeId, Op, Value};
pub use loaded::{Fitted, OtherShape, Protection, lower_like, lower_loaded};
pub use lower::lower;
pub use packed::{BankShape, Layout, Saved, Source, StoredBank};
pub use table::{IntTable, LoadedTable};
pub use tablewright_model::Metric;
pub use units::{GeluUnit, NormUnit, SoftmaxUnit};
