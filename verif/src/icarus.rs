//! The shipped testbench under Icarus Verilog, which knows unknown values.

use std::process::Command;

use tablewright_emit::{BuildDir, Names};

use crate::Error;
use crate::tool::run;

/// Runs the testbench of the core, then that of the prefetcher; the last line of each on success.
pub fn icarus(build: &BuildDir, model: &str) -> Result<Result<[String; 2], String>, Error> {
    let names = Names::new(model);
    let core = testbench(build, &names.testbench())?;
    let prefetcher = testbench(build, &names.prefetcher_testbench())?;
    Ok(core.and_then(|core| Ok([core, prefetcher?])))
}

fn testbench(build: &BuildDir, testbench: &str) -> Result<Result<String, String>, Error> {
    let sim = build.sim();
    std::fs::create_dir_all(&sim).map_err(|source| Error::Io { path: sim.display().to_string(), source })?;
    // Everything is named relative to rtl/, where the memory images are found.
    let program = format!("../sim/{testbench}.vvp");
    let source = format!("../tb/{testbench}.v");
    let rtl = build.rtl();
    let mut compile = Command::new("iverilog");
    compile.args(["-g2005", "-Wall", "-y", ".", "-y", "../tb", "-s", testbench, "-o", &program, &source]);
    let said = run("iverilog", compile.current_dir(&rtl))?;
    if !said.trim().is_empty() {
        return Ok(Err(said));
    }
    let output = run("vvp", Command::new("vvp").args(["-N", &program]).current_dir(&rtl))?;
    let verdict = output.lines().find(|l| l.starts_with("PASS"));
    Ok(verdict.map(str::to_owned).ok_or(output))
}
