//! `tablewright bits`: F1 against the width of the table entries, or of the values between kernels.

use std::path::PathBuf;

use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use serde::Serialize;
use tablewright_design::{lower, passes};
use tablewright_model::{Network, Purpose};
use tablewright_tabularize::explain::f1;
use tablewright_tabularize::{Evaluator, Options, tabularize};

use crate::config::TablesConfig;
use crate::failure::{Failure, Outcome};
use crate::measure::{f1_of_design, f1_of_floats};
use crate::parts::{Parts, data};
use crate::subject;
use crate::training::{Windows, override_bits, override_page_bits, parse_bits};
use crate::ui::{Render, Ui, Unit, bits, count, grid, pairs};

/// F1 that the fewest bits may cost.
const MAY_COST: f64 = 0.01;

/// Show how many bits table entries or activations need: make the tables anew for each width, and measure them
///
/// For each width the network is turned into tables whose entries all have it, and F1 is measured of the tables in floats
/// and in integers, on the test part of the trace. The fewest bits are those that cost at most 0.01 of the best F1 that
/// integers of any width reach on its validation part. With --activations the entries stay as the configuration has them,
/// and the values between the kernels get the widths.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright bits app.stages/student.safetensors --trace app.champsimtrace.xz\n  \
    tablewright bits student.safetensors --trace app.champsimtrace.xz --config dart-s --bits 4,8,32\n  \
    tablewright bits student.safetensors --trace app.champsimtrace.xz --activations 10,12,14,16\n\n\
    A row of --markdown has the trace, the configuration, F1 of the network, F1 of the integers for each width from few \
    bits to many, the fewest bits, and their storage with encoders.")]
pub(crate) struct Args {
    /// Float network (safetensors)
    pub(crate) network: PathBuf,
    /// Memory trace: instruction records or ML-DPC load lines; raw, .xz or .gz
    #[arg(long)]
    pub(crate) trace: PathBuf,
    /// Tables: those of a student (dart-s, dart, dart-l, stream-s, stream), or of a TOML file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "dart")]
    pub(crate) config: String,
    /// Widths of a table entry, of 4, 6, 8, 12, 16 and 32
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "4,6,8,12,16,32", value_parser = parse_bits)]
    pub(crate) bits: Vec<u32>,
    /// Widths of the values between kernels, 8 to 24, to study instead
    #[arg(long, value_name = "N,...", value_delimiter = ',', conflicts_with = "bits", value_parser = RangedU64ValueParser::<u32>::new().range(8..=24))]
    pub(crate) activations: Vec<u32>,
    /// Seed of all drawing
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Fit to at most N windows, choose on a quarter as many, thinned evenly [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) max_windows: Option<usize>,
    /// Label only deltas inside a page of 2^N bytes; 12 if the trace has physical addresses
    #[arg(long, value_name = "N", value_parser = RangedI64ValueParser::<u32>::new().range(1..=48))]
    pub(crate) page_bits: Option<u32>,
    /// Print one row of a Markdown table
    #[arg(long, conflicts_with = "format")]
    pub(crate) markdown: bool,
}

/// What the widths are widths of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum Of {
    Entries,
    Activations,
}

impl Of {
    /// The same choices with another width.
    fn set(self, options: &Options, bits: u32) -> Options {
        let mut options = options.clone();
        match self {
            Self::Activations => options.activation_bits = bits,
            Self::Entries => override_bits(&mut options, Some(bits)),
        }
        options
    }
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Study {
    network: String,
    trace: String,
    config: String,
    seed: u64,
    page_bits: Option<u32>,
    of: Of,
    windows_train: usize,
    windows_valid: usize,
    windows_test: usize,
    /// Of the float network, on the test part.
    f1_network: f64,
    /// From few bits to many.
    widths: Vec<Width>,
    /// The fewest bits that cost at most [`MAY_COST`].
    fewest_bits: u32,
}

/// Tables of one width.
#[derive(Debug, Clone, Copy, Serialize)]
struct Width {
    bits: u32,
    /// On the test part.
    f1_float_tables: f64,
    f1_integer_tables: f64,
    /// Of the integers, on the validation part.
    f1_valid: f64,
    /// Against the best integers of all widths, on the validation part.
    f1_cost: f64,
    table_bits: u64,
    encoder_bits: u64,
    storage_bits: u64,
}

impl Study {
    /// Those of the fewest bits.
    fn fewest(&self) -> Option<&Width> {
        self.widths.iter().find(|width| width.bits == self.fewest_bits)
    }

    fn markdown(&self) -> String {
        let f1 = |f1: f64| format!("{f1:.4}");
        let storage = self.fewest().map_or_else(String::new, |width| bits(width.storage_bits));
        let cells = [self.trace.clone(), self.config.clone(), f1(self.f1_network)]
            .into_iter()
            .chain(self.widths.iter().map(|width| f1(width.f1_integer_tables)))
            .chain([self.fewest_bits.to_string(), storage]);
        format!("| {} |", cells.collect::<Vec<_>>().join(" | "))
    }
}

impl Render for Study {
    fn text(&self) -> String {
        let head = pairs([
            ("network", self.network.clone()),
            ("trace", self.trace.clone()),
            ("configuration", format!("{}, seed {}", self.config, self.seed)),
            (
                "windows",
                format!(
                    "{} to fit, {} to choose on, {} to measure",
                    count(self.windows_train),
                    count(self.windows_valid),
                    count(self.windows_test)
                ),
            ),
            ("F1 of the network", format!("{:.4}", self.f1_network)),
        ]);
        let rows = self.widths.iter().map(|width| {
            vec![
                width.bits.to_string(),
                format!("{:.4}", width.f1_float_tables),
                format!("{:.4}", width.f1_integer_tables),
                format!("{:.4}", width.f1_valid),
                format!("{:.4}", width.f1_cost),
                bits(width.storage_bits),
                if width.bits == self.fewest_bits { "fewest" } else { "" }.to_owned(),
            ]
        });
        let of = match self.of {
            Of::Entries => "entries",
            Of::Activations => "activations",
        };
        let header =
            [of, "F1 floats", "F1 integers", "F1 validation", "cost there", "tables and encoders", ""];
        let table = grid(&header, &[0, 1, 2, 3, 4, 5], rows);
        format!(
            "{head}\n\n{table}\nF1 on the test part, but for the validation part's of the integers: fewest costs at most {MAY_COST} of the best there."
        )
    }
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let mut network = subject::network(&args.network)?;
    override_page_bits(&mut network.input, args.page_bits)?;
    if let Some(violation) = network.config.violations(Purpose::Tables).into_iter().next() {
        return Err(Failure::TooLarge { path: args.network.clone(), violation });
    }
    let config = TablesConfig::load(&args.config, &network.config)?;
    let options = Options { seed: args.seed, ..config.tables };
    let windows = Windows::read(&args.trace, &network.config, &network.input, ui)?;
    let parts = windows.parts(args.max_windows.or(config.max_windows))?;

    let (of, mut wanted) = if args.activations.is_empty() {
        (Of::Entries, args.bits.clone())
    } else {
        (Of::Activations, args.activations.clone())
    };
    wanted.sort_unstable();
    wanted.dedup();
    let bar = ui.bar("tables", Unit::Items, 0);
    let mut widths = Vec::new();
    for (i, &bits) in wanted.iter().enumerate() {
        let width = measure(&network, &parts, &of.set(&options, bits), bits, |done, steps, step| {
            bar.at_of((i * steps + done) as u64, (wanted.len() * steps) as u64);
            bar.say(format!("{bits} bits  {step}"));
            ui.detail(format_args!("{bits} bits: {step}"));
        })?;
        widths.push(width);
    }
    drop(bar);
    let best = widths.iter().fold(0.0_f64, |best, width| best.max(width.f1_valid));
    for width in &mut widths {
        width.f1_cost = best - width.f1_valid;
    }
    let fewest_bits = widths.iter().find(|width| width.f1_cost <= MAY_COST).map_or(0, |width| width.bits);
    let study = Study {
        network: network.name.clone(),
        trace: windows.trace.info.file.clone(),
        config: config.name,
        seed: args.seed,
        page_bits: network.input.page_bits,
        of,
        windows_train: parts.train.len(),
        windows_valid: parts.valid.len(),
        windows_test: parts.test.len(),
        f1_network: f1(&Evaluator::of_network(&network)?, data(&parts.valid), data(&parts.test)).f1,
        widths,
        fewest_bits,
    };
    if args.markdown {
        ui.write(&study.markdown())?;
    } else {
        ui.print(&study)?;
    }
    Ok(Outcome::Done)
}

/// Tables of one width; what they cost in F1 shows when all are known.
fn measure(
    network: &Network,
    parts: &Parts,
    options: &Options,
    bits: u32,
    mut tell: impl FnMut(usize, usize, &str),
) -> Result<Width, Failure> {
    let mut progress = |step: tablewright_tabularize::Progress| tell(step.done, step.of, &step.step);
    let (model, _) = tabularize(network, data(&parts.train), data(&parts.valid), options, &mut progress)?;
    let tables = Evaluator::of_model(&model)?.with_hardware_units(model.activation_bits);
    let design = passes::optimise(&lower(&model));
    let (table_bits, encoder_bits) = (design.table_bits(), design.encoder_bits());
    Ok(Width {
        bits,
        f1_float_tables: f1_of_floats(&tables, &parts.test, model.threshold, |_| ()),
        f1_integer_tables: f1_of_design(&design, &parts.test, |_| ()),
        f1_valid: f1_of_design(&design, &parts.valid, |_| ()),
        f1_cost: 0.0,
        table_bits,
        encoder_bits,
        storage_bits: table_bits + encoder_bits,
    })
}
