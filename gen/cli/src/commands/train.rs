//! `tablewright train`: from a trace to a table model.

use std::io;
use std::path::{Path, PathBuf};

use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use serde::Serialize;
use serde_json::json;
use tablewright_design::{lower, passes};
use tablewright_model::{Network, TableModel, load_network, save_model};
use tablewright_tabularize::{Evaluator, Options, Report, tabularize};

use crate::config::{self, Config};
use crate::failure::{Failure, Outcome};
use crate::measure::{f1_of_design, f1_of_floats};
use crate::outfile::{self, NewFile};
use crate::parts::{Labels, Parts, data};
use crate::subject;
use crate::trainer::{Job, Trainer};
use crate::ui::{Render, Ui, Unit, count, grid, pairs};
use crate::work::Work;

/// Train a network on a trace, turn it into tables, and measure both
///
/// Windows of the trace are split by time: the first 60 % to learn from, 20 % to make choices on (when to stop, which
/// tables, which threshold), the last 20 % to measure. The same trace, configuration and seed give the same model.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright train app.champsimtrace.xz -o app.safetensors\n  \
    tablewright train app.champsimtrace.xz -o app-s.safetensors --config dart-s --seed 7\n  \
    tablewright train --config dart --print-config > my.toml\n\n\
    The float network is trained by a program of its own, `tablewright-train` (`make trainer` builds it). It is looked for \
    where TABLEWRIGHT_TRAIN says, else beside this program, else on the PATH.")]
pub(crate) struct Args {
    /// Memory trace: instruction records or ML-DPC load lines; raw, .xz or .gz
    #[arg(required_unless_present = "print_config")]
    pub(crate) trace: Option<PathBuf>,
    /// Table model to write (safetensors); its name without the ending becomes the model's
    #[arg(short, long, value_name = "MODEL", required_unless_present = "print_config")]
    pub(crate) output: Option<PathBuf>,
    /// Network, tables and training: dart-s, dart, dart-l, or a TOML file
    #[arg(long, value_name = "NAME|FILE.toml", default_value = "dart")]
    pub(crate) config: String,
    /// Seed of the first weights, of the order of windows and of all drawing
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Passes over the training windows, at most [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..=100_000))]
    pub(crate) epochs: Option<usize>,
    /// Learn from at most N windows, choose on a quarter as many, thinned evenly [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) max_windows: Option<usize>,
    /// Label only deltas inside a page of 2^N bytes; 12 if the trace has physical addresses
    #[arg(long, value_name = "N", value_parser = RangedI64ValueParser::<u32>::new().range(1..=48))]
    pub(crate) page_bits: Option<u32>,
    /// Keep the work directory MODEL.work with the dataset and the float network
    #[arg(long)]
    pub(crate) keep: bool,
    /// Print the configuration as TOML and do nothing else
    #[arg(long)]
    pub(crate) print_config: bool,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let (Some(trace), Some(output), false) = (&args.trace, &args.output, args.print_config) else {
        return print_config(&args.config, ui);
    };
    let call = Call { trace, output, config: Config::load(&args.config)?.overridden(args), args };
    // Everything that can be refused is refused before the long work begins.
    outfile::check_place(output, &[trace])?;
    let trainer = Trainer::find()?;
    let parts = call.parts(ui)?;

    let work = Work::make(output, args.keep)?;
    let network = call.network(&trainer, &work, &parts, ui)?;
    let (mut model, report) = call.tables(&network, &parts, ui)?;
    let scores = scores(&network, &model, &report, &parts, ui)?;
    call.describe(&mut model, &network, &scores, &parts);
    save_model(&model, output)?;
    drop(work);
    ui.print(&Trained::of(&call, &model, &scores, &parts, &report))?;
    Ok(Outcome::Done)
}

fn print_config(name: &str, ui: &Ui) -> Result<Outcome, Failure> {
    let (_, text) = config::text(name)?;
    ui.write(text.trim_end())?;
    Ok(Outcome::Done)
}

impl Config {
    /// With what the command line says instead.
    fn overridden(mut self, args: &Args) -> Self {
        self.training.epochs = args.epochs.unwrap_or(self.training.epochs);
        self.training.max_windows = args.max_windows.or(self.training.max_windows);
        self.tables.seed = args.seed;
        self
    }
}

/// A checked call.
struct Call<'a> {
    trace: &'a Path,
    output: &'a Path,
    config: Config,
    args: &'a Args,
}

impl Call<'_> {
    /// Reads the trace and cuts it.
    fn parts(&self, ui: &Ui) -> Result<Parts, Failure> {
        let trace = subject::trace(self.trace, ui)?;
        if self.args.page_bits.is_none()
            && let Some(warning) = trace.info.warning
        {
            ui.warn(format_args!("{}: {warning} (--page-bits 12)", self.trace.display()));
        }
        let Config { network, input, training, .. } = &self.config;
        let labels = Labels { network, input, page_bits: self.args.page_bits };
        Ok(Parts::of(&trace, &labels, training.max_windows)?)
    }

    /// Trains the float network.
    fn network(&self, trainer: &Trainer, work: &Work, parts: &Parts, ui: &Ui) -> Result<Network, Failure> {
        let (dataset, split) = parts.for_trainer().map_err(|error| Failure::Write {
            path: work.dataset.clone(),
            reason: io::Error::other(error),
        })?;
        dataset.save(&work.dataset, &split)?;
        drop(dataset);
        let Config { network, input, training, .. } = &self.config;
        let mut file = NewFile::begin(&work.config)?;
        file.write(|out| write!(out, "{}", json!({ "network": network, "input": input })))?;
        file.finish()?;

        let bar = ui.bar("training", Unit::Items, training.epochs as u64);
        let job = Job {
            dataset: &work.dataset,
            config: &work.config,
            output: &work.network,
            name: &model_name(self.output),
            training,
            seed: self.args.seed,
        };
        trainer.train(&job, |epoch| {
            bar.at_of(epoch.number, epoch.epochs);
            bar.say(format!("training  loss {:.4}  F1 {:.4}", epoch.loss, epoch.f1_valid));
            let (n, of, loss, f1) = (epoch.number, epoch.epochs, epoch.loss, epoch.f1_valid);
            ui.detail(format_args!("epoch {n}/{of}: loss {loss:.5}, validation F1 {f1:.4}"));
        })?;
        Ok(load_network(&work.network)?)
    }

    /// Turns the network into tables.
    fn tables(&self, network: &Network, parts: &Parts, ui: &Ui) -> Result<(TableModel, Report), Failure> {
        let bar = ui.bar("tables", Unit::Items, 1);
        let options: &Options = &self.config.tables;
        let mut progress = |step: tablewright_tabularize::Progress| {
            bar.at_of(step.done as u64, step.of as u64);
            ui.detail(format_args!("tables: {}", step.step));
            bar.say(format!("tables  {}", step.step));
        };
        Ok(tabularize(network, data(&parts.train), data(&parts.valid), options, &mut progress)?)
    }

    /// Writes into the model where it comes from; nothing that differs from run to run or from machine to machine.
    fn describe(&self, model: &mut TableModel, network: &Network, scores: &Scores, parts: &Parts) {
        let Config { name, .. } = &self.config;
        let mut notes = network.provenance.clone();
        // The work directory is gone.
        notes.remove("dataset");
        // What the trainer says of its network is not so of the model.
        for key in ["made_by", "threshold", "f1_valid"] {
            if let Some(value) = notes.remove(key) {
                notes.insert(format!("network_{key}"), value);
            }
        }
        let f1 = |f1: f64| format!("{f1:.6}");
        let more = [
            ("made_by", concat!("tablewright ", env!("CARGO_PKG_VERSION")).to_owned()),
            ("trace", base_name(self.trace)),
            ("config", name.clone()),
            ("seed", self.args.seed.to_string()),
            ("command", self.command_line()),
            ("windows_train", parts.train.len().to_string()),
            ("windows_valid", parts.valid.len().to_string()),
            ("windows_test", parts.test.len().to_string()),
            ("f1_network", f1(scores.network)),
            ("f1_float_tables", f1(scores.float_tables)),
            ("f1_integer_tables", f1(scores.integer_tables)),
        ];
        notes.extend(more.map(|(key, value)| (key.to_owned(), value)));
        model.provenance = notes;
    }

    /// The call with names of files only.
    fn command_line(&self) -> String {
        let Args { seed, epochs, max_windows, page_bits, .. } = self.args;
        let mut line = format!(
            "tablewright train {} -o {} --config {} --seed {seed}",
            base_name(self.trace),
            base_name(self.output),
            self.config.name,
        );
        let more = [
            ("epochs", epochs.map(|n| n.to_string())),
            ("max-windows", max_windows.map(|n| n.to_string())),
            ("page-bits", page_bits.map(|n| n.to_string())),
        ];
        for (option, value) in more {
            line.extend(value.map(|value| format!(" --{option} {value}")));
        }
        line
    }
}

fn base_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The name of a model, from its file's: what a name may not hold becomes `-`.
fn model_name(output: &Path) -> String {
    let stem = output.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
    let stem = stem.strip_suffix(".safetensors").unwrap_or(&stem);
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let name: String = stem.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let name = if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { format!("m{name}") };
    name.chars().take(64).collect()
}

/// Micro-F1 on the test part, each at the threshold chosen for it on the validation part.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
struct Scores {
    #[serde(rename = "f1_network")]
    network: f64,
    #[serde(rename = "f1_float_tables")]
    float_tables: f64,
    #[serde(rename = "f1_integer_tables")]
    integer_tables: f64,
}

fn scores(
    network: &Network,
    model: &TableModel,
    report: &Report,
    parts: &Parts,
    ui: &Ui,
) -> Result<Scores, Failure> {
    let each = parts.test.len();
    let bar = ui.bar("measuring", Unit::Items, 3 * each as u64);
    let at = |stage: usize| {
        let bar = &bar;
        move |done: usize| bar.at((stage * each + done) as u64)
    };
    let exact = Evaluator::of_network(network)?;
    let tables = Evaluator::of_model(model)?;
    let design = passes::optimise(&lower(model));
    Ok(Scores {
        network: f1_of_floats(&exact, &parts.test, report.network_threshold, at(0)),
        float_tables: f1_of_floats(&tables, &parts.test, model.threshold, at(1)),
        integer_tables: f1_of_design(&design, &parts.test, at(2)),
    })
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Trained<'a> {
    #[serde(flatten)]
    scores: Scores,
    /// The first two on the validation part, where the thresholds were chosen.
    f1_valid_network: f64,
    f1_valid_float_tables: f64,
    model: String,
    name: &'a str,
    trace: String,
    config: &'a str,
    seed: u64,
    threshold: f64,
    windows_train: usize,
    windows_valid: usize,
    windows_test: usize,
    table_bits: usize,
    tabularize: &'a Report,
}

impl<'a> Trained<'a> {
    fn of(
        call: &'a Call<'_>,
        model: &'a TableModel,
        scores: &Scores,
        parts: &Parts,
        report: &'a Report,
    ) -> Self {
        Self {
            scores: *scores,
            f1_valid_network: report.f1_network,
            f1_valid_float_tables: report.f1_float_tables,
            model: call.output.display().to_string(),
            name: &model.name,
            trace: call.trace.display().to_string(),
            config: &call.config.name,
            seed: call.args.seed,
            threshold: model.threshold,
            windows_train: parts.train.len(),
            windows_valid: parts.valid.len(),
            windows_test: parts.test.len(),
            table_bits: model.table_bits(),
            tabularize: report,
        }
    }
}

impl Render for Trained<'_> {
    fn text(&self) -> String {
        let head = pairs([
            ("model", self.model.clone()),
            ("trace", self.trace.clone()),
            ("configuration", format!("{}, seed {}", self.config, self.seed)),
            (
                "windows",
                format!(
                    "{} to learn from, {} to choose on, {} to measure",
                    count(self.windows_train),
                    count(self.windows_valid),
                    count(self.windows_test)
                ),
            ),
            ("threshold", format!("{:.4}", self.threshold)),
        ]);
        let Scores { network, float_tables, integer_tables } = self.scores;
        let row = |name: &str, valid: Option<f64>, test: f64| {
            vec![
                name.to_owned(),
                valid.map_or_else(String::new, |f1| format!("{f1:.4}")),
                format!("{test:.4}"),
            ]
        };
        let table = grid(
            &["F1", "validation", "test"],
            &[1, 2],
            [
                row("network", Some(self.f1_valid_network), network),
                row("float tables", Some(self.f1_valid_float_tables), float_tables),
                row("integer tables", None, integer_tables),
            ],
        );
        format!("{head}\n\n{table}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn model_names_are_allowed_names() {
        let name = |path: &str| model_name(Path::new(path));
        assert_eq!(name("zoo/shor-dart.safetensors"), "shor-dart");
        assert_eq!(name("My Model.v2"), "my-model-v2");
        assert_eq!(name("605.mcf_s.safetensors"), "m605-mcf_s");
        assert_eq!(name(&"long".repeat(40)).len(), 64);
    }
}
