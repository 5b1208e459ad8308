//! `tablewright tabularize`: from a float network to a table model.

use std::path::PathBuf;

use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use tablewright_model::{Purpose, save_model};

use crate::chain::{How, Made};
use crate::config::TablesConfig;
use crate::digest;
use crate::failure::{Failure, Outcome};
use crate::measure::f1_of_network;
use crate::outfile;
use crate::subject;
use crate::summary::{Origin, Summary, base_name};
use crate::tables;
use crate::training::{
    CommandLine, NETWORK_DIGEST, Windows, name_of, notes_of_network, override_bits, override_page_bits,
    parse_bits,
};
use crate::ui::Ui;

/// Turn a float network into tables, and measure both
///
/// The network comes from `distill`, from the stages of `train`, or from another framework: models/FORMAT.md says what its
/// file holds. Sizes and input are the network's; the configuration says what tables are made of it.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright tabularize student.safetensors --trace app.champsimtrace.xz -o app.safetensors\n  \
    tablewright tabularize student.safetensors --trace app.champsimtrace.xz -o app.safetensors --config dart-s --bits 6\n\n\
    The windows are split by time as in `train`: fitted on the first 60 %, chosen on 20 %, measured on the last 20 %.")]
pub(crate) struct Args {
    /// Float network (safetensors)
    pub(crate) network: PathBuf,
    /// Memory trace of the same program: instruction records or ML-DPC load lines; raw, .xz or .gz
    #[arg(long)]
    pub(crate) trace: PathBuf,
    /// Table model to write (safetensors); its name without the ending becomes the model's
    #[arg(short, long, value_name = "MODEL")]
    pub(crate) output: PathBuf,
    /// Tables: those of dart-s, dart, dart-l, stream-s, stream, or of a TOML file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "dart")]
    pub(crate) config: String,
    /// Bits of every table entry: 4, 6, 8, 12, 16 or 32 [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = parse_bits)]
    pub(crate) bits: Option<u32>,
    /// Seed of all drawing
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Fit to at most N windows, choose on a quarter as many, thinned evenly [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) max_windows: Option<usize>,
    /// Label only deltas inside a page of 2^N bytes [default: the network's]
    #[arg(long, value_name = "N", value_parser = RangedI64ValueParser::<u32>::new().range(1..=48))]
    pub(crate) page_bits: Option<u32>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let Args { trace, output, seed, .. } = args;
    let mut network = subject::network(&args.network)?;
    override_page_bits(&mut network.input, args.page_bits)?;
    let mut config = TablesConfig::load(&args.config, &network.config)?;
    override_bits(&mut config.tables, args.bits);
    config.tables.seed = *seed;
    if let Some(violation) = network.config.violations(Purpose::Tables).into_iter().next() {
        return Err(Failure::TooLarge { path: args.network.clone(), violation });
    }
    outfile::check_place(output, &[trace, &args.network])?;
    let (shape, input) = (network.config.clone(), network.input.clone());
    let windows = Windows::read(trace, &shape, &input, ui)?;
    let parts = windows.parts(args.max_windows.or(config.max_windows))?;
    drop(windows);

    let name = name_of(output);
    network.name.clone_from(&name);
    let mut tables = tables::make(&network, &parts, &config.tables, ui)?;
    let origin = Origin {
        what: "model",
        output,
        name: &name,
        trace,
        config: &config.name,
        teacher: None,
        seed: *seed,
        page_bits: input.page_bits,
    };
    let mut summary = Summary::new(&origin, &parts);
    let f1 = f1_of_network(&network, &parts, ui)?;
    let mut notes = notes_of_network(&network.provenance);
    if notes.get("trace") != Some(&base_name(trace)) {
        // The teacher was measured on another trace.
        notes.remove("f1_teacher");
    }
    summary.student(&Made { network, path: args.network.clone(), how: How::Given, seconds: 0.0 }, f1);
    summary.tables(&tables);

    let command = CommandLine::new("tabularize", &args.network, output)
        .option("trace", Some(base_name(trace)))
        .option("config", Some(&config.name))
        .option("bits", args.bits)
        .option("seed", Some(seed))
        .option("max-windows", args.max_windows)
        .option("page-bits", args.page_bits);
    tables.model.provenance = notes;
    tables.model.provenance.extend(summary.provenance(command.finish()));
    tables.model.provenance.insert(NETWORK_DIGEST.into(), digest::of_file(&args.network)?);
    save_model(&tables.model, output)?;
    ui.print(&summary)?;
    Ok(Outcome::Done)
}
