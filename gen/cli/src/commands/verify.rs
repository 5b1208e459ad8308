//! `tablewright verify`: everything that can be checked about a build, and a certificate.

use std::path::{Path, PathBuf};

use clap::ValueEnum;
use clap::builder::RangedU64ValueParser;
use serde::Serialize;
use tablewright_design::{Design, lower, passes};
use tablewright_trace::{Dataset, DatasetOptions, Rows, Trace};
use tablewright_verif::certificate::Certificate;
use tablewright_verif::faults::Labelled;
use tablewright_verif::{Check, Group, Level, Outcome as Found, Verify, verify};

use crate::built::{Built, changed_row};
use crate::failure::{Failure, Outcome};
use crate::outfile::{NewFile, check_place};
use crate::subject::{self, MANIFEST};
use crate::ui::{Render, Ui, Unit, count, grid, pairs};

/// Windows of the trace that vectors and flipped bits are taken from.
const TRACE_WINDOWS: usize = 1000;
/// Banks' bits shown of the ranking.
const SHOWN: usize = 8;

/// Check a build by every means at hand, and write a certificate of what was checked
#[derive(Debug, clap::Args)]
#[command(after_help = "Levels:\n  \
    quick    golden model = Verilator = Icarus, proofs of 30 s each; no netlist, no mutants\n  \
    full     a gate-level netlist as well, simulated; proofs of 2 minutes; 50 mutants, each noticed or proved dead logic\n  \
    signoff  ten times the vectors, 500 mutants, proofs of half an hour; an undecided one fails\n\n\
    Examples:\n  \
    tablewright verify shor.build\n  \
    tablewright verify shor.build --level full --trace app.champsimtrace.xz\n  \
    tablewright verify shor.build --level signoff --liberty cells.lib -o shor.certificate.json\n\n\
    The certificate is the same for the same build, options and tools, apart from its section `seconds` and from\n\
    proofs that end just within their limit of processor time. A failed check ends with status 1.")]
pub(crate) struct Args {
    /// What `tablewright build` wrote
    pub(crate) build_dir: PathBuf,
    /// How much to check
    #[arg(long, value_enum, default_value_t = LevelArg::Quick)]
    pub(crate) level: LevelArg,
    /// Where the certificate goes; without it to `BUILD_DIR.verify.json`
    #[arg(short, long, value_name = "FILE.json")]
    pub(crate) output: Option<PathBuf>,
    /// Cell library that the netlist is mapped to; without one, generic gates
    #[arg(long, value_name = "FILE.lib")]
    pub(crate) liberty: Option<PathBuf>,
    /// Take vectors from this trace, and rank table bits and, from level full on, registers by what their flips
    /// cost
    #[arg(long)]
    pub(crate) trace: Option<PathBuf>,
    /// Mutants to plant, instead of the level's own number
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(0..=10_000))]
    pub(crate) mutants: Option<usize>,
    /// Seed of vectors, stalls, mutants and flips
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
}

/// A level on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LevelArg {
    /// A minute of processor time for a small model.
    Quick,
    /// Everything once.
    Full,
    /// Before tapeout.
    Signoff,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let built = Built::open(&args.build_dir)?;
    let output = args.output.clone().unwrap_or_else(|| beside(&args.build_dir));
    let (model, manifest) = (built.dir.model(), args.build_dir.join(MANIFEST));
    let mut inputs: Vec<&Path> = vec![&model, &manifest];
    inputs.extend(args.trace.as_deref().into_iter().chain(args.liberty.as_deref()));
    check_place(&output, &inputs)?;
    if inside(&output, &args.build_dir) {
        return Err(Failure::Place { path: output, problem: "it lies in the build; give a path outside" });
    }
    if let Some(liberty) = &args.liberty {
        check_liberty(liberty)?;
    }
    let (traced, labelled) = match &args.trace {
        None => (Vec::new(), None),
        Some(path) => {
            let trace = subject::trace(path, ui)?;
            let traced = subject::inputs(&trace, &built.model, &built.design, TRACE_WINDOWS)?;
            (traced, Some(labelled(&trace, &built)?))
        }
    };
    let wanted = Verify {
        level: match args.level {
            LevelArg::Quick => Level::Quick,
            LevelArg::Full => Level::Full,
            LevelArg::Signoff => Level::Signoff,
        },
        seed: args.seed,
        liberty: args.liberty.clone(),
        mutants: args.mutants,
        traced,
        labelled: labelled.map(|l| (windowed(&built), l)),
    };
    let bar = ui.bar("verifying", Unit::Items, 0);
    let mut told = |what: &str| {
        bar.say(what.to_owned());
        ui.detail(what);
    };
    let certificate = verify(&built.dir, &built.manifest, &built.design, &built.plan, &wanted, &mut told)?;
    drop(bar);
    let mut file = NewFile::begin(&output)?;
    let text = serde_json::to_string_pretty(&certificate)
        .map_err(|e| Failure::Print(std::io::Error::new(std::io::ErrorKind::InvalidData, e)))?;
    file.write(|to| writeln!(to, "{text}"))?;
    file.finish()?;
    let passed = certificate.passed;
    ui.print(&About {
        certificate_file: output.display().to_string(),
        build: args.build_dir.clone(),
        certificate,
    })?;
    Ok(if passed { Outcome::Done } else { Outcome::CheckFailed })
}

/// `BUILD_DIR.verify.json`, not in the build: every file of that is in its manifest.
/// The design of a build as it takes whole windows, its tables stored as the build stores them.
fn windowed(built: &Built) -> Design {
    let whole = passes::optimise(&lower(&built.model));
    let packed =
        built.design.loaded.is_none() && built.manifest.passes.iter().any(|pass| pass == passes::PACKED);
    if packed { passes::packed(&whole) } else { whole }
}

fn beside(build: &Path) -> PathBuf {
    // The folder may be called `.`, which has no name to add to.
    let whole = build.canonicalize().unwrap_or_else(|_| build.to_path_buf());
    let base = if build.file_name().is_some() { build } else { &whole };
    let mut name = base.file_name().unwrap_or_default().to_os_string();
    name.push(".verify.json");
    base.with_file_name(name)
}

fn inside(path: &Path, folder: &Path) -> bool {
    let parent = crate::outfile::folder(path).canonicalize();
    parent.ok().zip(folder.canonicalize().ok()).is_some_and(|(p, f)| p.starts_with(f))
}

/// A Liberty file begins, behind comments, with the word `library`.
fn check_liberty(path: &Path) -> Result<(), Failure> {
    const WANTED: &str = "a cell library in Liberty form (.lib)";
    if !path.exists() {
        return Err(Failure::Missing { path: path.into(), wanted: WANTED });
    }
    let text = std::fs::read(path).map_err(|reason| Failure::Read { path: path.into(), reason })?;
    if !String::from_utf8_lossy(&text).contains("library") {
        return Err(Failure::Unknown {
            path: path.into(),
            looks: "no cell library".to_owned(),
            wanted: WANTED,
        });
    }
    Ok(())
}

/// Labelled windows of a trace.
fn labelled(trace: &Trace, built: &Built) -> Result<Labelled, Failure> {
    let options = DatasetOptions { rows: Rows::Labelled, max_rows: Some(TRACE_WINDOWS) };
    let dataset = Dataset::from_trace_with(trace, &built.model.network, &built.model.input, &options)?;
    Ok(Labelled {
        windows: dataset.windows.outer_iter().map(|w| w.iter().copied().collect()).collect(),
        labels: dataset.labels.outer_iter().map(|l| l.to_vec()).collect(),
    })
}

#[derive(Debug, Serialize)]
struct About {
    /// Where the certificate is.
    certificate_file: String,
    #[serde(skip)]
    build: PathBuf,
    #[serde(flatten)]
    certificate: Certificate,
}

impl Render for About {
    fn text(&self) -> String {
        let c = &self.certificate;
        let rows = c.checks.iter().map(|check| {
            vec![
                group(check.group).to_owned(),
                check.name.clone(),
                outcome(check.outcome).to_owned(),
                covered(check),
                format!("{:.1}", check.seconds),
            ]
        });
        let mut text = grid(&["", "check", "result", "covered", "s"], &[4], rows);
        if let Some(faults) = &c.faults {
            let rows = faults.ranking.iter().take(SHOWN).map(|f| {
                vec![
                    f.kernel.clone(),
                    f.bank.to_string(),
                    f.bit.to_string(),
                    format!("{:.2} %", 100.0 * f.changed_bitmaps),
                    format!("{:.4}", f.f1_lost),
                    format!("{:.4}", f.worst_f1_lost),
                ]
            });
            text += "\n\n";
            text += &grid(
                &["flipped table bits", "bank", "bit", "bitmaps changed", "F1 lost", "at worst"],
                &[1, 2, 3, 4, 5],
                rows,
            );
        }
        if let Some(upsets) = &c.upsets {
            let rows = upsets.ranking.iter().take(SHOWN).map(|f| {
                vec![
                    f.stage.clone(),
                    count(f.flip_flops),
                    format!("{:.2} %", 100.0 * f.changed_bitmaps),
                    format!("{:.4}", f.f1_lost),
                    format!("{:.4}", f.worst_f1_lost),
                    format!("{:.0} %", 100.0 * f.lasting),
                ]
            });
            text += "\n\n";
            text += &grid(
                &[
                    "flipped registers",
                    "flip-flops",
                    "bitmaps changed",
                    "F1 lost",
                    "at worst",
                    "until a reset",
                ],
                &[1, 2, 3, 4, 5],
                rows,
            );
        }
        let mut rows = vec![("build", self.build.display().to_string())];
        rows.extend(changed_row(&c.changed_files));
        for check in &c.checks {
            if let Some(detail) = &check.detail {
                let what = match check.outcome {
                    Found::Failed => "failed",
                    Found::Undecided => "undecided",
                    Found::Skipped | Found::Passed => "not done",
                };
                rows.push((what, format!("{}: {detail}", check.name)));
            }
        }
        rows.push(("certificate", self.certificate_file.clone()));
        rows.push(("result", if c.passed { "PASS" } else { "FAIL" }.to_owned()));
        text + "\n\n" + &pairs(rows)
    }
}

fn group(group: Group) -> &'static str {
    match group {
        Group::Differential => "differential",
        Group::Formal => "formal",
        Group::Mutation => "mutation",
        Group::Faults => "faults",
    }
}

fn outcome(outcome: Found) -> &'static str {
    match outcome {
        Found::Passed => "pass",
        Found::Failed => "FAIL",
        Found::Undecided => "undecided",
        Found::Skipped => "not done",
    }
}

fn covered(check: &Check) -> String {
    let each = check.covered.iter().map(|(what, n)| format!("{} {what}", count(*n)));
    each.collect::<Vec<_>>().join(", ")
}
