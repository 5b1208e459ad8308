//! `tablewright train`: from a trace to a table model.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use tablewright_model::save_model;

use crate::chain::Chain;
use crate::config::{self, Config, Role};
use crate::digest;
use crate::failure::{Failure, Outcome};
use crate::outfile;
use crate::stages::Stages;
use crate::summary::{Origin, Summary};
use crate::tables;
use crate::teacher::{Teacher, TeachingArgs};
use crate::trainer::Trainer;
use crate::training::{
    CommandLine, NETWORK_DIGEST, TrainingArgs, Windows, name_of, notes_of_network, override_bits, parse_bits,
};
use crate::ui::Ui;

/// Train a teacher and a student on a trace, turn the student into tables, and measure each
///
/// Windows of the trace are split by time: the first 60 % to learn from, 20 % to make choices on (when to stop, which
/// tables, which threshold), the last 20 % to measure. The same trace, configuration and seed give the same model.
///
/// Teacher and student are kept beside the model, in MODEL.stages. A call that was interrupted, however that happened,
/// goes on where it was when it is given again; a stage is made anew when something changed that it depends on.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright train app.champsimtrace.xz -o app.safetensors\n  \
    tablewright train app.champsimtrace.xz -o app-s.safetensors --config dart-s --teacher none --seed 7\n  \
    tablewright train app.champsimtrace.xz -o app.safetensors --teacher teacher.safetensors\n  \
    tablewright train --config dart --print-config > my.toml\n\n\
    `teacher`, `distill` and `tabularize` do single steps of this.\n\
    The float networks are trained by a program of its own, `tablewright-train` (`make trainer` builds it). It is looked for \
    where TABLEWRIGHT_TRAIN says, else beside this program, else on the PATH.")]
pub(crate) struct Args {
    /// Memory trace: instruction records or ML-DPC load lines; raw, .xz or .gz
    #[arg(required_unless_present = "print_config")]
    pub(crate) trace: Option<PathBuf>,
    /// Table model to write (safetensors); its name without the ending becomes the model's
    #[arg(short, long, value_name = "MODEL", required_unless_present = "print_config")]
    pub(crate) output: Option<PathBuf>,
    /// Student, tables and training: dart-s, dart, dart-l, stream-s, stream, or a TOML file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "stream")]
    pub(crate) config: String,
    #[command(flatten)]
    pub(crate) teaching: TeachingArgs,
    /// Bits of every table entry: 4, 6, 8, 12, 16 or 32 [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = parse_bits)]
    pub(crate) bits: Option<u32>,
    /// The student's passes over the training windows, at most [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(crate) epochs: Option<usize>,
    #[command(flatten)]
    pub(crate) training: TrainingArgs,
    /// Print the configuration as TOML and do nothing else
    #[arg(long)]
    pub(crate) print_config: bool,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let (Some(trace), Some(output), false) = (&args.trace, &args.output, args.print_config) else {
        ui.write(config::text("--config", &args.config, Role::Student)?.trim_end())?;
        return Ok(Outcome::Done);
    };
    // Everything that can be refused is refused before the long work begins.
    let mut config = Config::load(&args.config)?.overridden(&args.training, args.epochs)?;
    override_bits(&mut config.tables, args.bits);
    let teaching = args.teaching.of(&config, &args.training)?;
    let teacher = teaching.as_ref().map(|teaching| &teaching.teacher);
    let inputs = [Some(trace.as_path()), teacher.and_then(Teacher::file)];
    outfile::check_place(output, &inputs.into_iter().flatten().collect::<Vec<_>>())?;
    if let Some(file) = teacher.and_then(Teacher::file) {
        Stages::check_input(output, file)?;
    }
    let trainer = Trainer::find()?;
    let windows = Windows::read(trace, &config.network, &config.input, ui)?;
    let parts = windows.parts(config.training.max_windows)?;
    tables::check_samples(&config.network, &parts, &config.tables)?;

    let name = name_of(output);
    let origin = Origin {
        what: "model",
        output,
        name: &name,
        trace,
        config: &config.name,
        teacher: teacher.map(Teacher::label),
        seed: args.training.seed,
        page_bits: config.input.page_bits,
    };
    let mut summary = Summary::new(&origin, &parts);
    let stages = Stages::open(output, args.training.fresh)?;
    let chain = Chain::new(&trainer, &stages, &name, &args.training, ui);
    let float = chain.float(&config, teaching.as_ref(), &windows, &parts)?;
    let mut tables = tables::make(&float.student.network, &parts, &config.tables, ui)?;
    float.measure(&mut summary, &parts, ui)?;
    summary.tables(&tables);

    let command = CommandLine::new("train", trace, output)
        .option("config", Some(&config.name))
        .teaching(&args.teaching)
        .option("bits", args.bits)
        .option("epochs", args.epochs)
        .training(&args.training);
    tables.model.provenance = notes_of_network(&float.student.network.provenance);
    tables.model.provenance.extend(summary.provenance(command.finish()));
    tables.model.provenance.insert(NETWORK_DIGEST.into(), digest::of_file(&float.student.path)?);
    save_model(&tables.model, output)?;
    drop(stages);
    ui.print(&summary)?;
    Ok(Outcome::Done)
}
