//! `tablewright estimate`: what the hardware costs.

use std::path::PathBuf;

use serde::Serialize;
use tablewright_model::load_model;
use tablewright_plan::estimate::{Basis, Estimate, Kernel, PrefetcherEstimate, TargetEstimate};
use tablewright_plan::published::Published;
use tablewright_plan::resources::Memory;
use tablewright_plan::{Plan, Target};

use crate::built::{Built, designed};
use crate::failure::{Failure, Outcome};
use crate::loadable::LoadArgs;
use crate::planned::{self, PlanArgs};
use crate::stored::Stored;
use crate::subject::Subject;
use crate::ui::{Render, Ui, bits, count, grid, pairs};

/// Latency, initiation interval, storage and registers, read off the plan; area by the target's model
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Every figure is marked: exact ones are counted on the Verilog, modelled ones come from coefficients\n\
    that were measured elsewhere.\n\n\
    Targets: generic (counts only), ecp5, xc7, ihp-sg13g2, nangate45, sky130hd\n\n\
    Examples:\n  \
    tablewright estimate models/zoo/libquantum_shor-dart.safetensors\n  \
    tablewright estimate app.safetensors --target ihp-sg13g2 --banks memory --interval 100\n  \
    tablewright estimate shor.build --target ecp5\n  \
    tablewright estimate shor.build --format json"
)]
pub(crate) struct Args {
    /// A build directory or a table model
    #[arg(value_name = "BUILD_DIR|MODEL")]
    pub(crate) subject: PathBuf,
    /// What the hardware is made for; a build directory knows its own, a model has `generic`
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// Of a model, estimate the core that takes whole windows, as `build --windows` makes it
    #[arg(long)]
    pub(crate) windows: bool,
    #[command(flatten)]
    pub(crate) load: LoadArgs,
    #[command(flatten)]
    pub(crate) plan: PlanArgs,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    const WANTED: &str = "a build directory or a table model (safetensors)";
    let path = &args.subject;
    // A wrong target is told before anything is read.
    let asked = args.target.as_deref().map(tablewright_fpga::target).transpose()?;
    let or = |name: &str| -> Result<Target, Failure> {
        Ok(match &asked {
            Some(target) => target.clone(),
            None => tablewright_fpga::target(name)?,
        })
    };
    let estimate = match Subject::of(path, WANTED)? {
        Subject::BuildDir => {
            if args.plan.asked() || args.windows || args.load.protection().is_some() {
                return Err(Failure::Options {
                    option: "--plan, --latency, --interval, --levels, --banks, --clock, --windows, --loadable",
                    problem: "a build has its plan already; give the model instead, or build again"
                        .to_owned(),
                });
            }
            let built = Built::open(path)?;
            let target = or(&built.manifest.target)?;
            if target.name == built.manifest.target {
                Estimate::of(&built.design, &built.plan, &target)?
            } else {
                // Its banks are for another target.
                let plan = planned::for_target(&built.design, &built.plan, &target);
                Estimate::of(&built.design, &plan, &target)?
            }
        }
        Subject::Model => {
            let design = designed(&load_model(path)?, args.windows, args.load.protection());
            let target = or(tablewright_fpga::DEFAULT)?;
            let plan = Plan::new(&design, &args.plan.directives(&design, &target)?);
            Estimate::of(&design, &plan, &target)?
        }
        other => return Err(other.instead(path, WANTED)),
    };
    ui.print(&Report(estimate))?;
    Ok(Outcome::Done)
}

/// Column of the rows that come ahead, where there are some.
const AHEAD: usize = 6;

/// The estimate as it is printed.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Report(Estimate);

impl Render for Report {
    fn text(&self) -> String {
        let Self(estimate) = self;
        let head = pairs([("model", estimate.model.as_str()), ("target", estimate.target.title.as_str())]);
        [
            head,
            kernels(&estimate.kernels),
            totals(estimate),
            prefetcher(&estimate.prefetcher),
            published(&estimate.published),
            target(&estimate.target),
            banks(&estimate.target),
        ]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("\n\n")
    }
}

/// Of every node its cycles, storage and registers.
fn kernels(kernels: &[Kernel]) -> String {
    let mut header = vec![
        "kernel",
        "op",
        "rows",
        "lanes",
        "format",
        "first",
        "every",
        "busy",
        "table bits",
        "stored",
        "encoder bits",
        "registers",
        "accumulator",
        "memories (words x bits)",
    ];
    let some = |number: u64| {
        if number == 0 { String::new() } else { count(number) }
    };
    let mut rows: Vec<Vec<String>> = kernels
        .iter()
        .map(|k| {
            let encoder = match k.encoder_copies {
                0 | 1 => some(k.encoder_bits),
                copies => format!("{} in {copies} copies", count(k.encoder_bits)),
            };
            vec![
                k.name.clone(),
                k.op.into(),
                match k.rows_at_once {
                    1 => count(k.rows),
                    at_once => format!("{}, {at_once} at once", count(k.rows)),
                },
                count(k.lanes),
                k.format.clone(),
                count(k.first_cycle),
                count(k.row_interval_cycles),
                count(k.occupancy_cycles),
                some(k.table_bits),
                some(k.stored_table_bits),
                encoder,
                some(k.register_bits),
                k.accumulator.clone().unwrap_or_default(),
                k.memories.iter().map(Memory::to_string).collect::<Vec<_>>().join(", "),
            ]
        })
        .collect();
    let mut right = vec![2, 3, 5, 6, 7, 8, 9, 10, 11];
    let mut note =
        "first: cycle of row 0; every: cycles from row to row; busy: cycles taken by one window. All exact."
            .to_owned();
    if kernels.iter().any(|k| k.ahead_cycle.is_some()) {
        header.insert(AHEAD, "ahead");
        for (row, kernel) in rows.iter_mut().zip(kernels) {
            row.insert(AHEAD, kernel.ahead_cycle.map(count).unwrap_or_default());
        }
        right.push(12);
        note.push_str(
            "\nahead: all rows but the last come before their access; cycle of row 0, the access before taken in cycle 0, \
             and first is the last row's.",
        );
    }
    format!("{}\n{note}", grid(&header, &right, rows))
}

/// Of the whole.
fn totals(estimate: &Estimate) -> String {
    let (exact, modelled) = (word(Basis::Exact), word(Basis::Modelled));
    let stored = Stored {
        whole: estimate.table_bits,
        in_banks: estimate.stored_table_bits,
        saved: estimate.saved_table_bits,
    };
    let cycles = [
        ("latency", format!("{} cycles", count(estimate.latency_cycles))),
        ("interval", format!("{} cycles, set by {}", count(estimate.interval_cycles), estimate.bottleneck)),
        ("table words read per inference", count(estimate.words_per_inference)),
    ];
    let storage = [
        ("encoders, each once", bits(estimate.encoder_bits)),
        ("constant memories, every copy", bits(estimate.rom_bits)),
        ("writable memories", bits(estimate.writable_bits)),
        ("flip-flops", count(estimate.register_bits)),
    ];
    let mut guessed = vec![("logic between two registers", format!("{} levels", estimate.levels))];
    if let Some(clock) = estimate.target.clock {
        guessed.extend([
            ("clock", format!("{:.0} MHz, give or take {} %", clock.mhz, clock.within_percent)),
            ("latency at that clock", format!("{:.0} ns", clock.latency_ns)),
            ("interval at that clock", format!("{:.0} ns", clock.interval_ns)),
        ]);
    }
    let rows = cycles
        .into_iter()
        .chain(stored.rows())
        .chain(storage)
        .map(|row| (row, exact))
        .chain(guessed.into_iter().map(|row| (row, modelled)));
    grid(
        &["in all", "", ""],
        &[],
        rows.map(|((what, value), basis)| vec![what.to_owned(), value, basis.to_owned()]),
    )
}

/// The other top: the prefetcher around the same predictor.
fn prefetcher(p: &PrefetcherEstimate) -> String {
    let exact = word(Basis::Exact).to_owned();
    let part = |name: &str, registers: u64, writable: u64, basis: String| {
        let bits = |bits: u64| if bits == 0 { String::new() } else { count(bits) };
        vec![name.to_owned(), bits(registers), bits(writable), basis]
    };
    let mut rows: Vec<Vec<String>> =
        p.parts.iter().map(|of| part(of.name, of.register_bits, of.writable_bits, exact.clone())).collect();
    rows.push(part("all of these", p.around_register_bits, p.around_writable_bits, exact.clone()));
    rows.push(part("the whole prefetcher", p.register_bits, p.writable_bits, exact));
    let table = grid(&["prefetcher, around the predictor", "flip-flops", "memory bits", ""], &[1, 2], rows);
    let mut lines = vec![
        table,
        format!(
            "{} cycles from a demand access to its first prefetch; one access after the other at most {} cycles apart.",
            count(p.latency_cycles),
            count(p.interval_cycles)
        ),
        format!(
            "The issue unit looks at {} lanes a cycle; a row takes {} cycles with all its prefetches, {} at most. All exact.",
            count(p.issue_lanes),
            count(p.issue_interval_cycles),
            count(p.issue_interval_longest_cycles)
        ),
    ];
    if let Some(area) = p.around_figures.iter().find(|f| f.what == "area in all") {
        let value = count(area.value.round() as u64);
        lines.push(format!("Area around the predictor: {value} {}, {}.", area.unit, word(area.basis)));
    }
    lines.join("\n")
}

/// The paper's numbers.
fn published(published: &Published) -> String {
    let modelled = word(Basis::Modelled);
    let with = |entry_bits: u32| format!("storage, {entry_bits}-bit entries");
    let mut rows = vec![
        (
            "latency, all tokens in parallel".to_owned(),
            format!("{} cycles", count(published.latency_cycles)),
            modelled,
        ),
        (with(published.entry_bits), bits(published.storage_bits), modelled),
    ];
    if published.entry_bits != 32 {
        rows.push((with(32), bits(published.storage_bits_32), modelled));
    }
    if let Some(paper) = published.paper {
        let figures =
            format!("{} cycles, {} KiB with 32-bit entries", paper.latency_cycles, paper.storage_kib);
        rows.push((format!("the paper's {}", paper.name), figures, "published"));
    }
    let title =
        format!("published, L{} K{} C{}", published.layers, published.prototypes, published.subspaces);
    let table = grid(
        &[&title, "", ""],
        &[],
        rows.into_iter().map(|(what, value, basis)| vec![what, value, basis.to_owned()]),
    );
    let mut notes =
        vec!["The latency is a formula fitted to the paper's three points; encoders are not counted."];
    if published.kernels_differ {
        notes.push("Kernels differ in K, C or bits here: the formulas are given the largest of each.");
    }
    format!("{table}\n{}", notes.join("\n"))
}

/// What the target makes of it.
fn target(target: &TargetEstimate) -> String {
    if target.figures.is_empty() {
        return format!("{}: no area is modelled; name a --target for one", target.name);
    }
    let rows = target.figures.iter().map(|f| {
        // Whole numbers: nothing modelled has a digit behind the point that means anything.
        let value = format!("{} {}", count(f.value.round() as u64), f.unit);
        vec![f.what.clone(), value.trim_end().to_owned(), word(f.basis).to_owned()]
    });
    let table = grid(&[&target.name, "", ""], &[1], rows);
    format!(
        "{table}\nModelled for the Verilog as written. The truth may lie up to {} % lower (synthesis drops what frozen \
         tables never show and encoders never read) or up to {} % higher.\n{}",
        target.less_percent, target.more_percent, target.source
    )
}

/// What the banks of the tables are made of.
fn banks(target: &TargetEstimate) -> String {
    if target.banks.is_empty() {
        return String::new();
    }
    let header =
        ["bank", "of", "words x bits", "made of", "bits used", "bits there", "waste", "cost of one", "why"];
    let rows = target.banks.iter().map(|bank| {
        let chosen = &bank.chosen;
        let tiles = match chosen.across * chosen.stacked {
            0 => chosen.style.to_string(),
            tiles => format!("{tiles} {}", chosen.style),
        };
        vec![
            bank.kernel.clone(),
            count(bank.count),
            format!("{}x{}", bank.words, bank.width),
            tiles,
            count(chosen.used_bits),
            count(chosen.provided_bits),
            format!("{:.0} %", chosen.waste_percent()),
            count(chosen.cost.round() as u64),
            bank.reason.clone(),
        ]
    });
    let used: u64 = target.banks.iter().map(|b| b.count * b.chosen.used_bits).sum();
    let there: u64 = target.banks.iter().map(|b| b.count * b.chosen.provided_bits).sum();
    let unit = if target.figures.iter().any(|f| f.unit == "µm²") {
        "µm² with the read register"
    } else {
        "look-up tables, and what a block RAM is worth in them"
    };
    format!(
        "{}\nBanks use {} of {} bits. Shapes and bits are exact, costs modelled, in {unit}.",
        grid(&header, &[1, 4, 5, 6, 7], rows),
        count(used),
        count(there)
    )
}

fn word(basis: Basis) -> &'static str {
    match basis {
        Basis::Exact => "exact",
        Basis::Modelled => "modelled",
    }
}
