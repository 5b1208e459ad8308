//! The gate-level netlist of a build, simulated by Icarus with the shipped testbench, or, if it is large, by Verilator with the
//! harness of `tablewright sim`.
//!
//! Yosys maps the core to gates; banks, constant and writable, stay what they are, as macros take their place on a chip.
//! With a cell library (Liberty) the gates are its cells, and what they do is what the library says. Modules stay, and in
//! them the wires of every node's rows, so that the harness compares the same values as in the Verilog.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tablewright_design::Design;
use tablewright_emit::{BuildDir, Names};

use crate::Error;
use crate::cosim::{recorded, replay};
use crate::tool::{absolute, run, run_for, tail, verilog_in};
use crate::verilate::around;

/// Cells up to which Icarus simulates a netlist. One of 74,000 takes seconds; one of 148,000 came to no end in nine minutes.
pub const MOST_CELLS: u64 = 100_000;

/// Files of the banks, which no gates take the place of.
const BANKS: [&str; 2] = ["tw_ram.v", "tw_rom.v"];

/// Probability of a stall in the second of Verilator's runs, in thousandths.
const STALL: u32 = 300;

/// Resets with windows inside in each of Verilator's runs.
const RESETS: u32 = 8;

/// A netlist to make and how to simulate it.
#[derive(Debug, Clone, Copy)]
pub struct Gates<'a> {
    /// Cell library; generic gates without one.
    pub liberty: Option<&'a Path>,
    /// For files in between.
    pub folder: &'a Path,
    /// Processor time of synthesis, of the simulator's compilation and of the simulation each.
    pub limit: Duration,
    /// Above so many cells Verilator simulates in Icarus's place.
    pub most_cells: u64,
    /// What Verilator compares.
    pub windows: &'a [Vec<u8>],
}

/// What was mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mapped {
    /// Cells of the netlist, banks excepted.
    pub cells: u64,
    /// Verilator and not Icarus simulated it.
    pub verilator: bool,
    /// What was found when it passed, or what went wrong; nothing when the limit came first.
    pub verdict: Option<Result<String, String>>,
}

/// Maps the core and simulates the netlist; `None` when synthesis came to no end within the limit.
pub fn simulate(build: &BuildDir, design: &Design, gates: &Gates<'_>) -> Result<Option<Mapped>, Error> {
    let Gates { liberty, folder, limit, .. } = *gates;
    let names = &Names::new(&design.name);
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
    let (netlist, statistics) = (folder.join("netlist.v"), folder.join("statistics.txt"));
    let (banks, logic): (Vec<String>, Vec<String>) =
        verilog_in(&build.rtl())?.into_iter().partition(|file| BANKS.contains(&file.as_str()));
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
    let banks_read =
        if banks.is_empty() { String::new() } else { format!("read_verilog -lib {}; ", banks.join(" ")) };
    let script = format!(
        "{banks_read}read_verilog {}; hierarchy -check -top {core}; proc; opt_expr; opt_clean; memory; opt_clean; \
         alumacc; techmap; opt_clean; dfflegalize -cell $_DFF_P_ x; simplemap; opt_clean; {cells}; opt_clean; tee -q -o {} stat \
         -top {core}; {back}write_verilog -noattr {}",
        logic.join(" "),
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
    let verilator = cells > gates.most_cells;
    let banks = banks.iter().map(|file| absolute(&build.rtl().join(file)));
    let sources: Vec<PathBuf> = banks.chain([Ok(netlist)]).collect::<Result<_, _>>()?;
    let verdict = if verilator {
        compare(build, design, &sources, gates)?
    } else {
        play(build, names, &sources, folder, limit)?
    };
    Ok(Some(Mapped { cells, verilator, verdict }))
}

/// Every row of every node of a netlist against the golden model, under Verilator, without stalls and with.
fn compare(
    build: &BuildDir,
    design: &Design,
    netlist: &[PathBuf],
    gates: &Gates<'_>,
) -> Result<Option<Result<String, String>>, Error> {
    let place = gates.folder.join("values");
    // A compiler that optimises a hundred thousand statements takes longer than the simulation saves.
    let Some(program) = around(build, &Names::new(&design.name), &place, netlist, "-O0", gates.limit)? else {
        return Ok(None);
    };
    let bytes = recorded(design, gates.windows);
    for stall in [0, STALL] {
        match replay(&program, &build.rtl(), &bytes, (stall, RESETS))? {
            Ok(0) => {}
            Ok(rows) => return Ok(Some(Err(format!("{rows} rows differ, or it stands still")))),
            Err(said) => return Ok(Some(Err(said))),
        }
    }
    Ok(Some(Ok(format!("{} windows, without stalls and with", gates.windows.len()))))
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
    compile
        .args(["-g2005", "-y", "../tb", "-s", &testbench, "-o"])
        .arg(&program)
        .arg(format!("../tb/{testbench}.v"));
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
