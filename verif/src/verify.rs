//! Everything that is known to check about a build, by level, and the certificate of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tablewright_design::{Design, Layout, Node};
use tablewright_emit::{BuildDir, Manifest, changed_files, hex};
use tablewright_plan::Plan;

use crate::certificate::{Certificate, Check, Group, Level, Outcome, VERSION};
use crate::faults::{Faults, Labelled, flip_tables};
use crate::gates::Gates;
use crate::mutation::{self, Mutation};
use crate::upsets::{Upsets, flip_registers};
use crate::{
    Cosim, Error, check_images, check_looked_up, check_packed, formal, gates, icarus, simulate, tool, vectors,
};

/// What to check, and with what.
#[derive(Debug, Clone)]
pub struct Verify {
    /// How much.
    pub level: Level,
    /// Of vectors, stalls, mutants, flips.
    pub seed: u64,
    /// Cell library of the netlist; generic gates without one.
    pub liberty: Option<PathBuf>,
    /// Mutants instead of the level's own number.
    pub mutants: Option<usize>,
    /// Windows or accesses of a trace, for the vectors.
    pub traced: Vec<Vec<u8>>,
    /// Labelled windows of a trace and the design that takes windows, for flipped table bits.
    pub labelled: Option<(Design, Labelled)>,
}

/// How far a level goes.
struct Effort {
    /// Windows compared with nobody stalling, and with stalls.
    windows: [usize; 2],
    /// Of each proof.
    proof: Duration,
    /// Of synthesis and of the simulation of its netlist; zero leaves both out.
    gates: Duration,
    /// Windows compared on a netlist under Verilator.
    gate_windows: usize,
    mutants: usize,
    /// Windows compared for each mutant.
    mutant_windows: usize,
    /// Entries flipped of each bit position of each bank.
    flips: usize,
    /// Flip-flops flipped of each stage; zero leaves them out.
    upsets: usize,
}

fn effort(level: Level) -> Effort {
    let seconds = Duration::from_secs;
    match level {
        Level::Quick => Effort {
            windows: [400, 200],
            proof: seconds(30),
            gates: seconds(0),
            gate_windows: 0,
            mutants: 0,
            mutant_windows: 0,
            flips: 2,
            upsets: 0,
        },
        Level::Full => Effort {
            windows: [2000, 1000],
            proof: seconds(120),
            gates: seconds(1200),
            gate_windows: 100,
            mutants: 50,
            mutant_windows: 200,
            flips: 8,
            upsets: 8,
        },
        Level::Signoff => Effort {
            windows: [20_000, 10_000],
            proof: seconds(1800),
            gates: seconds(7200),
            gate_windows: 1000,
            mutants: 500,
            mutant_windows: 1000,
            flips: 32,
            upsets: 50,
        },
    }
}

/// Of each proof that a mutant changes nothing.
const MUTANT_PROOF: Duration = Duration::from_mins(1);

/// Windows of each run with a flipped register.
const UPSET_WINDOWS: usize = 40;

/// Probability of a stall where streams stall.
const STALL: f64 = 0.3;

/// Checks a build. `progress` hears what is being done.
pub fn verify(
    build: &BuildDir,
    manifest: &Manifest,
    design: &Design,
    plan: &Plan,
    wanted: &Verify,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<Certificate, Error> {
    let effort = effort(wanted.level);
    let work = Workplace::new(build)?;
    let mut certificate = Certificate {
        version: VERSION,
        model: manifest.model.clone(),
        core: manifest.core.clone(),
        manifest_sha256: file_sha256(&build.root().join("manifest.json"))?,
        changed_files: changed_files(build, manifest),
        level: wanted.level,
        seed: wanted.seed,
        tools: tools()?,
        liberty_sha256: wanted.liberty.as_deref().map(file_sha256).transpose()?,
        passed: false,
        checks: Vec::new(),
        mutation: None,
        faults: None,
        upsets: None,
        seconds: BTreeMap::new(),
    };
    let checks = &mut certificate.checks;

    progress("images");
    let (fault, images) = timed(|| Ok(images(build, design, plan)))?;
    let readable = images.is_none_or(|complete| complete);
    checks.push(fault);
    if design.nodes.iter().any(|node| node.op.tables().iter().any(|table| table.packed.is_some())) {
        checks.push(timed_check(|| Ok(packed(build, design, plan)))?);
        checks.push(timed_check(|| Ok(looked_up(design, wanted, effort.windows[0])))?);
    }
    if readable {
        for (stall, windows) in [0.0, STALL].into_iter().zip(effort.windows) {
            progress("golden model and Verilator");
            checks.push(compare(build, design, plan, wanted, stall, windows)?);
        }
        progress("shipped testbench under Icarus");
        checks.push(timed_check(|| shipped(build, design))?);
        progress("netlist");
        let place = work.folder("gates")?;
        checks.push(timed_check(|| netlist(build, design, wanted, &effort, &place))?);
    }
    if readable {
        let place = work.folder("formal")?;
        let mut told = |name: &str| progress(name);
        checks.extend(formal::prove(build, design, plan, place, effort.proof, None, &mut told)?);
    } else {
        let check = Check::new(
            Group::Formal,
            "proofs",
            "not done",
            "tools refuse Verilog whose memory images are missing",
        );
        checks.push(check.skipped("an image cannot be read".to_owned()));
    }

    let count = wanted.mutants.unwrap_or(effort.mutants);
    let sound = checks.iter().all(|c| c.outcome != Outcome::Failed);
    let options = mutation::Options {
        count,
        seed: wanted.seed,
        windows: effort.mutant_windows.max(100),
        limit: effort.proof.min(MUTANT_PROOF),
    };
    let method = "Yosys mutate, all mutants in one netlist, sampled by seed; killed by the comparison of every value, without \
                  stalls and with, after 100 resets with windows inside, or by the shipped testbench, both under Verilator";
    let scope = "one stuck, inverted or conditionally inverted bit of a port of a cell at a time, clocks and contents of memories left \
                 out; survivors are run once more, much longer, and excused by proof alone, each with its method; rows that are \
                 not valid may differ";
    let check = Check::new(Group::Mutation, "mutants", method, scope);
    if design.loaded.is_some() {
        checks.push(
            check.skipped(
                "contents are loaded: the netlist of mutants has no load stream yet, so none is planted"
                    .to_owned(),
            ),
        );
    } else if count == 0 {
        checks.push(check.skipped("level quick plants none; --mutants N does".to_owned()));
    } else if !sound {
        checks.push(
            check.skipped("a check before failed, so every mutant would seem to be noticed".to_owned()),
        );
    } else {
        progress("mutants");
        let place = work.folder("mutation")?;
        let (check, found) = timed(|| {
            let found = mutation::mutate(build, design, plan, &options, &place, &wanted.traced)?;
            Ok((judge_mutants(check, &found), found))
        })?;
        checks.push(check);
        certificate.mutation = Some(found);
    }
    if let Some((windowed, labelled)) = &wanted.labelled {
        progress("flipped table bits");
        let (check, found) =
            timed(|| Ok(table_bits((windowed, labelled), (design, plan), wanted.seed, effort.flips)))?;
        certificate.checks.push(check);
        certificate.faults = Some(found);
        progress("flipped registers");
        let (check, found) =
            timed(|| registers((build, design, plan), wanted.seed, effort.upsets, &work, labelled))?;
        certificate.checks.push(check);
        certificate.upsets = found;
    }
    certificate.conclude();
    Ok(certificate)
}

/// A folder for what is made on the way, removed at the end.
struct Workplace(PathBuf);

impl Workplace {
    fn new(build: &BuildDir) -> Result<Self, Error> {
        let path = build.sim().join(format!("verify-{}", std::process::id()));
        std::fs::create_dir_all(&path)
            .map_err(|source| Error::Io { path: path.display().to_string(), source })?;
        // Tools are started elsewhere.
        std::path::absolute(&path)
            .map(Self)
            .map_err(|source| Error::Io { path: path.display().to_string(), source })
    }

    fn folder(&self, name: &str) -> Result<PathBuf, Error> {
        let path = self.0.join(name);
        std::fs::create_dir_all(&path)
            .map_err(|source| Error::Io { path: path.display().to_string(), source })?;
        Ok(path)
    }
}

impl Drop for Workplace {
    fn drop(&mut self) {
        // What stays behind lies in sim/, which may be deleted at any time.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn timed<T>(make: impl FnOnce() -> Result<(Check, T), Error>) -> Result<(Check, T), Error> {
    let started = Instant::now();
    let (mut check, rest) = make()?;
    check.seconds = started.elapsed().as_secs_f64();
    Ok((check, rest))
}

fn timed_check(make: impl FnOnce() -> Result<Check, Error>) -> Result<Check, Error> {
    Ok(timed(|| make().map(|check| (check, ())))?.0)
}

/// Images against the model; beside it, for one that differs, whether all lines are there.
fn images(build: &BuildDir, design: &Design, plan: &Plan) -> (Check, Option<bool>) {
    let (fault, faulty) = check_images(build, design, plan);
    let check = Check::new(
        Group::Differential,
        "images",
        "every word and newline of every memory image against the model",
        "all images; a missing one would read as zeros in simulators",
    )
    .covering("images", tablewright_emit::images(design, plan).len() as u64)
    .covering("faulty", faulty as u64);
    let complete = fault.as_ref().map(|f| f.line > 0);
    (check.judged(fault.map(|f| format!("{} line {}: {}", f.file, f.line, f.problem))), complete)
}

/// Banks that are stored without what repeats against whole tables.
fn packed(build: &BuildDir, design: &Design, plan: &Plan) -> Check {
    let found = check_packed(build, design, plan);
    Check::new(
        Group::Differential,
        "packed tables",
        "every entry made from the words of the images, against the whole tables",
        "every entry of every bank whose code can occur. That the Verilog makes entries of words in the same way is part of the \
         tables' proofs, where there are some",
    )
    .covering("banks", found.banks)
    .covering("entries", found.entries)
    .covering("entries that no code reaches", found.unread)
    .covering("bits whole", found.whole_bits)
    .covering("bits stored", found.stored_bits)
    .judged(found.wrong)
}

/// Rows of tables that no code should reach, against runs of the golden model.
fn looked_up(design: &Design, wanted: &Verify, count: usize) -> Check {
    let inputs = vectors::windows(design, count, &wanted.traced, wanted.seed);
    let found = check_looked_up(design, &inputs);
    Check::new(
        Group::Differential,
        "rows never read",
        "golden model; corner cases, then the trace's windows, then random ones",
        "rows of tables that no code reaches, by enumeration of all rows in front of the encoders or by intervals \
         (gen/design/src/reach.rs), are not stored; here no run may look one up. Other rows need not all be seen",
    )
    .covering("windows", count as u64)
    .covering("rows never read", found.unread)
    .covering("rows read", found.seen)
    .covering("rows stored", found.rows)
    .judged(found.wrong)
}

/// Golden model and Verilator at every kernel boundary.
fn compare(
    build: &BuildDir,
    design: &Design,
    plan: &Plan,
    wanted: &Verify,
    stall: f64,
    count: usize,
) -> Result<Check, Error> {
    let windows = vectors::steered(design, count, &wanted.traced, wanted.seed);
    let options = Cosim { stall, seed: wanted.seed, ..Cosim::default() };
    timed_check(|| {
        let report = simulate(build, design, plan, &windows, &options, &mut |_| ())?;
        let (name, scope) = if stall > 0.0 {
            (
                "golden = Verilator, with stalls",
                "random stalls of both streams; every value of every kernel, in value and cycle; eight resets with windows inside",
            )
        } else {
            (
                "golden = Verilator",
                "back to back; every value of every kernel, in value and cycle; eight resets with windows inside; latency and \
                 interval as planned",
            )
        };
        let method = "co-simulation, two-valued; corner cases, then the trace's windows, then random ones; half are led to every \
                      code of the first encoders";
        let check = Check::new(Group::Differential, name, method, scope)
            .covering("windows", report.vectors)
            .covering("values each", report.values_per_window)
            .covering("cycles", report.cycles)
            .covering("mismatches", report.mismatches);
        let problem = report.first.as_ref().map(|m| {
            format!(
                "kernel {}, window {}, row {}, cycle {}: expected {:?}, got {:?}",
                m.kernel, m.window, m.row, m.cycle, m.expected, m.actual
            )
        });
        let problem =
            problem.or_else(|| (!report.passed()).then(|| "latency, interval or a standstill".to_owned()));
        Ok(check.judged(problem))
    })
}

/// The shipped testbench under Icarus: unknown values, resets in the middle, stalls.
fn shipped(build: &BuildDir, design: &Design) -> Result<Check, Error> {
    let check = Check::new(
        Group::Differential,
        "golden = Icarus",
        "the shipped testbench, four-valued",
        "bitmaps of the shipped vectors; eight resets with windows inside, random stalls, handshakes never unknown",
    );
    Ok(check.judged(icarus(build, &design.name)?.err().map(|said| tool::tail(&said))))
}

/// The netlist of gates, simulated.
fn netlist(
    build: &BuildDir,
    design: &Design,
    wanted: &Verify,
    effort: &Effort,
    folder: &Path,
) -> Result<Check, Error> {
    let cells = if wanted.liberty.is_some() { "cells of the Liberty file" } else { "generic gates" };
    let check = |simulator: &str, compared: &str| {
        Check::new(
            Group::Differential,
            "golden = netlist",
            &format!("Yosys to {cells}, then {simulator}"),
            &format!(
                "{compared}, no delays; constant memories (tw_rom) stay as their Verilog, writable ones are flip-flops; mapped \
                 without optimising for area or speed"
            ),
        )
    };
    if design.loaded.is_some() {
        let check = check("a simulator", "nothing");
        return Ok(check.skipped(
            "contents are loaded: banks of tw_ram would become flip-flops, and the harness of a netlist loads none".to_owned(),
        ));
    }
    if effort.gates.is_zero() {
        let check = check("a simulator", "nothing");
        return Ok(check.skipped("level quick does not synthesise".to_owned()));
    }
    let limited = |check: Check| {
        let mut check =
            check.skipped(format!("no end within {} s of processor time", effort.gates.as_secs()));
        check.outcome = Outcome::Undecided;
        check
    };
    let windows = vectors::covering(design, effort.gate_windows, &wanted.traced, wanted.seed);
    let gates = Gates {
        liberty: wanted.liberty.as_deref(),
        folder,
        limit: effort.gates,
        most_cells: gates::MOST_CELLS,
        windows: &windows,
    };
    let Some(mapped) = gates::simulate(build, design, &gates)? else {
        return Ok(limited(check("a simulator", "nothing")));
    };
    let check = if mapped.verilator {
        check(
            "the harness of `tablewright sim` under Verilator",
            "every value of every kernel, in value and cycle, two-valued, with stalls and without, eight resets with windows \
             inside",
        )
        .covering("windows", windows.len() as u64)
    } else {
        check("the shipped testbench under Icarus", "bitmaps of the shipped vectors, four-valued")
    };
    let check = check.covering("cells", mapped.cells);
    Ok(match mapped.verdict {
        Some(verdict) => check.judged(verdict.err()),
        None => limited(check),
    })
}

/// Flips in the tables of a design that takes windows, in the banks of the build: a ranking, and a check that says what was done.
fn table_bits(
    (windowed, labelled): (&Design, &Labelled),
    (design, plan): (&Design, &Plan),
    seed: u64,
    each: usize,
) -> (Check, Faults) {
    let layout = |node: &Node| {
        let built = design.iter().find(|(_, other)| other.name == node.name);
        built.map_or(Layout::Rows { fold: 1 }, |(id, built)| plan.stage(id).directive.layout(built))
    };
    let found = flip_tables(windowed, layout, labelled, (each, seed));
    let check = Check::new(
        Group::Faults,
        "table bits",
        "flips on the golden model, stored bits chosen by seed",
        "one stored bit at a time, in all entries that are made of it, each bit position of each bank. A ranking, with nothing to \
         fail",
    )
    .covering("flips", found.flips)
    .covering("windows", found.windows)
    .judged(None);
    (check, found)
}

/// Flips in flip-flops, `each` of a stage: a ranking, and a check that says what was done.
fn registers(
    (build, design, plan): (&BuildDir, &Design, &Plan),
    seed: u64,
    each: usize,
    work: &Workplace,
    labelled: &Labelled,
) -> Result<(Check, Option<Upsets>), Error> {
    let check = Check::new(
        Group::Faults,
        "registers",
        "Yosys puts an inverter in front of flip-flops; Verilator, back to back, F1 of the bitmaps",
        "one bit of one flip-flop for a cycle, by chance in the first half of a run, of each stage as many; writable memories are \
         flip-flops. A ranking, with nothing to fail",
    );
    if design.loaded.is_some() {
        let why = "contents are loaded: the harness of flips loads none";
        return Ok((check.skipped(why.to_owned()), None));
    }
    if each == 0 {
        return Ok((check.skipped("level quick flips none".to_owned()), None));
    }
    let few = Labelled {
        windows: labelled.windows.iter().take(UPSET_WINDOWS).cloned().collect(),
        labels: labelled.labels.iter().take(UPSET_WINDOWS).cloned().collect(),
    };
    let found = flip_registers(build, (design, plan), &few, (each, seed), &work.folder("upsets")?)?;
    let check = check
        .covering("flips", found.flips)
        .covering("flip-flops", found.flip_flops)
        .covering("windows", found.windows)
        .judged(None);
    Ok((check, Some(found)))
}

fn judge_mutants(check: Check, found: &Mutation) -> Check {
    let problem = (found.unexcused > 0).then(|| {
        let named = found.survivors.iter().filter(|s| s.excused.is_none());
        let names: Vec<String> = named
            .map(|s| {
                let m = &s.mutant;
                format!("{} {} {}[{}] {}", m.module, m.cell, m.port, m.bit, m.mode)
            })
            .collect();
        let named = names.join("; ");
        format!("{} survived without a proof that they change nothing: {named}", found.unexcused)
    });
    let unsound = found.wrongly_excused.first().map(|m| {
        format!(
            "the proof excuses `{}`, which a simulation noticed, so none of its excuses counts",
            m.command
        )
    });
    check
        .covering("mutants", found.mutants)
        .covering("controls", found.controls)
        .covering("killed", found.killed)
        .covering("excused", found.excused)
        .covering("windows each", found.windows)
        .judged(unsound.or(problem))
}

/// Versions of all that is used.
fn tools() -> Result<BTreeMap<String, String>, Error> {
    let programs: [(&str, &[&str], &str); 4] = [
        ("verilator", &["--version"], "Verilator"),
        ("iverilog", &["-V"], "Icarus"),
        ("yosys", &["-V"], "Yosys"),
        ("yosys-abc", &["-c", "version"], "ABC 1"),
    ];
    let mut versions = BTreeMap::new();
    versions.insert("tablewright".to_owned(), env!("CARGO_PKG_VERSION").to_owned());
    for (program, arguments, word) in programs {
        versions.insert(program.to_owned(), tool::version(program, arguments, word)?);
    }
    Ok(versions)
}

fn file_sha256(path: &Path) -> Result<String, Error> {
    let bytes =
        std::fs::read(path).map_err(|source| Error::Io { path: path.display().to_string(), source })?;
    let digest: Vec<i64> = Sha256::digest(bytes).iter().rev().map(|&b| i64::from(b)).collect();
    Ok(hex(&digest, 8))
}
