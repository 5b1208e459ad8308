//! The trainer: parses the command line, trains, prints.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::{self, ExitCode};
use std::thread;

use clap::{Parser, ValueEnum};
use serde::Serialize;
use tablewright_train::{DeviceKind, Distillation, Epoch, Error, Job, Settings};

/// Trains the float attention network that a table model is made from.
///
/// Reads a dataset file (windows and labels with their split in train, validation and test part), trains on its train
/// part, and writes the weights (averaged over the last steps) of the epoch with the best micro-F1 on the validation part
/// (of nearly equal ones, the lowest loss). The test part is not looked at. The same input, options and seed give the same file, whatever the number of threads.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "Exit status: 0 trained and written; 2 the input or the call is wrong, or a file cannot be written.\n\
    RAYON_NUM_THREADS limits the number of threads."
)]
struct Args {
    /// Dataset file, as `tablewright` makes it from a trace
    dataset: PathBuf,
    /// Network file to write (safetensors)
    #[arg(short, long, value_name = "NETWORK")]
    output: PathBuf,
    /// JSON file: {"network": {sizes and choices}, "input": {…}}
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Name of the network [default: the output's file name up to its first dot]
    #[arg(long)]
    name: Option<String>,
    /// Passes over the training windows, at most
    #[arg(long, default_value_t = 20)]
    epochs: usize,
    /// Windows for one step of the optimiser
    #[arg(long, default_value_t = 256)]
    batch: usize,
    /// Peak of the learning rate, after a short rise and before a cosine fall
    #[arg(long, default_value_t = 0.003)]
    lr: f64,
    /// Weight decay, decoupled from the gradient
    #[arg(long, default_value_t = 0.01)]
    weight_decay: f32,
    /// Stop after this many epochs without a better one on the validation part
    #[arg(long, default_value_t = 6)]
    patience: usize,
    /// Seed of the first weights and of the order of the windows
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Learn from at most N windows and validate on a quarter as many, evenly thinned over time [default: all]
    #[arg(long, value_name = "N")]
    max_windows: Option<usize>,
    /// Teacher: a network file with the same input and outputs, whose probabilities are learnt beside the labels
    #[arg(long, value_name = "NETWORK")]
    teacher: Option<PathBuf>,
    /// Weight of the labels in the loss, 0 to 1; the teacher has the rest
    #[arg(long, default_value_t = 0.25, requires = "teacher")]
    alpha: f32,
    /// Temperature of both networks' probabilities in the teacher's part of the loss
    #[arg(long, default_value_t = 1.0, requires = "teacher", value_name = "T")]
    temperature: f32,
    /// Keep the state in FILE after each epoch; started again with the same input and options, the training goes on from
    /// there. The state of another training is replaced
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// Where to compute; cuda needs a program built with `--features cuda`
    #[arg(long, value_enum, default_value_t = Processor::Cpu)]
    device: Processor,
    /// Stop when standard input ends, as it does when the program that started this one is killed
    #[arg(long)]
    leashed: bool,
    /// Progress on standard output: lines for people, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Processor {
    Cpu,
    Cuda,
}

/// One line of progress.
#[derive(Serialize)]
struct Line {
    epoch: usize,
    epochs: usize,
    loss: f64,
    f1_valid: f64,
    threshold: f64,
    seconds: f64,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nobody is left to tell when standard error is closed too.
            let _ = writeln!(io::stderr(), "error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: Args) -> Result<(), Error> {
    if args.leashed {
        thread::spawn(|| {
            // An end and an error say the same. Files are written beside and renamed, so this may happen at any moment.
            let _ = io::copy(&mut io::stdin().lock(), &mut io::sink());
            process::exit(2);
        });
    }
    let job = Job {
        dataset: args.dataset,
        output: args.output,
        config: args.config,
        name: args.name,
        max_windows: args.max_windows,
        settings: Settings {
            epochs: args.epochs,
            batch: args.batch,
            lr: args.lr,
            weight_decay: args.weight_decay,
            patience: args.patience,
            seed: args.seed,
        },
        distillation: args.teacher.map(|teacher| Distillation {
            teacher,
            alpha: args.alpha,
            temperature: args.temperature,
        }),
        checkpoint: args.checkpoint,
        device: match args.device {
            Processor::Cpu => DeviceKind::Cpu,
            Processor::Cuda => DeviceKind::Cuda,
        },
    };
    let trained = job.run(|epoch| print(&line(epoch, &job, args.format)?))?;
    if args.format == Format::Text {
        let best = &trained.best;
        let summary = format!(
            "best is epoch {}: validation F1 {:.4} at threshold {:.3}; written to {}",
            best.epoch,
            best.f1,
            best.threshold,
            job.output.display()
        );
        // The network is written: a closed pipe takes nothing from it.
        let _ = print(&summary);
    }
    Ok(())
}

fn line(done: &Epoch, job: &Job, format: Format) -> Result<String, Error> {
    let epochs = job.settings.epochs;
    let &Epoch { epoch, loss, threshold, f1, seconds, .. } = done;
    match format {
        Format::Text => Ok(format!(
            "epoch {epoch:>3}/{epochs}  loss {loss:.5}  F1 {f1:.4}  threshold {threshold:.3}  {seconds:.1} s"
        )),
        Format::Json => {
            let line = Line { epoch, epochs, loss, f1_valid: f1, threshold, seconds };
            serde_json::to_string(&line).map_err(|e| Error::Progress(e.into()))
        }
    }
}

fn print(line: &str) -> Result<(), Error> {
    let mut out = io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).map_err(Error::Progress)
}
