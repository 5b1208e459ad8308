//! `tablewright lint`: three tools read the Verilog of a build.

use std::path::PathBuf;

use serde::Serialize;
use tablewright_verif::{Complaint, lint};

use crate::built::{Built, changed_row};
use crate::failure::{Failure, Outcome};
use crate::ui::{Render, Ui, pairs};

/// Let Verilator, Icarus Verilog and Yosys read every module of a build, their warnings as errors
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  tablewright lint shor.build")]
pub(crate) struct Args {
    /// What `tablewright build` wrote
    pub(crate) build_dir: PathBuf,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let built = Built::open(&args.build_dir)?;
    let report = lint(&built.dir)?;
    let passed = report.complaints.is_empty();
    ui.print(&About {
        build_dir: args.build_dir.display().to_string(),
        passed,
        modules: report.modules,
        changed_files: built.changed_files(),
        complaints: report.complaints,
    })?;
    Ok(if passed { Outcome::Done } else { Outcome::CheckFailed })
}

#[derive(Debug, Serialize)]
struct About {
    build_dir: String,
    passed: bool,
    modules: usize,
    /// Files that are not as `build` wrote them.
    changed_files: Vec<String>,
    complaints: Vec<Complaint>,
}

impl Render for About {
    fn text(&self) -> String {
        let mut rows = vec![
            ("build", self.build_dir.clone()),
            ("modules", format!("{}, each alone, with warnings as errors", self.modules)),
            ("tools", "verilator -Wall, iverilog -Wall, yosys".to_owned()),
        ];
        rows.extend(changed_row(&self.changed_files));
        for c in &self.complaints {
            rows.push(("complaint", format!("{} on {}: {}", c.tool, c.module, c.output)));
        }
        rows.push(("result", if self.passed { "PASS" } else { "FAIL" }.to_owned()));
        pairs(rows)
    }
}
