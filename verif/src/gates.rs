//! The gate-level netlist of a build, simulated by Icarus with the shipped testbench.
//!
//! Yosys maps the core to gates; the banks of constant memory stay what they are, as a macro takes their place on a chip.
//! With a cell library (Liberty) the gates are its cells, and what they do is what the library says.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tablewright_emit::{BuildDir, Names};

use crate::Error;
use crate::tool::{run, run_for, tail};

/// Cells up to which a netlist is simulated. One of 74,000 takes seconds; one of 148,000 came to no end in nine minutes.
pub const MOST_CELLS: u64 = 100_000;

/// What was mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Cells of the netlist, banks excepted.
    pub cells: u64,
    /// What the testbench said when it passed, or what went wrong; nothing for more than [`MOST_CELLS`], or when the limit
    /// came first.
    pub verdict: Option<Result<String, String>>,
}

/// Maps the core and runs the testbench on the netlist; `None` when synthesis takes more processor time than `limit`, which holds
/// for the simulation as well.
pub fn simulate(
    build: &BuildDir,
    names: &Names,
    liberty: Option<&Path>,
    folder: &Path,
    limit: Duration,
) -> Result<Option<Mapped>, Error> {
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|source| Error::Io { path: path.display().to_string(), source })
    };
    let liberty = liberty.map(absolute).transpose()?;
    let write = |name: &str, text: &str| -> Result<PathBuf, Error> {
        let path = folder.join(name);
        std::fs::write(&path, text)
            .map_err(|source| Error::Io { path: path.display().to_string(), source })?;
        Ok(path)
    };
    // ABC's own scripts optimise for many minutes; what is asked here is whether the mapping is right.
    let map = write("map.abc", "strash\ndc2\nmap\n")?;
    let core = names.core();
    let (roms, netlist, statistics) =
        (folder.join("roms.v"), folder.join("netlist.v"), folder.join("statistics.txt"));
    let cells = match &liberty {
        None => format!("abc -g AND,OR,XOR,MUX -script {}", map.display()),
        Some(path) => {
            format!("dfflibmap -liberty {0}; abc -liberty {0} -script {1}", path.display(), map.display())
        }
    };
    let back = match &liberty {
        None => String::new(),
        Some(path) => format!(
            "read_liberty -overwrite -ignore_miss_func {}; proc; async2sync; flatten t:* t:*tw_* %d; ",
            path.display()
        ),
    };
    let script = format!(
        "read_verilog tw_*.v; hierarchy -check -top {core}; proc; select *tw_rom; write_verilog -noattr -selected {}; select \
         -clear; blackbox *tw_rom; opt_expr; opt_clean; memory; opt_clean; alumacc; techmap; opt_clean; dfflegalize -cell \
         $_DFF_P_ x; simplemap; opt_clean; {cells}; opt_clean; tee -q -o {} stat -top {core}; {back}write_verilog -noattr {}",
        roms.display(),
        statistics.display(),
        netlist.display()
    );
    let mut yosys = Command::new("yosys");
    yosys.args(["-q", "-p", &script]).current_dir(build.rtl());
    match run_for("yosys", &yosys, &folder.join("synthesis.log"), limit)? {
        None => return Ok(None),
        Some(finished) if !finished.success => {
            return Err(Error::Tool { program: "yosys".to_owned(), output: tail(&finished.text) });
        }
        Some(_) => {}
    }
    let cells = cells_in(&std::fs::read_to_string(&statistics).unwrap_or_default());
    let verdict =
        if cells > MOST_CELLS { None } else { play(build, names, &[netlist, roms], folder, limit)? };
    Ok(Some(Mapped { cells, verdict }))
}

/// The shipped testbench around a netlist.
fn play(
    build: &BuildDir,
    names: &Names,
    netlist: &[PathBuf],
    folder: &Path,
    limit: Duration,
) -> Result<Option<Result<String, String>>, Error> {
    let program = folder.join("testbench.vvp");
    let testbench = names.testbench();
    // Everything is named relative to rtl/, where the memory images are found.
    let mut compile = Command::new("iverilog");
    compile.args(["-g2005", "-s", &testbench, "-o"]).arg(&program).arg(format!("../tb/{testbench}.v"));
    run("iverilog", compile.args(netlist).current_dir(build.rtl()))?;
    let mut simulate = Command::new("vvp");
    simulate.arg("-N").arg(&program).current_dir(build.rtl());
    let said = run_for("vvp", &simulate, &folder.join("testbench.log"), limit)?;
    Ok(said.map(|said| {
        let passed = said.text.lines().find(|l| l.starts_with("PASS")).map(str::to_owned);
        passed.ok_or_else(|| tail(&said.text))
    }))
}

/// The last number of cells that Yosys gives: of the whole design.
fn cells_in(statistics: &str) -> u64 {
    let of = |line: &str| line.trim().strip_prefix("Number of cells:")?.trim().parse().ok();
    statistics.lines().rev().find_map(of).unwrap_or(0)
}
