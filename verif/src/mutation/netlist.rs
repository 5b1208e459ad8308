//! The netlist that holds all mutants of a run, and the simulations of it.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde::Serialize;
use tablewright_design::Design;
use tablewright_emit::{BuildDir, Names};
use tablewright_plan::Plan;

use crate::Error;
use crate::tool::{absolute, run, run_for, tail};
use crate::verilate::{NO_BIT_TREES, around, made_of};
use crate::wrapped::{self, Wrapped};

use super::Options;
use super::equivalence::signals;

/// The file that says which mutant is at work, in hexadecimal.
pub(super) const CHOICE: &str = "mutant.hex";
/// Of compiling a testbench around all mutants.
const COMPILE_LIMIT: Duration = Duration::from_hours(1);
/// The core with the mutants in it.
const MUTATED: &str = "tw_mutated_core";

/// A planted fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mutant {
    /// `const0`, `const1`, `inv`, `cnot0`, `cnot1`: stuck, inverted, or inverted when another bit is 0 or 1.
    pub mode: String,
    /// The module, with a hash of its parameters where it has some.
    pub module: String,
    /// The cell in it, with file and line where it has no name of its own.
    pub cell: String,
    /// Port of the cell.
    pub port: String,
    /// Bit of the port.
    pub bit: String,
    /// The whole command, which plants it again.
    pub command: String,
}

impl Mutant {
    /// Of a command of Yosys; none when it is no `mutate` of one bit.
    pub fn of(command: &str) -> Option<Self> {
        let words: Vec<&str> = command.split_whitespace().collect();
        let after = |flag: &str| {
            let at = words.iter().position(|w| *w == flag)?;
            words.get(at + 1).map(|w| (*w).to_owned())
        };
        Some(Self {
            mode: after("-mode")?,
            module: after("-module")?,
            cell: after("-cell")?,
            port: after("-port")?,
            bit: after("-portbit")?,
            command: command.trim().to_owned(),
        })
    }

    /// The module without the hash of its parameters.
    pub(crate) fn kind(&self) -> String {
        self.module.rsplit('\\').next().unwrap_or(&self.module).to_owned()
    }
}

/// From the Verilog to what is mutated. Proofs of equivalence begin in the same way, so that cells have the same names.
/// Registers that are cells of their own become part of the module they are in, so that a proof sees what is behind them.
pub(super) fn read(core: &str) -> String {
    format!(
        "read_verilog tw_*.v; hierarchy -check -top {core}; proc; flatten t:*tw_cut* t:*tw_valid*; hierarchy -check -top \
         {core}; opt_clean"
    )
}

/// Chooses mutants and writes the netlist that has them all, and the core around it.
pub(super) fn plant(
    build: &BuildDir,
    design: &Design,
    plan: &Plan,
    options: &Options,
    folder: &Path,
) -> Result<Vec<Mutant>, Error> {
    let names = Names::new(&design.name);
    let core = names.core();
    let io = |path: &Path| {
        let path = path.display().to_string();
        move |source| Error::Io { path, source }
    };
    let list = folder.join("mutants.ys");
    // Some are of the memories' contents, which no wire can choose; those are the table flips of another check. Another clock
    // is a matter of time, which neither simulations without delays nor a graph without clocks can judge.
    let wanted = options.count * 2 + 20;
    let script =
        format!("{}; mutate -list {wanted} -seed {} -o {}", read(&core), options.seed, list.display());
    run("yosys", Command::new("yosys").args(["-q", "-p", &script]).current_dir(build.rtl()))?;
    let text = std::fs::read_to_string(&list).map_err(io(&list))?;
    let mutants: Vec<Mutant> = text
        .lines()
        .filter_map(Mutant::of)
        .filter(|m| !m.cell.contains("$meminit") && m.mode != "none" && !m.port.eq_ignore_ascii_case("clk"))
        .take(options.count)
        .collect();

    let width = bits_for(mutants.len());
    let mut apply = planted(&core, width, &mutants);
    let netlist = folder.join("mutated.v");
    let _ = write!(apply, "\nrename {core} {MUTATED}\nwrite_verilog -noattr {}\n", netlist.display());
    let script = folder.join("plant.ys");
    std::fs::write(&script, apply).map_err(io(&script))?;
    run("yosys", Command::new("yosys").arg("-q").arg(&script).current_dir(build.rtl()))?;
    let around = folder.join("core.v");
    let chooser = format!(
        "  reg [{0}:0] chosen[0:0];\n  initial $readmemh(\"{CHOICE}\", chosen);\n  wire [{0}:0] mutant = chosen[0];\n",
        width - 1
    );
    let wrapped = Wrapped {
        module: MUTATED,
        choice: "mutant",
        chooser: &chooser,
        values_at: Some("u_predictor."),
        tables_valid: "u_predictor.tables_valid",
    };
    wrapped::write(build, (design, plan), &wrapped, &around)?;
    Ok(mutants)
}

/// The script that reads a core and plants mutants, chosen by an input of `width` bits: number 0 is none of them.
fn planted(core: &str, width: u32, mutants: &[Mutant]) -> String {
    let mut script = read(core).replace("; ", "\n");
    for (index, mutant) in mutants.iter().enumerate() {
        let command = mutant.command.trim_start_matches("mutate ");
        let _ = write!(script, "\nmutate -ctrl mutant {width} {} {command}", index + 1);
    }
    script
}

/// The core as an and-inverter graph with these mutants in it, constant memories as logic; the rows of every node are
/// outputs.
pub(super) fn graph(
    build: &BuildDir,
    design: &Design,
    mutants: &[Mutant],
    folder: &Path,
) -> Result<Vec<u8>, Error> {
    let core = Names::new(&design.name).core();
    let file = folder.join("core.aig");
    let mut shown = String::new();
    for node in 0..design.nodes.len() {
        for signal in signals(design, node) {
            let _ = write!(shown, " w:{signal}");
        }
    }
    let mut script = planted(&core, bits_for(mutants.len()), mutants);
    // A module is made into gates once, however often it stands in the core.
    let _ = write!(
        script,
        "\nopt_clean\nmemory -nordff -nomap\nmemory_map\nsetundef -undriven -zero\nsetundef -zero\nalumacc\ntechmap\n\
         opt_clean\ndffunmap\nsimplemap\naigmap\nflatten\nsetundef -undriven -zero\nexpose{shown}\nopt_clean\nwrite_aiger \
         -symbols {}\n",
        file.display()
    );
    let path = folder.join("graph.ys");
    std::fs::write(&path, script).map_err(|source| Error::Io { path: path.display().to_string(), source })?;
    run("yosys", Command::new("yosys").arg("-q").arg(&path).current_dir(build.rtl()))?;
    std::fs::read(&file).map_err(|source| Error::Io { path: file.display().to_string(), source })
}

fn bits_for(mutants: usize) -> u32 {
    (mutants + 1).next_power_of_two().ilog2().max(1)
}

/// The harness of `tablewright sim` around the mutants.
pub(super) fn compile_harness(build: &BuildDir, names: &Names, folder: &Path) -> Result<PathBuf, Error> {
    let sources = [folder.join("core.v"), folder.join("mutated.v")];
    around(build, names, &folder.join("values"), &sources, "-O1", COMPILE_LIMIT)?.ok_or_else(too_long)
}

/// The shipped testbench around the mutants.
pub(super) fn compile_testbench(build: &BuildDir, names: &Names, folder: &Path) -> Result<PathBuf, Error> {
    let sources = [folder.join("core.v"), folder.join("mutated.v")];
    let program = testbench(build, names, &folder.join("testbench"), &sources, COMPILE_LIMIT)?;
    program.ok_or_else(too_long)
}

fn too_long() -> Error {
    Error::Tool {
        program: "verilator".to_owned(),
        output: format!("no end within {} s of processor time", COMPILE_LIMIT.as_secs()),
    }
}

/// The shipped testbench around other sources of the core, under Verilator; the program, or none when compiling it takes
/// longer than `limit`.
pub(crate) fn testbench(
    build: &BuildDir,
    names: &Names,
    place: &Path,
    sources: &[PathBuf],
    limit: Duration,
) -> Result<Option<PathBuf>, Error> {
    let vectors = absolute(&build.tb().join("vectors"))?;
    let mut verilator = Command::new("verilator");
    verilator
        .args(["--binary", "--timing", "-j", "2", "-Wno-fatal", "-Wno-lint", "-Wno-style"])
        .args(made_of("-O0"))
        .arg(NO_BIT_TREES)
        .args(["--top-module", &names.testbench(), "-o", "testbench", "--Mdir"])
        .arg(place)
        .arg(format!("-DTW_VECTORS=\"{}/\"", vectors.display()))
        .arg(absolute(&build.tb().join(format!("{}.v", names.testbench())))?);
    verilator.args(sources);
    match run_for("verilator", &verilator, &place.with_extension("log"), limit)? {
        None => Ok(None),
        Some(finished) if finished.success => Ok(Some(place.join("testbench"))),
        Some(finished) => Err(Error::Tool { program: "verilator".to_owned(), output: tail(&finished.text) }),
    }
}
