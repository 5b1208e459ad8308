//! What trainings and tables are told: TOML files, or presets, which are such files.
//!
//! A [`Config`] describes a student: network, input, tables, training, distillation. A [`TeacherConfig`] describes a
//! teacher and has no tables. [`TablesConfig`] is what `tabularize` takes of a student's.

mod check;
mod text;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use tablewright_model::{EncoderKind, InputConfig, KernelSpec, NetworkConfig, Purpose};
use tablewright_tabularize::Options;

use crate::failure::Failure;

/// Presets of students by name, with their text.
const STUDENTS: [(&str, &str); 5] = [
    ("dart-s", include_str!("../presets/dart-s.toml")),
    ("dart", include_str!("../presets/dart.toml")),
    ("dart-l", include_str!("../presets/dart-l.toml")),
    ("stream-s", include_str!("../presets/stream-s.toml")),
    ("stream", include_str!("../presets/stream.toml")),
];

/// Presets of teachers by name, with their text.
const TEACHERS: [(&str, &str); 2] =
    [("cpu", include_str!("../presets/cpu.toml")), ("paper", include_str!("../presets/paper.toml"))];

/// What stands in the place of a teacher when there is none.
pub(crate) const NO_TEACHER: &str = "none";

/// Which presets a name may mean, and how a whole file can be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The network that becomes tables.
    Student,
    /// The network that the student learns from.
    Teacher,
}

impl Role {
    fn presets(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Student => &STUDENTS,
            Self::Teacher => &TEACHERS,
        }
    }

    /// The text of a preset.
    fn preset(self, name: &str) -> Option<&'static str> {
        self.presets().iter().find(|(preset, _)| *preset == name).map(|(_, text)| *text)
    }

    /// Names of all presets.
    pub(crate) fn names(self) -> String {
        self.presets().iter().map(|(preset, _)| *preset).collect::<Vec<_>>().join(", ")
    }

    /// The call that prints a whole configuration.
    fn example(self) -> &'static str {
        match self {
            Self::Student => "tablewright train --config dart --print-config",
            Self::Teacher => "tablewright teacher --config cpu --print-config",
        }
    }
}

/// A checked configuration of a student and its tables.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Config {
    /// A preset, or the name of the file without its directory.
    pub(crate) name: String,
    pub(crate) network: NetworkConfig,
    pub(crate) input: InputConfig,
    /// The seed is not part of a configuration; it is 0 here.
    pub(crate) tables: Options,
    pub(crate) training: Training,
    /// Without it there is no teacher.
    pub(crate) distillation: Option<Distillation>,
}

/// A checked configuration of a teacher.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TeacherConfig {
    /// A preset, or the name of the file without its directory.
    pub(crate) name: String,
    pub(crate) network: NetworkConfig,
    pub(crate) input: InputConfig,
    pub(crate) training: Training,
}

/// What tables are made of a network that is there already.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct TablesConfig {
    /// A preset, or the name of the file without its directory.
    pub(crate) name: String,
    /// The seed is not part of a configuration; it is 0 here.
    pub(crate) tables: Options,
    /// As in [`Training::max_windows`].
    pub(crate) max_windows: Option<usize>,
}

/// How a float network is trained; defaults are the trainer's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Training {
    pub(crate) epochs: usize,
    pub(crate) batch: usize,
    pub(crate) lr: f64,
    pub(crate) weight_decay: f64,
    pub(crate) patience: usize,
    /// Windows to learn from, at most; a quarter as many to choose on.
    pub(crate) max_windows: Option<usize>,
}

impl Default for Training {
    fn default() -> Self {
        Self { epochs: 20, batch: 256, lr: 0.003, weight_decay: 0.01, patience: 6, max_windows: None }
    }
}

/// What a student learns from its teacher.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Distillation {
    /// As `--teacher`: `none`, a preset, a network or a TOML file.
    pub(crate) teacher: String,
    /// Share of the labels in the loss; the rest is the teacher's.
    #[serde(default = "Distillation::alpha")]
    pub(crate) alpha: f64,
    /// By which the logits of both are divided in the teacher's part of the loss.
    #[serde(default = "Distillation::temperature")]
    pub(crate) temperature: f64,
}

impl Distillation {
    fn alpha() -> f64 {
        0.25
    }

    fn temperature() -> f64 {
        1.0
    }

    /// By a teacher, with the usual weights.
    pub(crate) fn by(teacher: &str) -> Self {
        Self { teacher: teacher.to_owned(), alpha: Self::alpha(), temperature: Self::temperature() }
    }
}

/// The file of a student.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    network: NetworkConfig,
    #[serde(default)]
    input: InputConfig,
    tables: Tables,
    #[serde(default)]
    training: Training,
    distillation: Option<Distillation>,
}

/// The file of a teacher.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TeacherFile {
    network: NetworkConfig,
    #[serde(default)]
    input: InputConfig,
    #[serde(default)]
    training: Training,
}

/// The file of a student, or its tables alone: the other sections are somebody else's here.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TablesFile {
    tables: Tables,
    #[serde(default)]
    training: Training,
    #[serde(rename = "network")]
    _network: Option<IgnoredAny>,
    #[serde(rename = "input")]
    _input: Option<IgnoredAny>,
    #[serde(rename = "distillation")]
    _distillation: Option<IgnoredAny>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Tables {
    encoder: EncoderKind,
    prototypes: usize,
    subspaces: usize,
    bits: u32,
    activation_bits: Option<u32>,
    samples: Option<usize>,
    encoder_samples: Option<usize>,
    valid_samples: Option<usize>,
    fine_tune: Option<bool>,
    #[serde(default)]
    kernels: BTreeMap<String, Kernel>,
}

/// One kernel's own choices.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Kernel {
    encoder: Option<EncoderKind>,
    prototypes: Option<usize>,
    subspaces: Option<usize>,
    bits: Option<u32>,
}

impl Tables {
    fn options(&self) -> Options {
        let usual = Options::default();
        let spec = KernelSpec {
            encoder: self.encoder,
            prototypes: self.prototypes,
            subspaces: self.subspaces,
            bits: self.bits,
        };
        let own = |kernel: &Kernel| KernelSpec {
            encoder: kernel.encoder.unwrap_or(spec.encoder),
            prototypes: kernel.prototypes.unwrap_or(spec.prototypes),
            subspaces: kernel.subspaces.unwrap_or(spec.subspaces),
            bits: kernel.bits.unwrap_or(spec.bits),
        };
        Options {
            spec,
            kernels: self.kernels.iter().map(|(name, kernel)| (name.clone(), own(kernel))).collect(),
            samples: self.samples.unwrap_or(usual.samples),
            encoder_samples: self.encoder_samples.unwrap_or(usual.encoder_samples),
            valid_samples: self.valid_samples.unwrap_or(usual.valid_samples),
            activation_bits: self.activation_bits.unwrap_or(usual.activation_bits),
            fine_tune: self.fine_tune.unwrap_or(usual.fine_tune),
            ..usual
        }
    }
}

/// A preset or a file, read: what errors call it, and its text.
struct Source {
    role: Role,
    /// A preset, or the name of the file without its directory.
    name: String,
    origin: String,
    text: String,
}

/// The text of a preset or file; `option` names it in errors.
pub(crate) fn text(option: &'static str, name: &str, role: Role) -> Result<String, Failure> {
    Source::load(option, name, role).map(|source| source.text)
}

impl Source {
    fn load(option: &'static str, name: &str, role: Role) -> Result<Self, Failure> {
        if let Some(text) = role.preset(name) {
            return Ok(Self {
                role,
                name: name.into(),
                origin: format!("preset {name}"),
                text: text.to_owned(),
            });
        }
        let path = Path::new(name);
        if !path.exists() {
            let (presets, example) = (role.names(), role.example());
            return Err(Failure::UnknownConfig { option, name: name.into(), presets, example });
        }
        let text = fs::read_to_string(path).map_err(|reason| Failure::Read { path: path.into(), reason })?;
        let short = path.file_name().map_or_else(|| name.into(), |n| n.to_string_lossy().into_owned());
        Ok(Self { role, name: short, origin: name.to_owned(), text })
    }

    fn read<T: DeserializeOwned>(&self) -> Result<T, Failure> {
        let remedy = format!("`{}` shows a whole configuration", self.role.example());
        text::read(&self.text, &remedy).map_err(|(line, problem)| self.failure(line, problem))
    }

    /// Nothing, or the failure of a field outside its limits.
    fn refuse(&self, violation: Option<check::Violation>) -> Result<(), Failure> {
        let Some((field, problem)) = violation else {
            return Ok(());
        };
        let path: Vec<&str> = field.iter().map(String::as_str).collect();
        Err(self.failure(text::line_of(&self.text, &path), problem))
    }

    fn failure(&self, line: Option<usize>, problem: String) -> Failure {
        Failure::Config { config: self.origin.clone(), line, problem }
    }
}

impl Config {
    /// A preset by name, or a TOML file by path.
    pub(crate) fn load(name: &str) -> Result<Self, Failure> {
        let mut config = Self::of(Source::load("--config", name, Role::Student)?)?;
        if let Some(Distillation { teacher, .. }) = &mut config.distillation
            && teacher != NO_TEACHER
            && Role::Teacher.preset(teacher).is_none()
        {
            // A file that the configuration names is found from there, wherever the program is called.
            *teacher = Path::new(name).with_file_name(&*teacher).display().to_string();
        }
        Ok(config)
    }

    fn of(source: Source) -> Result<Self, Failure> {
        let file: File = source.read()?;
        let tables = file.tables.options();
        source.refuse(
            check::network(&file.network, &file.input, Purpose::Tables)
                .or_else(|| check::tables(&tables, &file.network))
                .or_else(|| check::training(&file.training))
                .or_else(|| file.distillation.as_ref().and_then(check::distillation)),
        )?;
        let File { network, input, training, distillation, .. } = file;
        Ok(Self { name: source.name, network, input, tables, training, distillation })
    }
}

impl TeacherConfig {
    /// A preset by name, or a TOML file by path; `option` is where the name was given.
    pub(crate) fn load(option: &'static str, name: &str) -> Result<Self, Failure> {
        Self::of(Source::load(option, name, Role::Teacher)?)
    }

    /// A preset for the windows of a student: the same accesses, the same labels. `None` if it is no preset.
    pub(crate) fn preset_for(name: &str, student: &Config) -> Option<Result<Self, Failure>> {
        Role::Teacher.preset(name)?;
        let adopt = |teacher: Self| Self {
            network: NetworkConfig {
                history: student.network.history,
                segments: student.network.segments,
                outputs: student.network.outputs,
                ..teacher.network
            },
            input: student.input.clone(),
            ..teacher
        };
        Some(Self::load("--teacher", name).map(adopt))
    }

    fn of(source: Source) -> Result<Self, Failure> {
        let TeacherFile { network, input, training } = source.read()?;
        source.refuse(
            check::network(&network, &input, Purpose::Network).or_else(|| check::training(&training)),
        )?;
        Ok(Self { name: source.name, network, input, training })
    }
}

impl TablesConfig {
    /// The tables of a preset or a TOML file, for a network.
    pub(crate) fn load(name: &str, network: &NetworkConfig) -> Result<Self, Failure> {
        let source = Source::load("--config", name, Role::Student)?;
        let TablesFile { tables, training, .. } = source.read()?;
        let tables = tables.options();
        source.refuse(check::tables(&tables, network).or_else(|| check::training(&training)))?;
        Ok(Self { name: source.name, tables, max_windows: training.max_windows })
    }
}

#[cfg(test)]
mod tests;
