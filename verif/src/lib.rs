//! Proof that a build computes what its model says.
//!
//! * [`images`]: the memory images are the model's tables.
//! * [`cosim`]: Verilator against the golden model, at every kernel boundary, in data and in time.
//! * [`prefetcher`]: the same for the whole prefetcher, by the addresses it prefetches.
//! * [`icarus`]: the shipped testbench under a four-valued simulator.
//! * [`lint`]: three tools, every module alone, warnings as errors.
//! * [`verify`]: all of it by level, with `gates`, `formal`, `mutation`, [`faults`] and [`upsets`], and the [`certificate`].

pub mod certificate;
pub mod cosim;
pub mod faults;
pub mod formal;
pub mod gates;
mod icarus;
pub mod images;
mod instances;
pub mod lint;
pub mod mutation;
pub mod packed;
pub mod prefetcher;
mod steering;
mod tool;
pub mod upsets;
pub mod vectors;
pub mod verify;
mod verilate;
mod wrapped;

pub use certificate::{Certificate, Check, Group, Level, Outcome};
pub use cosim::{Cosim, Mismatch, Report, simulate};
pub use icarus::icarus;
pub use images::{ImageFault, check_images};
pub use lint::{Complaint, LintReport, lint};
pub use packed::{check_looked_up, check_packed};
pub use prefetcher::{PrefetcherCosim, PrefetcherMismatch, PrefetcherReport, simulate_prefetcher};
pub use verify::{Verify, verify};
pub use verilate::Compile;

/// What can go wrong before a verdict.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A program is not installed.
    #[error("{0}: not found; install it (`make setup` does on Debian: verilator, iverilog, yosys)")]
    ToolMissing(String),
    /// A program failed.
    #[error("{program} failed:\n{output}")]
    Tool {
        /// Which.
        program: String,
        /// The end of what it said.
        output: String,
    },
    /// A file or folder could not be read or written.
    #[error("{path}: {source}; the build folder must be readable and writable")]
    Io {
        /// File or folder.
        path: String,
        /// From the system.
        source: std::io::Error,
    },
    /// The simulation said something else than a report.
    #[error("the simulation of {module} ended without a report:\n{output}")]
    NoReport {
        /// The module simulated.
        module: String,
        /// What it said.
        output: String,
    },
}
