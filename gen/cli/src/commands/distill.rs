//! `tablewright distill`: a float network of a size that tables can follow.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use tablewright_model::save_network;

use crate::chain::Chain;
use crate::config::{self, Config, Role};
use crate::failure::{Failure, Outcome};
use crate::outfile;
use crate::stages::Stages;
use crate::summary::{Origin, Summary};
use crate::teacher::{Teacher, TeachingArgs};
use crate::trainer::Trainer;
use crate::training::{CommandLine, TrainingArgs, Windows, name_of};
use crate::ui::Ui;

/// Train a student, a float network that can become tables, on labels and on a teacher's outputs
///
/// The loss is A times the cross-entropy with the labels plus 1 - A times the divergence of the student's probabilities from
/// the teacher's, both taken of logits divided by the temperature. With `--teacher none` it is the labels' alone.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright distill app.champsimtrace.xz -o student.safetensors --teacher teacher.safetensors\n  \
    tablewright distill app.champsimtrace.xz -o student.safetensors --alpha 0.2 --temperature 4\n  \
    tablewright distill app.champsimtrace.xz -o plain.safetensors --teacher none\n  \
    tablewright tabularize student.safetensors --trace app.champsimtrace.xz -o app.safetensors\n\n\
    What distillation gains: the same call with --teacher none, over some --seed. A call that was interrupted \
    goes on after its last epoch when it is given again. A teacher that is trained here is kept in NETWORK.stages.")]
pub(crate) struct Args {
    /// Memory trace: instruction records or ML-DPC load lines; raw, .xz or .gz
    #[arg(required_unless_present = "print_config")]
    pub(crate) trace: Option<PathBuf>,
    /// Network to write (safetensors)
    #[arg(short, long, value_name = "NETWORK", required_unless_present = "print_config")]
    pub(crate) output: Option<PathBuf>,
    /// Student and training: dart-s, dart, dart-l, stream-s, stream, or a TOML file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "stream")]
    pub(crate) config: String,
    #[command(flatten)]
    pub(crate) teaching: TeachingArgs,
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
    let config = Config::load(&args.config)?.overridden(&args.training, args.epochs)?;
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

    let name = name_of(output);
    let origin = Origin {
        what: "network",
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
    let mut float = chain.float(&config, teaching.as_ref(), &windows, &parts)?;
    float.measure(&mut summary, &parts, ui)?;

    let command = CommandLine::new("distill", trace, output)
        .option("config", Some(&config.name))
        .teaching(&args.teaching)
        .option("epochs", args.epochs)
        .training(&args.training);
    let network = &mut float.student.network;
    network.provenance.extend(summary.provenance(command.finish()));
    save_network(network, output)?;
    // The student is where it was wanted, and so is a teacher that was given.
    stages.student().forget();
    if teacher.is_some_and(|teacher| teacher.file().is_some()) {
        stages.teacher().forget();
    }
    drop(stages);
    ui.print(&summary)?;
    Ok(Outcome::Done)
}
