//! From whom a student learns: what `--teacher` names, and how much its word counts.

use std::path::{Path, PathBuf};

use tablewright_model::{InputConfig, Network, NetworkConfig, load_network};

use crate::config::{self, Config, Distillation, Role, TeacherConfig};
use crate::failure::Failure;
use crate::subject::Subject;
use crate::training::TrainingArgs;

/// Options of every training of a student.
#[derive(Debug, clap::Args)]
pub(crate) struct TeachingArgs {
    /// From whom the student learns beside the labels: none, cpu or paper (trained first), a network file, or a
    /// teacher's TOML file (trained first) [default: the configuration's]
    #[arg(long, value_name = "NAME|NETWORK|FILE.toml")]
    pub(crate) teacher: Option<String>,
    /// Share of the labels in the student's loss, 0 to 1; the rest is the teacher's [default: the configuration's]
    #[arg(long, value_name = "A", value_parser = share)]
    pub(crate) alpha: Option<f64>,
    /// Temperature of the teacher's part, 0.1 to 100: the higher, the softer [default: the configuration's]
    #[arg(long, value_name = "T", value_parser = temperature)]
    pub(crate) temperature: Option<f64>,
}

fn share(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|a| (0.0..=1.0).contains(a));
    number.ok_or_else(|| "a number from 0 to 1 is wanted".into())
}

fn temperature(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|t| (0.1..=100.0).contains(t));
    number.ok_or_else(|| "a number from 0.1 to 100 is wanted".into())
}

/// A teacher, and how much its word counts.
#[derive(Debug)]
pub(crate) struct Teaching {
    pub(crate) teacher: Teacher,
    pub(crate) alpha: f64,
    pub(crate) temperature: f64,
}

impl TeachingArgs {
    /// What a student is taught: what the command line says goes before the configuration.
    pub(crate) fn of(&self, student: &Config, args: &TrainingArgs) -> Result<Option<Teaching>, Failure> {
        let told = match (&self.teacher, &student.distillation) {
            (Some(teacher), Some(told)) => Distillation { teacher: teacher.clone(), ..told.clone() },
            (Some(teacher), None) => Distillation::by(teacher),
            (None, Some(told)) => told.clone(),
            (None, None) => Distillation::by(config::NO_TEACHER),
        };
        let Some(teacher) = Teacher::named(&told.teacher, student, args)? else {
            let useless = [("alpha", self.alpha), ("temperature", self.temperature)];
            return match useless.into_iter().find(|(_, value)| value.is_some()) {
                Some((option, _)) => Err(Failure::NoTeacher { option }),
                None => Ok(None),
            };
        };
        let alpha = self.alpha.unwrap_or(told.alpha);
        let temperature = self.temperature.unwrap_or(told.temperature);
        Ok(Some(Teaching { teacher, alpha, temperature }))
    }
}

/// A teacher, there or to be trained.
#[derive(Debug)]
pub(crate) enum Teacher {
    /// A network file.
    Given { path: PathBuf, network: Box<Network> },
    /// To be trained.
    Trained(TeacherConfig),
}

impl Teacher {
    /// What a name means for a student: `none`, a preset, a network, or a TOML file. What all trainings of a call are told
    /// goes before a configuration.
    pub(crate) fn named(name: &str, student: &Config, args: &TrainingArgs) -> Result<Option<Self>, Failure> {
        const WANTED: &str = "none, cpu, paper, a float network (safetensors) or a teacher's TOML file";
        if name == config::NO_TEACHER {
            return Ok(None);
        }
        let path = Path::new(name);
        let teacher = match TeacherConfig::preset_for(name, student) {
            Some(preset) => Self::Trained(preset?.overridden(args, None)?),
            None if !path.exists() => {
                return Err(Failure::UnknownTeacher { name: name.into(), presets: Role::Teacher.names() });
            }
            None if path.extension().is_some_and(|ending| ending == "toml") => {
                Self::Trained(TeacherConfig::load("--teacher", name)?.overridden(args, None)?)
            }
            None => match Subject::of(path, WANTED)? {
                Subject::Network => Self::Given { path: path.into(), network: Box::new(load_network(path)?) },
                other => return Err(other.instead(path, WANTED)),
            },
        };
        teacher.suits(name, student)?;
        Ok(Some(teacher))
    }

    /// The file that it is read from, if it is.
    pub(crate) fn file(&self) -> Option<&Path> {
        match self {
            Self::Given { path, .. } => Some(path),
            Self::Trained(_) => None,
        }
    }

    /// In words, for people: a preset, or the name of a file.
    pub(crate) fn label(&self) -> String {
        match self {
            Self::Given { path, .. } => path.file_name().unwrap_or_default().to_string_lossy().into_owned(),
            Self::Trained(config) => config.name.clone(),
        }
    }

    /// Refuses a teacher that sees other windows than the student, or learned other labels.
    fn suits(&self, name: &str, student: &Config) -> Result<(), Failure> {
        let (network, input) = match self {
            Self::Given { network, .. } => (&network.config, &network.input),
            Self::Trained(config) => (&config.network, &config.input),
        };
        let own = facts(&student.network, &student.input);
        for ((field, found), (_, wanted)) in facts(network, input).into_iter().zip(own) {
            if found != wanted {
                return Err(Failure::TeacherMismatch { teacher: name.into(), field, found, wanted });
            }
        }
        Ok(())
    }
}

/// What makes windows and labels.
fn facts(network: &NetworkConfig, input: &InputConfig) -> [(&'static str, String); 8] {
    [
        ("network.history", network.history.to_string()),
        ("network.segments", network.segments.to_string()),
        ("network.outputs", network.outputs.to_string()),
        ("input.block_bits", input.block_bits.to_string()),
        ("input.segment_bits", input.segment_bits.to_string()),
        ("input.pc_segments", input.pc_segments.to_string()),
        ("input.lookahead", input.lookahead.to_string()),
        ("input.page_bits", input.page_bits.map_or_else(|| "none".into(), |bits| bits.to_string())),
    ]
}
