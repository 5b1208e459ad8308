//! What the commands have in common that train: their options, their windows, what a network's file says.

use std::collections::BTreeMap;
use std::path::Path;

use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use tablewright_model::{InputConfig, NetworkConfig};
use tablewright_tabularize::Options;
use tablewright_trace::Trace;

use crate::config::{Config, TeacherConfig, Training};
use crate::failure::Failure;
use crate::parts::{Labels, Parts};
use crate::subject;
use crate::summary::base_name;
use crate::teacher::TeachingArgs;
use crate::trainer::Device;
use crate::ui::Ui;

/// Options of every training.
#[derive(Debug, clap::Args)]
pub(crate) struct TrainingArgs {
    /// Seed of the first weights, of the order of windows and of all drawing
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub(crate) seed: u64,
    /// Learn from at most N windows, choose on a quarter as many, thinned evenly [default: the configuration's]
    #[arg(long, value_name = "N", value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) max_windows: Option<usize>,
    /// Label, and later issue, only inside a page of 2^N bytes; 12 if the trace has physical addresses
    #[arg(long, value_name = "N", value_parser = RangedI64ValueParser::<u32>::new().range(1..=48))]
    pub(crate) page_bits: Option<u32>,
    /// Where the float networks are trained; cuda needs a trainer built for it
    #[arg(long, value_enum, default_value_t = Device::Cpu)]
    pub(crate) device: Device,
    /// Ignore the stages that an earlier call left
    #[arg(long)]
    pub(crate) fresh: bool,
}

/// Labels of an input inside the pages that the command line asks for, if it does.
pub(crate) fn override_page_bits(input: &mut InputConfig, asked: Option<u32>) -> Result<(), Failure> {
    if let Some(bits) = asked {
        // A page must hold more than one block.
        let block_bits = input.block_bits;
        if bits <= block_bits {
            return Err(Failure::PageBits { bits, block_bits });
        }
        input.page_bits = Some(bits);
    }
    Ok(())
}

/// Says so if a trace has physical addresses and labels go beyond a page.
pub(crate) fn warn_of_pages(path: &Path, trace: &Trace, input: &InputConfig, ui: &Ui) {
    if input.page_bits.is_none()
        && let Some(warning) = trace.info.warning
    {
        ui.warn(format_args!("{}: {warning} (--page-bits 12)", path.display()));
    }
}

/// A width that table entries may have.
pub(crate) fn parse_bits(text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|bits| [4, 6, 8, 12, 16, 32].contains(bits));
    number.ok_or_else(|| "4, 6, 8, 12, 16 or 32 is wanted".into())
}

/// Entries of the width that the command line asks for, in every kernel, if it does.
pub(crate) fn override_bits(tables: &mut Options, asked: Option<u32>) {
    if let Some(bits) = asked {
        tables.spec.bits = bits;
        tables.kernels.values_mut().for_each(|kernel| kernel.bits = bits);
    }
}

/// A trace, and the network whose windows are cut from it.
#[derive(Debug)]
pub(crate) struct Windows<'a> {
    pub(crate) trace: Trace,
    network: &'a NetworkConfig,
    input: &'a InputConfig,
}

impl<'a> Windows<'a> {
    /// Reads a trace.
    pub(crate) fn read(
        path: &Path,
        network: &'a NetworkConfig,
        input: &'a InputConfig,
        ui: &Ui,
    ) -> Result<Self, Failure> {
        let trace = subject::trace(path, ui)?;
        warn_of_pages(path, &trace, input, ui);
        Ok(Self { trace, network, input })
    }

    /// The three parts, at most `max` windows to learn from and a quarter as many to choose on.
    pub(crate) fn parts(&self, max: Option<usize>) -> Result<Parts, Failure> {
        let labels = Labels { network: self.network, input: self.input };
        Ok(Parts::of(&self.trace, &labels, max)?)
    }
}

/// A call as it is kept in a file: names of files without their directories.
pub(crate) struct CommandLine(String);

impl CommandLine {
    /// `tablewright VERB INPUT -o OUTPUT`.
    pub(crate) fn new(verb: &str, input: &Path, output: &Path) -> Self {
        Self(format!("tablewright {verb} {} -o {}", base_name(input), base_name(output)))
    }

    /// ` --NAME VALUE`, if there is a value.
    #[must_use]
    pub(crate) fn option(mut self, name: &str, value: Option<impl ToString>) -> Self {
        self.0.extend(value.map(|value| format!(" --{name} {}", value.to_string())));
        self
    }

    /// Of a student.
    #[must_use]
    pub(crate) fn teaching(self, args: &TeachingArgs) -> Self {
        let teacher = args.teacher.as_deref().map(|teacher| base_name(Path::new(teacher)));
        self.option("teacher", teacher).option("alpha", args.alpha).option("temperature", args.temperature)
    }

    /// What every training takes.
    #[must_use]
    pub(crate) fn training(self, args: &TrainingArgs) -> Self {
        self.option("seed", Some(args.seed))
            .option("max-windows", args.max_windows)
            .option("page-bits", args.page_bits)
            .option("device", (args.device != Device::Cpu).then(|| args.device.word()))
    }

    pub(crate) fn finish(self) -> String {
        self.0
    }
}

impl Config {
    /// With what the command line says instead.
    pub(crate) fn overridden(mut self, args: &TrainingArgs, epochs: Option<usize>) -> Result<Self, Failure> {
        override_page_bits(&mut self.input, args.page_bits)?;
        self.training.override_by(args, epochs);
        self.tables.seed = args.seed;
        Ok(self)
    }
}

impl TeacherConfig {
    /// With what the command line says instead.
    pub(crate) fn overridden(mut self, args: &TrainingArgs, epochs: Option<usize>) -> Result<Self, Failure> {
        override_page_bits(&mut self.input, args.page_bits)?;
        self.training.override_by(args, epochs);
        Ok(self)
    }
}

impl Training {
    fn override_by(&mut self, args: &TrainingArgs, epochs: Option<usize>) {
        self.epochs = epochs.unwrap_or(self.epochs);
        self.max_windows = args.max_windows.or(self.max_windows);
    }
}

/// In a model's notes: the SHA-256 of the file of the network that its tables were made of.
pub(crate) const NETWORK_DIGEST: &str = "network_sha256";

/// What a trainer said of its network, as notes of something that is made from it.
pub(crate) fn notes_of_network(provenance: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut notes = provenance.clone();
    // Its dataset is gone.
    notes.remove("dataset");
    // Not so of what is made from it.
    for key in ["made_by", "command", "threshold", "f1_valid"] {
        if let Some(value) = notes.remove(key) {
            notes.insert(format!("network_{key}"), value);
        }
    }
    notes
}

/// The name of a result, from its file's: what a name may not hold becomes `-`.
pub(crate) fn name_of(output: &Path) -> String {
    let stem = base_name(output).to_lowercase();
    let stem = stem.strip_suffix(".safetensors").unwrap_or(&stem);
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let name: String = stem.chars().map(|c| if allowed(c) { c } else { '-' }).collect();
    let name = if name.starts_with(|c: char| c.is_ascii_lowercase()) { name } else { format!("m{name}") };
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_allowed_names() {
        let name = |path: &str| name_of(Path::new(path));
        assert_eq!(name("zoo/shor-dart.safetensors"), "shor-dart");
        assert_eq!(name("My Model.v2"), "my-model-v2");
        assert_eq!(name("605.mcf_s.safetensors"), "m605-mcf_s");
        assert_eq!(name(&"long".repeat(40)).len(), 64);
    }
}
