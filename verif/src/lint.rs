//! Three tools read the Verilog, each with its warnings as errors.

use std::fmt::Write;
use std::process::Command;

use rayon::prelude::*;
use serde::Serialize;
use tablewright_emit::BuildDir;

use crate::tool::{run, verilog_in};
use crate::{Error, tool};

/// What one tool said of one module.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Complaint {
    /// `verilator`, `iverilog` or `yosys`.
    pub tool: &'static str,
    /// The module that was the top.
    pub module: String,
    /// Its words.
    pub output: String,
}

/// What was linted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LintReport {
    /// Modules, each taken as a top of its own.
    pub modules: usize,
    /// What the tools said; empty when all is well.
    pub complaints: Vec<Complaint>,
}

/// Lints every module of a build alone, with Verilator `-Wall`, Icarus `-Wall` and Yosys.
pub fn lint(build: &BuildDir) -> Result<LintReport, Error> {
    let rtl = build.rtl();
    let files = verilog_in(&rtl)?;
    // Hundreds of short processes, none of which knows of another.
    let one = |file: &String| -> Result<Vec<Complaint>, Error> {
        let module = file.trim_end_matches(".v");
        let mut complaints = Vec::new();
        let tools: [(&'static str, Vec<String>); 2] = [
            (
                "verilator",
                words(&format!("--lint-only -Wall --language 1364-2005 -y . --top-module {module} {file}")),
            ),
            ("iverilog", words(&format!("-g2005 -Wall -t null -y . -s {module} {file}"))),
        ];
        for (program, arguments) in tools {
            judge(
                program,
                module,
                run(program, Command::new(program).args(&arguments).current_dir(&rtl)),
                &mut complaints,
            )?;
        }
        Ok(complaints)
    };
    let found: Vec<Vec<Complaint>> = files.par_iter().map(one).collect::<Result<_, _>>()?;
    let mut complaints = found.concat();
    // One process reads all files once; every module is elaborated by itself.
    let mut script = format!("read_verilog {}; design -save all;", files.join(" "));
    for file in &files {
        let module = file.trim_end_matches(".v");
        let _ = write!(script, " design -load all; hierarchy -check -top {module}; proc; check -assert;");
    }
    let yosys = run("yosys", Command::new("yosys").args(["-q", "-p", &script]).current_dir(&rtl));
    judge("yosys", "all", yosys, &mut complaints)?;
    Ok(LintReport { modules: files.len(), complaints })
}

fn words(line: &str) -> Vec<String> {
    line.split_whitespace().map(str::to_owned).collect()
}

/// A failing tool complains; so does one that succeeds and says anything at all.
fn judge(
    tool: &'static str,
    module: &str,
    result: Result<String, Error>,
    complaints: &mut Vec<Complaint>,
) -> Result<(), Error> {
    let output = match result {
        Ok(text) if text.trim().is_empty() => return Ok(()),
        Ok(text) => tool::tail(&text),
        Err(Error::Tool { output, .. }) => output,
        Err(other) => return Err(other),
    };
    complaints.push(Complaint { tool, module: module.to_owned(), output });
    Ok(())
}
