//! `tablewright estimate`: what the hardware costs.

use std::path::PathBuf;

use crate::failure::{Failure, Outcome};
use crate::ui::Ui;

/// Latency, initiation interval and storage, read off the plan
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright estimate models/zoo/libquantum_shor-dart.safetensors\n  \
    tablewright estimate shor.build --format json")]
pub(crate) struct Args {
    /// A build directory or a table model
    #[arg(value_name = "BUILD_DIR|MODEL")]
    pub(crate) subject: PathBuf,
    /// What the hardware is made for
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
}

pub(crate) fn run(args: &Args, _ui: &Ui) -> Result<Outcome, Failure> {
    Err(Failure::NotThere { command: "estimate", path: args.subject.clone() })
}
