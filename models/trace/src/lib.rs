//! From a memory trace to what a prefetcher learns from and is measured by.
//!
//! * [`source`], [`detect`], [`champsim`], [`mldpc`]: files, whatever their packing.
//! * [`cache`]: what of an instruction trace reaches the last-level cache.
//! * [`trace`], [`info`]: the accesses and their figures.
//! * [`window`], [`dataset`], [`split`], [`file`](mod@file): history windows, delta bitmaps, their parts and their file.
//! * [`metrics`]: micro-F1 and thresholds; [`issue`]: from scores to prefetches; [`evaluate`]: what came of them.
//! * [`baseline`]: simple prefetchers to stand beside.

pub mod baseline;
pub mod cache;
pub mod champsim;
pub mod dataset;
pub mod detect;
mod error;
pub mod evaluate;
pub mod file;
pub mod info;
pub mod issue;
pub mod metrics;
pub mod mldpc;
pub mod source;
pub mod split;
pub mod trace;
pub mod window;

pub use cache::{CacheConfig, CacheFilter, CacheLevel};
pub use dataset::{Dataset, DatasetOptions, Rows};
pub use detect::{TraceFormat, TraceKind};
pub use error::Error;
pub use evaluate::{Evaluation, Report};
pub use info::{AddressSpace, TraceInfo};
pub use issue::Issuer;
pub use metrics::{BestThreshold, Confusion, Score, best_threshold, bitmap_confusion, confusion, micro_f1};
pub use mldpc::write_prefetches;
pub use source::{Compression, Source};
pub use split::{Fractions, Split};
pub use trace::{Access, Progress, Trace};
