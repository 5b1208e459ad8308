//! `tablewright sim`: the Verilog of a build against its golden model.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use serde::Serialize;
use tablewright_emit::{Label, Loading};
use tablewright_verif::{Compile, Cosim, ImageFault, Mismatch, Report, check_images, simulate, vectors};

use crate::built::{Built, changed_row};
use crate::failure::{Failure, Outcome};
use crate::outfile::{NewFile, check_place};
use crate::subject::{self, MANIFEST};
use crate::ui::{Render, Ui, Unit, count, pairs};

mod prefetcher;

/// Simulate a build and compare it with the golden model: every kernel, bit for bit and cycle for cycle, or every prefetch
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright sim shor.build\n  \
    tablewright sim shor.build --trace app.champsimtrace.xz --vectors 2000 --stall 0.3\n  \
    tablewright sim shor.build --top prefetcher --trace app.champsimtrace.xz --vectors 20000 --spacing 1 --stall 0.5\n\n\
    With `--top core` every value inside is compared. A mismatch ends with status 1 and names the first kernel, cycle,\n\
    element, expected and actual value.\n\n\
    With `--top prefetcher` demand accesses go in, as addresses, and every prefetch is compared with the golden prefetcher:\n\
    address, order, and that the newest access is taken and every other one counted as dropped. `--stall` then means whoever\n\
    takes the prefetches.")]
pub(crate) struct Args {
    /// What `tablewright build` wrote
    pub(crate) build_dir: PathBuf,
    /// What to simulate: the core, or the whole prefetcher
    #[arg(long, value_enum, default_value_t = Top::Core)]
    pub(crate) top: Top,
    /// Windows to simulate; for a streaming model, or the prefetcher, accesses
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = RangedU64ValueParser::<usize>::new().range(1..=1_000_000))]
    pub(crate) vectors: usize,
    /// Take windows or accesses from this trace; without it they are random, beside a few corner cases. The prefetcher gets
    /// a stretch from its middle
    #[arg(long)]
    pub(crate) trace: Option<PathBuf>,
    /// Cycles from one demand access to the next, with `--top prefetcher`; 1 is back to back [default: the interval that drops
    /// nothing while the consumer keeps up]
    #[arg(long, value_name = "CYCLES", value_parser = RangedU64ValueParser::<u64>::new().range(1..=1_000_000))]
    pub(crate) spacing: Option<u64>,
    /// Load the tables of this model, of the shape that the build was made with, in place of the build's own; for a build made
    /// with --loadable
    #[arg(long, value_name = "MODEL")]
    pub(crate) tables: Option<PathBuf>,
    /// Probability that a stream stalls in a cycle, 0 to 0.95
    #[arg(long, value_name = "P", default_value_t = 0.0, value_parser = probability)]
    pub(crate) stall: f64,
    /// Seed of vectors and stalls
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Write all signals of the simulation, for a waveform viewer
    #[arg(long, value_name = "FILE.fst")]
    pub(crate) waves: Option<PathBuf>,
}

/// The tops of a build.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Top {
    /// Windows or accesses in segments in, bitmaps out.
    Core,
    /// Demand accesses in, prefetch addresses out.
    Prefetcher,
}

fn probability(text: &str) -> Result<f64, String> {
    text.parse()
        .ok()
        .filter(|p| (0.0..=0.95).contains(p))
        .ok_or_else(|| "a number from 0 to 0.95 is wanted".into())
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    if args.spacing.is_some() && args.top == Top::Core {
        let problem =
            "demand accesses have a spacing, windows of the core have none; give --top prefetcher too".into();
        return Err(Failure::Options { option: "--spacing", problem });
    }
    let mut built = Built::open(&args.build_dir)?;
    let tables = args.tables.as_deref().map(|path| other_tables(&mut built, path)).transpose()?;
    if let Some(waves) = &args.waves {
        let (model, manifest) = (built.dir.model(), args.build_dir.join(MANIFEST));
        let trace = args.trace.as_deref().unwrap_or(&model);
        check_place(waves, &[&model, &manifest, trace])?;
    }
    match args.top {
        Top::Core => core(args, &built, tables, ui),
        Top::Prefetcher => prefetcher::run(args, &built, tables, ui),
    }
}

/// Makes `built` what it is with the tables of another model; the file of the image that is to be loaded.
fn other_tables(built: &mut Built, path: &Path) -> Result<PathBuf, Failure> {
    let model = subject::model(path)?;
    built.design = built.fit(&model, path)?.design;
    built.model = model;
    let text = Loading::of(&built.design, &built.plan)
        .map(|loading| loading.hex(Label { version: 2, activate: true }))
        .unwrap_or_default();
    let sim = built.dir.sim();
    let failed = |path: &Path| {
        let path = path.to_path_buf();
        |reason| Failure::Write { path, reason }
    };
    std::fs::create_dir_all(&sim).map_err(failed(&sim))?;
    let path = std::path::absolute(sim.join("tables.hex")).map_err(failed(&sim))?;
    let mut file = NewFile::begin(&path)?;
    file.write(|out| out.write_all(text.as_bytes()))?;
    file.finish()?;
    Ok(path)
}

fn core(args: &Args, built: &Built, tables: Option<PathBuf>, ui: &Ui) -> Result<Outcome, Failure> {
    let traced = match &args.trace {
        Some(path) => subject::inputs(&subject::trace(path, ui)?, &built.model, &built.design, args.vectors)?,
        None => Vec::new(),
    };
    let (image_fault, faulty_images) = check_images(&built.dir, &built.design, &built.plan);
    let windows = vectors::windows(&built.design, args.vectors, &traced, args.seed);
    let options = Cosim {
        stall: args.stall,
        seed: args.seed,
        waves: args.waves.clone(),
        tables,
        compile: Compile::ForSpeed,
    };

    // A missing or mis-sized image is fatal: the simulator would only warn, and read zeros.
    let simulable = image_fault.as_ref().is_none_or(|f| f.line > 0);
    let mut report = if simulable {
        let bar = ui.bar("simulating", Unit::Items, windows.len() as u64);
        ui.detail("compiling with Verilator, unless this build was simulated before");
        simulate(&built.dir, &built.design, &built.plan, &windows, &options, &mut |n| bar.at(n))?
    } else {
        Report::not_simulated(&built.plan)
    };
    let passed = image_fault.is_none() && report.passed();
    report.mismatches += faulty_images as u64;
    ui.print(&About {
        build_dir: args.build_dir.display().to_string(),
        passed,
        streaming: built.design.streaming,
        trace_windows: traced.len().min(args.vectors),
        faulty_images,
        image_fault,
        changed_files: built.changed_files(),
        kernels: built.design.nodes.len(),
        waves: args.waves.as_ref().map(|w| w.display().to_string()),
        report,
    })?;
    Ok(if passed { Outcome::Done } else { Outcome::CheckFailed })
}

#[derive(Debug, Serialize)]
struct About {
    build_dir: String,
    passed: bool,
    /// Vectors are accesses and not windows.
    streaming: bool,
    /// Windows from the trace among the vectors.
    trace_windows: usize,
    /// Memory images that differ from the model; each counts as one mismatch.
    faulty_images: usize,
    image_fault: Option<ImageFault>,
    /// Files that are not as `build` wrote them.
    changed_files: Vec<String>,
    kernels: usize,
    waves: Option<String>,
    #[serde(flatten)]
    report: Report,
}

impl Render for About {
    fn text(&self) -> String {
        let mut rows = vec![("build", self.build_dir.clone())];
        rows.extend(changed_row(&self.changed_files));
        let report = &self.report;
        if report.vectors > 0 {
            let from_trace = match self.trace_windows {
                0 => String::new(),
                n => format!(", {} of them from the trace", count(n)),
            };
            let what = if self.streaming { "accesses" } else { "windows" };
            rows.push(("vectors", format!("{} {what}{from_trace}", count(report.vectors))));
            rows.push((
                "compared",
                format!("{} values of {} kernels for each", count(report.values_per_window), self.kernels),
            ));
            rows.push((
                "latency",
                format!("{} cycles planned, {} simulated", report.cycles_planned, report.cycles_simulated),
            ));
            if let Some(interval) = report.interval_simulated {
                rows.push((
                    "interval",
                    format!("{} cycles planned, {interval} simulated", report.interval_planned),
                ));
            }
            rows.push((
                "speed",
                format!(
                    "{} cycles/s over {} cycles",
                    count(report.cycles_per_second as u64),
                    count(report.cycles)
                ),
            ));
        }
        rows.push(("mismatches", count(report.mismatches)));
        if report.hung {
            rows.push(("hung", "the simulation stood still".to_owned()));
        }
        rows.extend(report.first.as_ref().map(|m| ("first", in_words(m, self.streaming))));
        rows.extend(image_rows(self.image_fault.as_ref(), self.faulty_images, report.vectors == 0));
        rows.extend(self.waves.as_ref().map(|w| ("waves", w.clone())));
        rows.push(("result", if self.passed { "PASS" } else { "FAIL" }.to_owned()));
        pairs(rows)
    }
}

/// Lines about a memory image that differs from the model.
fn image_rows(
    fault: Option<&ImageFault>,
    faulty: usize,
    not_simulated: bool,
) -> impl Iterator<Item = (&'static str, String)> {
    let mut rows = Vec::new();
    if let Some(fault) = fault {
        let line = if fault.line == 0 { String::new() } else { format!(" line {}", fault.line) };
        rows.push(("image", format!("{}{line}, of kernel {}: {}", fault.file, fault.kernel, fault.problem)));
        if faulty > 1 {
            rows.push(("", format!("and {} more images differ", faulty - 1)));
        }
        if not_simulated {
            rows.push(("", "not simulated: without this image the simulator would read zeros".to_owned()));
        }
    }
    rows.into_iter()
}

fn in_words(m: &Mismatch, streaming: bool) -> String {
    let what = if streaming { "access" } else { "window" };
    let place = format!("kernel {}, {what} {}, row {}", m.kernel, m.window, m.row);
    match (m.element, m.expected, m.actual) {
        (Some(element), Some(expected), Some(actual)) => {
            format!("{place}, element {element}, in cycle {}: expected {expected}, got {actual}", m.cycle)
        }
        _ => format!("{place}: valid in cycle {}, planned for {}", m.cycle, m.cycle_planned),
    }
}
