//! `tablewright teacher`: a float network that students learn from.

use std::path::PathBuf;

use clap::builder::RangedU64ValueParser;
use tablewright_model::save_network;

use crate::chain::Chain;
use crate::config::{self, Role, TeacherConfig};
use crate::failure::{Failure, Outcome};
use crate::measure::f1_of_network;
use crate::outfile;
use crate::stages::Stages;
use crate::summary::{Origin, Summary};
use crate::teacher::Teacher;
use crate::trainer::Trainer;
use crate::training::{CommandLine, TrainingArgs, Windows, name_of};
use crate::ui::Ui;

/// Train a large float network that students can learn from
///
/// It becomes no hardware, so that it may be larger than any student. `distill` and `train` take its file as --teacher; one
/// teacher does for any number of students of the same trace.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright teacher app.champsimtrace.xz -o teacher.safetensors\n  \
    tablewright teacher app.champsimtrace.xz -o teacher.safetensors --config paper --device cuda\n  \
    tablewright teacher --config cpu --print-config > my.toml\n\n\
    A call that was interrupted goes on after its last epoch when it is given again.")]
pub(crate) struct Args {
    /// Memory trace: instruction records or ML-DPC load lines; raw, .xz or .gz
    #[arg(required_unless_present = "print_config")]
    pub(crate) trace: Option<PathBuf>,
    /// Network to write (safetensors)
    #[arg(short, long, value_name = "NETWORK", required_unless_present = "print_config")]
    pub(crate) output: Option<PathBuf>,
    /// Network and training: cpu, paper, or a TOML file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "cpu")]
    pub(crate) config: String,
    /// Passes over the training windows, at most [default: the configuration's]
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
        ui.write(config::text("--config", &args.config, Role::Teacher)?.trim_end())?;
        return Ok(Outcome::Done);
    };
    let config = TeacherConfig::load("--config", &args.config)?.overridden(&args.training, args.epochs)?;
    outfile::check_place(output, &[trace])?;
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
        teacher: None,
        seed: args.training.seed,
        page_bits: config.input.page_bits,
    };
    let mut summary = Summary::new(&origin, &parts);
    let stages = Stages::open(output, args.training.fresh)?;
    let chain = Chain::new(&trainer, &stages, &name, &args.training, ui);
    let command = CommandLine::new("teacher", trace, output)
        .option("config", Some(&config.name))
        .option("epochs", args.epochs)
        .training(&args.training);
    let mut made = chain.teacher(&Teacher::Trained(config.clone()), &parts)?;
    summary.lone_teacher(&made, f1_of_network(&made.network, &parts, ui)?);
    made.network.name.clone_from(&name);
    made.network.provenance.extend(summary.provenance(command.finish()));
    save_network(&made.network, output)?;
    // The network is where it was wanted.
    stages.teacher().forget();
    drop(stages);
    ui.print(&summary)?;
    Ok(Outcome::Done)
}
