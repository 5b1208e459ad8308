//! `tablewright run`: the golden model over a trace.

use std::ops::Range;
use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::RangedI64ValueParser;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use tablewright_design::{lower, passes};
use tablewright_model::TableModel;
use tablewright_trace::evaluate::Report;
use tablewright_trace::{Error, Trace, write_prefetches};

use crate::built::Built;
use crate::failure::{Failure, Outcome};
use crate::outfile::{self, NewFile};
use crate::parts::Labels;
use crate::replay::{Replayed, replay};
use crate::subject;
use crate::training::{override_page_bits, warn_of_pages};
use crate::ui::{Render, Ui, Unit, count, grid, pairs};

/// Run a model over a trace, bit for bit as the hardware would, and measure its prefetches
///
/// F1 is over the bits of the predicted delta bitmaps. Accuracy is the share of issued prefetches whose block is demanded
/// within the look-ahead, coverage the share of accesses whose block was prefetched; both are judged on the trace alone,
/// without a cache and without time.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright run app.safetensors --trace app.champsimtrace.xz\n  \
    tablewright run app.safetensors --trace app.champsimtrace.xz --part test --format json\n  \
    tablewright run app.safetensors --trace app.champsimtrace.xz -o app.prefetches\n\n\
    On the trace that the model was trained on, only `--part test` gives figures of windows it has not seen.")]
pub(crate) struct Args {
    /// Table model (safetensors)
    pub(crate) model: PathBuf,
    /// Memory trace: instruction records or ML-DPC load lines; raw, .xz or .gz
    #[arg(long)]
    pub(crate) trace: PathBuf,
    /// Write the prefetches, one line `instr_id hex_address` each (ML-DPC)
    #[arg(short, long, value_name = "PREFETCHES")]
    pub(crate) output: Option<PathBuf>,
    /// Part of the trace, split by time as `train` does
    #[arg(long, value_enum, default_value_t = Part::All)]
    pub(crate) part: Part,
    /// Count for F1, and issue, only inside a page of 2^N bytes [default: as the model was trained]
    #[arg(long, value_name = "N", value_parser = RangedI64ValueParser::<u32>::new().range(1..=48))]
    pub(crate) page_bits: Option<u32>,
    /// Compute as the hardware of this build does with the model's tables loaded (`build --loadable`), in the build's scales
    #[arg(long, value_name = "BUILD_DIR")]
    pub(crate) build: Option<PathBuf>,
}

/// Parts of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Part {
    /// Every access.
    All,
    /// What `train` learns from.
    Train,
    /// What `train` makes its choices on.
    Valid,
    /// What `train` leaves untouched.
    Test,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Measured<'a> {
    model: &'a str,
    trace: &'a str,
    part: Part,
    page_bits: Option<u32>,
    windows: u64,
    #[serde(flatten)]
    report: Report,
    #[serde(serialize_with = "as_map")]
    baselines: Vec<(String, Report)>,
}

fn as_map<S: Serializer>(baselines: &[(String, Report)], serializer: S) -> Result<S::Ok, S::Error> {
    let mut map = serializer.serialize_map(Some(baselines.len()))?;
    for (name, report) in baselines {
        map.serialize_entry(name, report)?;
    }
    map.end()
}

impl Render for Measured<'_> {
    fn text(&self) -> String {
        let part = match self.part {
            Part::All => "all".to_owned(),
            part => format!("{part:?} part").to_lowercase(),
        };
        let head = pairs([
            ("model", self.model.to_owned()),
            ("trace", format!("{}, {part}", self.trace)),
            ("accesses", count(self.report.accesses)),
            ("labelled windows", count(self.windows)),
        ]);
        let row = |name: &str, r: &Report| {
            let shares = [r.f1, r.accuracy, r.coverage].map(|share| format!("{share:.4}"));
            let counts = [r.issued, r.useful, r.covered, r.redundant].map(count);
            [name.to_owned()]
                .into_iter()
                .chain(shares)
                .chain(counts)
                .chain([format!("{:.2}", r.mean_degree)])
                .collect()
        };
        let rows: Vec<Vec<String>> = [row(self.model, &self.report)]
            .into_iter()
            .chain(self.baselines.iter().map(|(name, report)| row(name, report)))
            .collect();
        let header =
            ["", "F1", "accuracy", "coverage", "issued", "useful", "covered", "redundant", "per access"];
        format!("{head}\n\n{}", grid(&header, &[1, 2, 3, 4, 5, 6, 7, 8], rows))
    }
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let mut model = subject::model(&args.model)?;
    override_page_bits(&mut model.input, args.page_bits)?;
    if let Some(output) = &args.output {
        outfile::check_place(output, &[&args.model, &args.trace])?;
    }
    let trace = subject::trace(&args.trace, ui)?;
    let accesses = scope(&model, &trace, args.part)?;
    warn_of_pages(&args.trace, &trace, &model.input, ui);
    // The windows are evaluated each by itself, in parallel; a streaming design says the same of them.
    let design = match &args.build {
        Some(build) => Built::open(build)?.fit_whole(&model, &args.model)?.design,
        None => lower(&model),
    };
    let design = passes::optimise(&design);
    let words = passes::for_hardware(&design).words_per_inference();
    ui.detail(format_args!("{} table words for each inference", count(words)));

    let mut file = args.output.as_deref().map(NewFile::begin).transpose()?;
    let bar = ui.bar("running", Unit::Items, accesses.len() as u64);
    let issue = |id: u64, blocks: &[u64]| match &mut file {
        Some(file) => {
            let addresses: Vec<u64> = blocks.iter().map(|block| block << model.input.block_bits).collect();
            file.write(|mut out| write_prefetches(&mut out, id, &addresses))
        }
        None => Ok(()),
    };
    let Replayed { model: report, windows, baselines } =
        replay(&design, &trace, accesses, issue, |done| bar.at(done as u64))?;
    drop(bar);
    if let Some(file) = file {
        file.finish()?;
    }
    if windows == 0 {
        ui.warn("no window has a labelled delta, so F1 is 0 and says nothing");
    }
    ui.print(&Measured {
        model: &model.name,
        trace: &trace.info.file,
        part: args.part,
        page_bits: model.input.page_bits,
        windows,
        report,
        baselines,
    })?;
    Ok(Outcome::Done)
}

/// The accesses of the part that was asked for.
fn scope(model: &TableModel, trace: &Trace, part: Part) -> Result<Range<usize>, Failure> {
    let (network, input) = (&model.network, &model.input);
    let all = 0..trace.accesses.len();
    let needed = network.history + input.lookahead;
    if all.len() < needed {
        let why = format!("a history of {} and a look-ahead of {}", network.history, input.lookahead);
        let trace = trace.info.file.clone();
        return Err(Error::TooShort { trace, accesses: all.len(), needed, why }.into());
    }
    if part == Part::All {
        return Ok(all);
    }
    let (dataset, split) = Labels { network, input }.split(trace)?;
    let rows = match part {
        Part::Train => split.train,
        Part::Valid => split.valid,
        Part::Test | Part::All => split.test,
    };
    // The parts of a split are not empty.
    let at = |row: usize| dataset.current.get(row).map_or(0, |&at| at as usize);
    Ok(at(rows.start)..at(rows.end.saturating_sub(1)) + 1)
}
