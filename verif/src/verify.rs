//! Everything that is known to check about a build, by level, and the certificate of it.

mod checks;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use sha2::{Digest, Sha256};
use tablewright_design::Design;
use tablewright_emit::{BuildDir, Manifest, changed_files, hex};
use tablewright_plan::Plan;

use crate::certificate::{Certificate, Check, Group, Level, Outcome, VERSION};
use crate::faults::Labelled;
use crate::{Error, formal, mutation, tool};

use checks::{compare, images, judge_mutants, looked_up, netlist, packed, registers, shipped, table_bits};

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
        tool::absolute(&path).map(Self)
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
