//! Co-simulation of the whole prefetcher under Verilator.
//!
//! The harness (`hdl-templates/tb/prefetcher.cpp.j2`) offers demand accesses at a fixed spacing and tells what happens: which
//! access is taken when, and every prefetch. The golden prefetcher follows those events, so it is the order of events that is
//! the Verilog's, and everything else the golden model's: that the newest access is taken, the counter, each prefetch.

use std::collections::VecDeque;
use std::io::{BufReader, Read, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde::Serialize;
use tablewright_design::Design;
use tablewright_emit::{BuildDir, Names};
use tablewright_golden::{Demand, Prefetcher};
use tablewright_plan::PrefetcherPlan;

use crate::Error;
use crate::tool::{absolute, start_error, tail};
use crate::verilate::{Compile, Harness, compile};

/// Accesses sent to the harness at a time.
const BATCH: usize = 4096;
/// Bytes of a record that the harness writes: four words.
const RECORD: usize = 32;

/// How to simulate.
#[derive(Debug, Clone)]
pub struct PrefetcherCosim {
    /// Cycles from one demand access to the next, at least 1.
    pub spacing: u64,
    /// Probability that the consumer stalls in a cycle, 0 to below 1.
    pub stall: f64,
    /// Seed of the stalls.
    pub seed: u64,
    /// Where to write waves (FST), if anywhere.
    pub waves: Option<PathBuf>,
    /// The image to load in place of the build's own (one word a line), where contents are loaded.
    pub tables: Option<PathBuf>,
    /// How the simulator is compiled.
    pub compile: Compile,
}

/// What went wrong first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case", tag = "what")]
pub enum PrefetcherMismatch {
    /// A prefetch is another one, or none at all was due.
    Prefetch {
        /// The access it belongs to, counted from 0 among those offered; of a prefetch that was not due, the last one taken.
        access: u64,
        /// Its place among the prefetches of that access, from 0.
        place: u64,
        /// What the golden model says.
        expected: Option<u64>,
        /// What the Verilog said.
        actual: u64,
        /// Cycle since reset.
        cycle: u64,
    },
    /// Prefetches that never came.
    Missing {
        /// The access, counted among those offered.
        access: u64,
        /// Place of the first of them.
        place: u64,
        /// What the golden model says.
        expected: u64,
    },
    /// Another access was taken than the newest, or one where none was held.
    Taken {
        /// Address of the newest one not taken yet.
        expected: Option<u64>,
        /// Address of the one that was taken.
        actual: u64,
        /// Cycle since reset.
        cycle: u64,
    },
    /// The counter of dropped accesses is wrong.
    Dropped {
        /// What the golden model says.
        expected: u64,
        /// What the Verilog said.
        actual: u64,
        /// Cycle since reset.
        cycle: u64,
    },
}

/// What a simulation found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PrefetcherReport {
    /// Accesses offered.
    pub accesses: u64,
    /// Of them, taken.
    pub taken: u64,
    /// Of them, dropped because a newer one came first.
    pub dropped: u64,
    /// Prefetches compared.
    pub prefetches: u64,
    /// 1 for the first difference, at which the simulation ends.
    pub mismatches: u64,
    /// Times that a handshake rule was broken: not ready, an offer that changed, an offer in reset.
    pub breaches: u64,
    /// The simulation stood still.
    pub hung: bool,
    /// Cycles from an access to its first prefetch with nothing in its way, by the plan.
    pub cycles_planned: u64,
    /// The same, as simulated: the fewest seen.
    pub cycles_simulated: Option<u64>,
    /// Cycles from one access taken to the next, at most, by the plan.
    pub interval_planned: u64,
    /// The same, as simulated: the fewest and the most seen.
    pub interval_simulated: Option<(u64, u64)>,
    /// Cycles that the issue unit takes for a row, at most, by the plan; for a consumer that keeps up.
    pub issue_planned: u64,
    /// The same, as simulated: the most seen.
    pub issue_simulated: u64,
    /// Cycles simulated in all.
    pub cycles: u64,
    /// Simulated cycles a second, all comparisons included.
    pub cycles_per_second: f64,
    /// The first difference.
    pub first: Option<PrefetcherMismatch>,
}

impl PrefetcherReport {
    /// Nothing was simulated, because an image is missing or has the wrong size.
    pub fn not_simulated(plan: &PrefetcherPlan) -> Self {
        Self {
            accesses: 0,
            taken: 0,
            dropped: 0,
            prefetches: 0,
            mismatches: 0,
            breaches: 0,
            hung: false,
            cycles_planned: plan.latency,
            cycles_simulated: None,
            interval_planned: plan.interval,
            interval_simulated: None,
            issue_planned: plan.issue.interval_longest,
            issue_simulated: 0,
            cycles: 0,
            cycles_per_second: 0.0,
            first: None,
        }
    }

    /// Every prefetch was right, no access was lost uncounted, and nothing was earlier than planned.
    pub fn passed(&self) -> bool {
        self.mismatches == 0
            && self.breaches == 0
            && !self.hung
            && self.taken + self.dropped == self.accesses
            && self.cycles_simulated.is_none_or(|cycles| cycles >= self.cycles_planned)
    }
}

/// A prefetch that is due.
struct Due {
    access: u64,
    place: u64,
    address: u64,
    /// Cycle in which its access came.
    came: u64,
}

/// The golden prefetcher, led by the events of the simulation.
struct Follower {
    golden: Prefetcher,
    reads_pc: bool,
    accesses: VecDeque<Demand>,
    due: VecDeque<Due>,
    came: u64,
    last_taken: Option<u64>,
    report: PrefetcherReport,
}

impl Follower {
    /// One event; the first difference, if it is one.
    fn event(&mut self, [kind, a, b, cycle]: [u64; 4]) -> Option<PrefetcherMismatch> {
        match kind {
            1 => self.taken(a, b, cycle),
            2 => {
                let expected = u64::from(self.golden.dropped());
                (a != expected).then_some(PrefetcherMismatch::Dropped { expected, actual: a, cycle })
            }
            3 => {
                self.golden.offer(self.accesses.pop_front().unwrap_or_default());
                self.report.accesses += 1;
                self.came = cycle;
                None
            }
            _ => self.prefetched(a, cycle),
        }
    }

    fn taken(&mut self, address: u64, pc: u64, cycle: u64) -> Option<PrefetcherMismatch> {
        let held = self.golden.held();
        let newest = held.is_some_and(|h| h.address == address && (!self.reads_pc || h.pc == pc));
        if !newest {
            let expected = held.map(|h| h.address);
            return Some(PrefetcherMismatch::Taken { expected, actual: address, cycle });
        }
        // The newest offered is the one taken; it came in the cycle that was told of last.
        let (access, came) = (self.report.accesses.saturating_sub(1), self.came);
        let issued = self.golden.take().unwrap_or_default();
        let due = issued.into_iter().zip(0..).map(|(address, place)| Due { access, place, address, came });
        self.due.extend(due);
        self.report.taken += 1;
        if let Some(last) = self.last_taken.replace(cycle) {
            let (low, high) = self.report.interval_simulated.unwrap_or((u64::MAX, 0));
            self.report.interval_simulated = Some((low.min(cycle - last), high.max(cycle - last)));
        }
        None
    }

    fn prefetched(&mut self, actual: u64, cycle: u64) -> Option<PrefetcherMismatch> {
        let due = self.due.pop_front();
        match due {
            Some(due) if due.address == actual => {
                if due.place == 0 {
                    let cycles = cycle - due.came;
                    let fewest = self.report.cycles_simulated.map_or(cycles, |known| known.min(cycles));
                    self.report.cycles_simulated = Some(fewest);
                }
                self.report.prefetches += 1;
                None
            }
            due => {
                let last = self.report.accesses.saturating_sub(1);
                let (access, place) = due.as_ref().map_or((last, 0), |due| (due.access, due.place));
                let expected = due.map(|due| due.address);
                Some(PrefetcherMismatch::Prefetch { access, place, expected, actual, cycle })
            }
        }
    }
}

/// Simulates the prefetcher of a build and compares it with the golden prefetcher of `design` on `accesses`. `progress` is
/// told how many were offered.
pub fn simulate_prefetcher(
    build: &BuildDir,
    design: &Design,
    plan: &PrefetcherPlan,
    accesses: &[Demand],
    options: &PrefetcherCosim,
    progress: &mut dyn FnMut(u64),
) -> Result<PrefetcherReport, Error> {
    let probe = Names::new(&design.name).prefetcher_probe();
    let harness = Harness { top: &probe, source: "prefetcher.cpp", folder: "verilator-prefetcher" };
    let program = compile(build, &harness, options.waves.is_some(), options.compile)?;
    let waves = match &options.waves {
        None => PathBuf::from("-"),
        Some(path) => absolute(path)?,
    };
    let mut child = Command::new(&program)
        .args([
            options.seed.to_string(),
            format!("{:.0}", options.stall * 1000.0),
            options.spacing.to_string(),
        ])
        .arg(&waves)
        .args(options.tables.iter().map(|file| format!("+tables={}", file.display())))
        .current_dir(build.rtl())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| start_error(&program.display().to_string(), &e))?;
    let no_report =
        |said: &[u8]| Error::NoReport { module: probe.clone(), output: tail(&String::from_utf8_lossy(said)) };
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(no_report(b"its streams are closed"));
    };
    let mut follower = Follower {
        golden: Prefetcher::new(design),
        reads_pc: design.reads_pc(),
        accesses: accesses.iter().copied().collect(),
        due: VecDeque::new(),
        came: 0,
        last_taken: None,
        report: PrefetcherReport::not_simulated(plan),
    };
    // The harness is fed while it is listened to. A pipe that breaks is the harness ending early, which shows on this side.
    let ended = std::thread::scope(|scope| {
        scope.spawn(|| feed(stdin, accesses));
        let ended = follow(BufReader::with_capacity(1 << 20, stdout), &mut follower, progress);
        // After a difference the rest is of no interest; the harness, told nothing more, would wait for its listener.
        if follower.report.first.is_some() {
            let _ = child.kill();
        }
        ended
    });
    let output = child.wait_with_output().map_err(|e| start_error("the simulation", &e))?;
    if !ended && follower.report.first.is_none() {
        return Err(no_report(&output.stderr));
    }
    Ok(follower.report)
}

fn feed(mut pipe: impl Write, accesses: &[Demand]) {
    let mut bytes = Vec::new();
    for batch in accesses.chunks(BATCH) {
        bytes.clear();
        bytes.extend((batch.len() as u32).to_ne_bytes());
        for access in batch {
            bytes.extend(access.address.to_ne_bytes());
            bytes.extend(access.pc.to_ne_bytes());
        }
        if pipe.write_all(&bytes).is_err() {
            return;
        }
    }
    let _ = pipe.write_all(&0_u32.to_ne_bytes());
}

/// Listens until the end, or the first difference; true when the harness came to its end.
fn follow(mut events: impl Read, follower: &mut Follower, progress: &mut dyn FnMut(u64)) -> bool {
    let mut record = [0_u8; RECORD];
    let mut ends = Vec::new();
    while ends.len() < 2 && events.read_exact(&mut record).is_ok() {
        let words: [u64; 4] = bytemuck::pod_read_unaligned(&record);
        if words[0] == 5 {
            ends.push(words);
            continue;
        }
        if let Some(first) = follower.event(words) {
            follower.report.mismatches = 1;
            follower.report.first = Some(first);
            return false;
        }
        if words[0] == 3 && follower.report.accesses.is_multiple_of(BATCH as u64) {
            progress(follower.report.accesses);
        }
    }
    let [[_, dropped, breaches, cycles], [_, longest, microseconds, hung]] = ends[..] else {
        return false;
    };
    progress(follower.report.accesses);
    let report = &mut follower.report;
    report.dropped = dropped;
    report.breaches = breaches;
    report.cycles = cycles;
    report.issue_simulated = longest;
    report.hung = hung == 1;
    if microseconds > 0 {
        report.cycles_per_second = cycles as f64 * 1e6 / microseconds as f64;
    }
    let expected = u64::from(follower.golden.dropped());
    let first = match follower.due.front() {
        Some(due) => {
            Some(PrefetcherMismatch::Missing { access: due.access, place: due.place, expected: due.address })
        }
        None if dropped != expected => {
            Some(PrefetcherMismatch::Dropped { expected, actual: dropped, cycle: cycles })
        }
        None => None,
    };
    report.mismatches = u64::from(first.is_some());
    report.first = first;
    true
}
