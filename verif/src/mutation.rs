//! Mutation: faults planted in the Verilog of a build, each of which a simulation must notice.
//!
//! Yosys plants them (`mutate`): a bit of a port of a cell is stuck, inverted, or inverted depending on another bit. All
//! mutants of a run are in one netlist, chosen by a number that is read when the simulation starts, so one compilation
//! serves them all. A mutant that no simulation notices is excused by a proof that it is equivalent, or it is reported.

mod circuit;
mod decide;
mod equivalence;
mod known;
mod netlist;
mod possible;
mod unroll;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use rayon::prelude::*;
use serde::Serialize;
use tablewright_design::Design;
use tablewright_emit::{BuildDir, Names};
use tablewright_plan::Plan;

use crate::cosim::{recorded, replay};
use crate::tool::run_for;
use crate::{Error, vectors};

use equivalence::{Equivalence, SHORT};
pub use netlist::Mutant;

/// How much to plant.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    /// Mutants.
    pub count: usize,
    /// Of the choice.
    pub seed: u64,
    /// Windows or accesses the harness compares for each.
    pub windows: usize,
    /// Of each proof of equivalence.
    pub limit: Duration,
}

/// A mutant that neither simulation noticed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Survivor {
    /// What was planted, as Yosys says it.
    #[serde(flatten)]
    pub mutant: Mutant,
    /// The proof that it changes nothing, if there is one; else the testbench is too weak for it, or the proof too hard.
    pub excused: Option<&'static str>,
}

/// What came of the mutants.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mutation {
    /// Mutants planted.
    pub mutants: u64,
    /// Noticed by one simulation or both.
    pub killed: u64,
    /// By the comparison of every value, as `sim` does it.
    pub killed_by_values: u64,
    /// By the shipped testbench, which sees bitmaps and handshakes.
    pub killed_by_testbench: u64,
    /// Windows or accesses that the comparison of values had.
    pub windows: u64,
    /// Proved to change nothing.
    pub excused: u64,
    /// Neither noticed nor excused.
    pub unexcused: u64,
    /// Noticed ones that the proof was asked about as well, to test it: it must excuse none.
    pub controls: u64,
    /// Of these, those that it excused: then no excuse counts.
    pub wrongly_excused: Vec<Mutant>,
    /// Killed by the comparison of values and not by the shipped testbench, by cell: where bitmaps tell little.
    pub unseen_by_testbench: BTreeMap<String, u64>,
    /// Noticed by nothing.
    pub survivors: Vec<Survivor>,
}

/// Noticed mutants that the proof is asked about as well.
const CONTROLS: usize = 8;

/// Which simulations noticed a mutant.
#[derive(Debug, Clone, Copy, Default)]
struct Noticed {
    values: bool,
    testbench: bool,
}

impl Noticed {
    fn any(self) -> bool {
        self.values || self.testbench
    }
}

/// Plants faults in a build and counts which are found. `folder` is for what is made on the way.
pub(crate) fn mutate(
    build: &BuildDir,
    design: &Design,
    plan: &Plan,
    options: &Options,
    folder: &Path,
    traced: &[Vec<u8>],
) -> Result<Mutation, Error> {
    let names = Names::new(&design.name);
    let planted = netlist::plant(build, design, plan, options, folder)?;
    let longer = (options.windows * LONGER as usize).min(most_windows(design));
    let bench = Bench {
        harness: netlist::compile_harness(build, &names, folder)?,
        testbench: netlist::compile_testbench(build, &names, folder)?,
        short: Stimuli {
            bytes: recorded(design, &vectors::covering(design, options.windows, traced, options.seed)),
            resets: RESETS,
            stalls: &[0, STALL],
        },
        long: Stimuli {
            bytes: recorded(design, &vectors::steered(design, longer, traced, options.seed)),
            resets: LONGER * RESETS,
            stalls: &[0, STALL],
        },
        folder: folder.to_path_buf(),
    };
    // Number 0 is the core as it is: were it found wrong, nothing else would mean anything.
    if bench.run(0)?.any() || bench.run_long(0)?.any() {
        return Err(Error::Tool {
            program: "the netlist of mutants".to_owned(),
            output: "the core without a mutant already fails; run `tablewright sim` on this build first"
                .to_owned(),
        });
    }
    let mut noticed: Vec<Noticed> =
        (1..=planted.len()).into_par_iter().map(|number| bench.run(number)).collect::<Result<_, _>>()?;
    // Who was not noticed gets many more windows and resets.
    let left: Vec<usize> = (1..=planted.len()).filter(|number| !noticed[number - 1].any()).collect();
    let again: Vec<Noticed> =
        left.par_iter().map(|&number| bench.run_long(number)).collect::<Result<_, _>>()?;
    for (number, found) in left.into_iter().zip(again) {
        noticed[number - 1] = found;
    }
    let mut found = Mutation {
        mutants: planted.len() as u64,
        killed: 0,
        killed_by_values: 0,
        killed_by_testbench: 0,
        windows: options.windows as u64,
        excused: 0,
        unexcused: 0,
        controls: 0,
        wrongly_excused: Vec::new(),
        unseen_by_testbench: BTreeMap::new(),
        survivors: Vec::new(),
    };
    let (mut survivors, mut controls) = (Vec::new(), Vec::new());
    for ((number, mutant), noticed) in (1..).zip(planted).zip(noticed) {
        found.killed += u64::from(noticed.any());
        found.killed_by_values += u64::from(noticed.values);
        found.killed_by_testbench += u64::from(noticed.testbench);
        if noticed.values && !noticed.testbench {
            *found.unseen_by_testbench.entry(mutant.kind()).or_default() += 1;
        }
        if !noticed.any() {
            survivors.push((number, mutant));
        } else if controls.len() < CONTROLS {
            controls.push(mutant);
        }
    }
    let mut asked: Vec<Mutant> = survivors.iter().map(|(_, mutant)| mutant.clone()).collect();
    let hurried = asked.len();
    if hurried > 0 {
        asked.extend(controls);
    }
    let mut excuses = proofs(build, design, plan, (&asked, hurried), folder, options.limit)?;
    let tested = excuses.split_off(survivors.len());
    found.controls = tested.len() as u64;
    let wrong = asked.into_iter().skip(survivors.len()).zip(&tested).filter(|(_, excused)| excused.is_some());
    found.wrongly_excused = wrong.map(|(mutant, _)| mutant).collect();
    // What can come is rare, if no proof excludes it.
    let unexcused = survivors.iter().zip(&excuses).filter(|(_, excused)| excused.is_none());
    let unexcused: Vec<usize> = unexcused.map(|((number, _), _)| *number).collect();
    let left = bench.searched(design, unexcused.clone(), options.seed)?;
    for ((number, mutant), excused) in survivors.into_iter().zip(excuses) {
        if unexcused.contains(&number) && !left.contains(&number) {
            found.killed += 1;
            found.killed_by_values += 1;
            *found.unseen_by_testbench.entry(mutant.kind()).or_default() += 1;
            continue;
        }
        found.excused += u64::from(excused.is_some());
        found.unexcused += u64::from(excused.is_none());
        found.survivors.push(Survivor { mutant, excused });
    }
    Ok(found)
}

/// Of each mutant the proof that it changes nothing, or none; each within `limit` of processor time. `folder` is for what is made
/// on the way.
pub fn excuses(
    build: &BuildDir,
    design: &Design,
    plan: &Plan,
    mutants: &[Mutant],
    folder: &Path,
    limit: Duration,
) -> Result<Vec<Option<&'static str>>, Error> {
    proofs(build, design, plan, (mutants, mutants.len()), folder, limit)
}

/// The same; from the mutant at `hurried` on they are not expected, so little time is spent on each.
fn proofs(
    build: &BuildDir,
    design: &Design,
    plan: &Plan,
    (mutants, hurried): (&[Mutant], usize),
    folder: &Path,
    limit: Duration,
) -> Result<Vec<Option<&'static str>>, Error> {
    if mutants.is_empty() {
        return Ok(Vec::new());
    }
    let graph = netlist::graph(build, design, mutants, folder)?;
    let equivalence = Equivalence::new(design, plan, &graph, folder)?;
    let limits = (0..mutants.len()).map(|place| if place < hurried { limit } else { limit.min(SHORT) });
    limits.enumerate().map(|(place, limit)| equivalence.proof(place + 1, limit)).collect()
}

/// Both simulations, compiled.
struct Bench {
    harness: PathBuf,
    testbench: PathBuf,
    short: Stimuli,
    long: Stimuli,
    folder: PathBuf,
}

/// What a harness is fed, and how many resets come before.
struct Stimuli {
    bytes: Vec<u8>,
    resets: u32,
    /// Probabilities of a stall in thousandths, one run each. Stalls fill the queue, which back to back never happens.
    stalls: &'static [u32],
}

/// Probability of a stall in the second run of the harness, in thousandths.
const STALL: u32 = 400;

/// Resets in each run of the harness: a register that a reset forgets shows only where the reset meets a row in it, which of
/// some stages comes once in an interval.
const RESETS: u32 = 100;

/// Times as many windows and resets for a mutant that was not noticed.
const LONGER: u32 = 20;

/// Values that the windows of a longer run may have in all, which is memory.
const MOST_VALUES: usize = 100_000_000;

/// Times [`MOST_VALUES`] for a mutant that was neither noticed nor excused.
const SEARCHED: u64 = 5;

/// Windows of a run with [`MOST_VALUES`].
fn most_windows(design: &Design) -> usize {
    MOST_VALUES / design.nodes.iter().map(|n| n.value.rows * n.value.lanes).sum::<usize>()
}

/// A testbench that takes longer has been stopped by its mutant.
const TESTBENCH_LIMIT: Duration = Duration::from_mins(2);

impl Bench {
    /// The harness without stalls and with, and the shipped testbench.
    fn run(&self, number: usize) -> Result<Noticed, Error> {
        let place = self.chosen(number)?;
        let values = self.differs(&place, &self.short)?;
        let mut testbench = Command::new(&self.testbench);
        let log = place.join("testbench.log");
        let said = run_for("the testbench", testbench.current_dir(&place), &log, TESTBENCH_LIMIT)?;
        Ok(Noticed { values, testbench: said.is_none_or(|s| !s.text.lines().any(|l| l.starts_with("PASS"))) })
    }

    /// The harness alone, on the long stimuli.
    fn run_long(&self, number: usize) -> Result<Noticed, Error> {
        Ok(Noticed { values: self.differs(&self.chosen(number)?, &self.long)?, testbench: false })
    }

    /// A folder in which the simulations find that this mutant is chosen.
    fn chosen(&self, number: usize) -> Result<PathBuf, Error> {
        let place = self.folder.join(format!("mutant-{number}"));
        let io = |source| Error::Io { path: place.display().to_string(), source };
        std::fs::create_dir_all(&place).map_err(io)?;
        std::fs::write(place.join(netlist::CHOICE), format!("{number:x}\n")).map_err(io)?;
        Ok(place)
    }

    /// The harness alone, back to back, on windows led to every code, [`SEARCHED`] times as many as there may be at once: those of
    /// these mutants that are not noticed.
    fn searched(&self, design: &Design, mut left: Vec<usize>, seed: u64) -> Result<Vec<usize>, Error> {
        for round in 1..=SEARCHED {
            if left.is_empty() {
                break;
            }
            let windows = vectors::steered(design, most_windows(design), &[], seed ^ round << 32);
            let stimuli = Stimuli { bytes: recorded(design, &windows), resets: 0, stalls: &[0] };
            let unnoticed = |number: usize| -> Result<Option<usize>, Error> {
                Ok((!self.differs(&self.chosen(number)?, &stimuli)?).then_some(number))
            };
            let all: Vec<Option<usize>> = left.into_par_iter().map(unnoticed).collect::<Result<_, _>>()?;
            left = all.into_iter().flatten().collect();
        }
        Ok(left)
    }

    fn differs(&self, place: &Path, stimuli: &Stimuli) -> Result<bool, Error> {
        for &stall in stimuli.stalls {
            // One that ends without a report was stopped by its mutant.
            let said = replay(&self.harness, place, &stimuli.bytes, (stall, stimuli.resets))?;
            if said.map_or(true, |differing| differing > 0) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
