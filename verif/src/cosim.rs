//! Co-simulation under Verilator.
//!
//! The harness (`hdl-templates/tb/harness.cpp.j2`) is compiled once for a build and fed through a pipe: windows and what
//! the golden model says of every value. It compares in place and reports the first difference, so the simulator and not
//! the harness takes the time.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use serde::{Deserialize, Serialize};
use tablewright_design::{Design, NodeId};
use tablewright_emit::{BuildDir, Names, pack};
use tablewright_golden::Golden;
use tablewright_plan::Plan;

use crate::Error;
use crate::tool::{absolute, start_error, tail};
use crate::verilate::{Compile, Harness, compile};

/// Windows sent to the harness at a time.
const BATCH: usize = 64;
/// Resets with windows inside, before the run that counts.
const RESETS: u32 = 8;

/// How to simulate.
#[derive(Debug, Clone, Default)]
pub struct Cosim {
    /// Probability that either stream stalls in a cycle, 0 to below 1.
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

/// The first difference, by the cycle it happened in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Mismatch {
    /// The node whose rows differ; `output` for the stream behind the queue.
    pub kernel: String,
    /// Which window, from 0.
    pub window: u64,
    /// Row of the node's value.
    pub row: u32,
    /// Lane of the row; absent when only the time is wrong.
    pub element: Option<usize>,
    /// What the golden model says.
    pub expected: Option<i64>,
    /// What the Verilog said.
    pub actual: Option<i64>,
    /// Cycle since reset.
    pub cycle: u64,
    /// Cycle the plan says.
    pub cycle_planned: u64,
}

/// What a simulation found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// Windows compared.
    pub vectors: u64,
    /// Rows that differ in data or time, over all values and the output.
    pub mismatches: u64,
    /// Of these, rows with the right data at the wrong time.
    pub off_time: u64,
    /// The simulation stood still.
    pub hung: bool,
    /// Cycles from acceptance to bitmap, by the plan.
    pub cycles_planned: u64,
    /// The same, as simulated: the largest seen.
    pub cycles_simulated: u64,
    /// Cycles from one acceptance to the next, by the plan.
    pub interval_planned: u64,
    /// The same, as simulated: the smallest seen; absent for a single window.
    pub interval_simulated: Option<u64>,
    /// Cycles simulated in all.
    pub cycles: u64,
    /// Simulated cycles a second, all comparisons included.
    pub cycles_per_second: f64,
    /// Values compared for each window.
    pub values_per_window: u64,
    /// The first difference.
    pub first: Option<Mismatch>,
}

impl Report {
    /// Nothing was simulated, because an image is missing or has the wrong size.
    pub fn not_simulated(plan: &Plan) -> Self {
        Self {
            vectors: 0,
            mismatches: 0,
            off_time: 0,
            hung: false,
            cycles_planned: plan.latency,
            cycles_simulated: 0,
            interval_planned: plan.interval,
            interval_simulated: None,
            cycles: 0,
            cycles_per_second: 0.0,
            values_per_window: 0,
            first: None,
        }
    }

    /// Every value was right, at the right time.
    pub fn passed(&self) -> bool {
        self.mismatches == 0
            && !self.hung
            && self.cycles_planned == self.cycles_simulated
            && self.interval_simulated.is_none_or(|i| i >= self.interval_planned)
    }
}

/// Simulates a build and compares it with the golden model of `design` on `windows`, or on accesses in their order where
/// the design is a streaming one. `progress` is told how many were sent.
pub fn simulate(
    build: &BuildDir,
    design: &Design,
    plan: &Plan,
    windows: &[Vec<u8>],
    options: &Cosim,
    progress: &mut dyn FnMut(u64),
) -> Result<Report, Error> {
    let probe = Names::new(&design.name).probe();
    let harness = Harness { top: &probe, source: "harness.cpp", folder: "verilator" };
    let program = compile(build, &harness, options.waves.is_some(), options.compile)?;
    let mut golden = Golden::new(design);
    let waves = match &options.waves {
        None => PathBuf::from("-"),
        Some(path) => absolute(path)?,
    };
    let mut child = Command::new(&program)
        .args([options.seed.to_string(), format!("{:.0}", options.stall * 1000.0)])
        .arg(&waves)
        .arg(RESETS.to_string())
        .args(options.tables.iter().map(|file| format!("+tables={}", file.display())))
        .current_dir(build.rtl())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| start_error(&program.display().to_string(), &e))?;
    let fed = feed(&mut child, design, &mut golden, windows, progress);
    let output = child.wait_with_output().map_err(|e| start_error("the simulation", &e))?;
    let text = String::from_utf8_lossy(&output.stdout);
    let no_report = || Error::NoReport {
        module: probe.clone(),
        output: tail(&format!("{text}{}", String::from_utf8_lossy(&output.stderr))),
    };
    let said: HarnessReport = serde_json::from_str(text.trim()).map_err(|_| no_report())?;
    // A pipe that broke is the harness stopping early, which its report explains.
    if fed.is_err() && !said.hung && said.mismatches == 0 {
        return Err(no_report());
    }
    Ok(digest(&said, design, plan, &mut golden, windows))
}

fn feed(
    child: &mut Child,
    design: &Design,
    golden: &mut Golden,
    windows: &[Vec<u8>],
    progress: &mut dyn FnMut(u64),
) -> std::io::Result<()> {
    let Some(stdin) = child.stdin.take() else {
        return Err(std::io::ErrorKind::BrokenPipe.into());
    };
    let mut pipe = std::io::BufWriter::with_capacity(1 << 20, stdin);
    write_stream(&mut pipe, design, golden, windows, progress)
}

/// What the harness reads: batches of windows, each with the values that the golden model gives it, and an end.
fn write_stream(
    pipe: &mut dyn Write,
    design: &Design,
    golden: &mut Golden,
    windows: &[Vec<u8>],
    progress: &mut dyn FnMut(u64),
) -> std::io::Result<()> {
    let mut words: Vec<u32> = Vec::new();
    let mut values = Vec::new();
    for (i, batch) in windows.chunks(BATCH).enumerate() {
        words.clear();
        words.push(batch.len() as u32);
        for window in batch {
            golden.run(window);
            values.clear();
            values.extend(window.iter().map(|&v| i64::from(v)));
            pack(&values, design.input.segment_bits, &mut words);
            for (id, node) in design.iter() {
                values.clear();
                golden.extend_with(id, &mut values);
                for row in values.chunks_exact(node.value.lanes) {
                    pack(row, node.value.format.width, &mut words);
                }
            }
        }
        pipe.write_all(bytemuck::cast_slice(&words))?;
        progress((i * BATCH + batch.len()) as u64);
    }
    pipe.write_all(&0_u32.to_ne_bytes())?;
    pipe.flush()
}

/// [`write_stream`] kept, for a harness that is run many times.
pub(crate) fn recorded(design: &Design, windows: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    // Nothing can fail: the bytes go to memory.
    let _ = write_stream(&mut bytes, design, &mut Golden::new(design), windows, &mut |_| ());
    bytes
}

/// Runs a compiled harness in `folder` on recorded bytes to its end: its report, or what it said in the place of one.
fn fed(
    program: &Path,
    folder: &Path,
    bytes: &[u8],
    arguments: &[&str],
) -> Result<Result<HarnessReport, String>, Error> {
    let name = program.display().to_string();
    let mut child = Command::new(program)
        .args(arguments)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|e| start_error(&name, &e))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A pipe that breaks is the harness stopping early; its report says why.
        let _ = stdin.write_all(bytes);
    }
    let output = child.wait_with_output().map_err(|e| start_error(&name, &e))?;
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(serde_json::from_str(text.trim())
        .map_err(|_| tail(&format!("{text}{}", String::from_utf8_lossy(&output.stderr)))))
}

/// Runs a compiled harness in `folder` on recorded bytes, streams stalling with this probability in thousandths, after so many
/// resets with windows inside: how many rows differed in data or time, or what it said instead of a report.
pub(crate) fn replay(
    program: &Path,
    folder: &Path,
    bytes: &[u8],
    (stall, resets): (u32, u32),
) -> Result<Result<u64, String>, Error> {
    let said = fed(program, folder, bytes, &["1", &stall.to_string(), "-", &resets.to_string()])?;
    Ok(said.map(|said| said.mismatches + u64::from(said.hung)))
}

/// Runs a compiled harness in `folder` on recorded bytes with nobody stalling: the bitmaps that came, of `outputs` bits each, and the
/// cycles it took. Nothing is compared, and one that stands still gives fewer.
pub(crate) fn bitmaps_of(
    program: &Path,
    folder: &Path,
    bytes: &[u8],
    outputs: usize,
) -> Result<(Vec<Vec<i64>>, u64), Error> {
    let file = folder.join("bitmaps.bin");
    let said = fed(program, folder, bytes, &["1", "0", "-", "0", &format!("+bitmaps={}", file.display())])?
        .map_err(|output| Error::NoReport { module: program.display().to_string(), output })?;
    let all =
        std::fs::read(&file).map_err(|source| Error::Io { path: file.display().to_string(), source })?;
    let bitmaps = all.chunks_exact(4 * outputs.div_ceil(32)).map(|words| {
        // Words are those of this machine, lowest first, and so are their bytes.
        (0..outputs).map(|i| i64::from(words[i / 8] >> (i % 8) & 1)).collect()
    });
    Ok((bitmaps.collect(), said.cycles))
}

/// Lane `lane` of a row in 32-bit words.
fn unpack(words: &[u32], lane: usize, bits: u32, signed: bool) -> i64 {
    let mut value = 0_i64;
    for b in 0..bits as usize {
        let at = lane * bits as usize + b;
        let bit = words.get(at / 32).map_or(0, |w| w >> (at % 32) & 1);
        value |= i64::from(bit) << b;
    }
    if signed && bits < 64 && value >> (bits - 1) & 1 == 1 { value - (1 << bits) } else { value }
}

#[derive(Debug, Deserialize)]
struct HarnessReport {
    windows: u64,
    cycles: u64,
    seconds: f64,
    hung: bool,
    mismatches: u64,
    off_time: u64,
    latency: Option<(u64, u64)>,
    interval: Option<(u64, u64)>,
    first: Option<HarnessMismatch>,
}

#[derive(Debug, Deserialize)]
struct HarnessMismatch {
    boundary: usize,
    window: u64,
    row: u32,
    cycle: u64,
    planned: u64,
    actual: Vec<u32>,
}

/// The harness's report in the terms of the design.
fn digest(
    said: &HarnessReport,
    design: &Design,
    plan: &Plan,
    golden: &mut Golden,
    windows: &[Vec<u8>],
) -> Report {
    let first = said.first.as_ref().map(|m| {
        // Behind the last boundary comes the output stream, which carries the bitmap again.
        let node = design.node(NodeId(m.boundary.min(design.nodes.len() - 1)));
        let kernel = if m.boundary < design.nodes.len() { node.name.clone() } else { "output".to_owned() };
        let mut found = None;
        if let Some(last) = windows.get(m.window as usize) {
            golden.reset();
            // What a streaming design keeps is of the accesses before.
            if design.streaming {
                windows[..m.window as usize].iter().for_each(|access| golden.run(access));
            }
            golden.run(last);
            let lanes = node.value.lanes;
            let expected = golden.value(NodeId(m.boundary.min(design.nodes.len() - 1)));
            let row = expected.get(m.row as usize * lanes..).unwrap_or(&[]);
            let format = node.value.format;
            found = row.iter().take(lanes).enumerate().find_map(|(lane, &wanted)| {
                let actual = unpack(&m.actual, lane, format.width, format.signed);
                (actual != wanted).then_some((lane, wanted, actual))
            });
        }
        Mismatch {
            kernel,
            window: m.window,
            row: m.row,
            element: found.map(|f| f.0),
            expected: found.map(|f| f.1),
            actual: found.map(|f| f.2),
            cycle: m.cycle,
            cycle_planned: m.planned,
        }
    });
    Report {
        vectors: said.windows,
        mismatches: said.mismatches,
        off_time: said.off_time,
        hung: said.hung,
        cycles_planned: plan.latency,
        cycles_simulated: said.latency.map_or(0, |l| l.1),
        interval_planned: plan.interval,
        interval_simulated: said.interval.map(|i| i.0),
        cycles: said.cycles,
        cycles_per_second: if said.seconds > 0.0 { said.cycles as f64 / said.seconds } else { 0.0 },
        values_per_window: design.nodes.iter().map(|n| (n.value.rows * n.value.lanes) as u64).sum(),
        first,
    }
}
