//! The trainer, a program of its own: it is found, started and listened to.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

use crate::config::Training;
use crate::digest;
use crate::failure::Failure;

/// Name of the program.
const PROGRAM: &str = "tablewright-train";

/// Environment variable that names the program.
const VARIABLE: &str = "TABLEWRIGHT_TRAIN";

/// The program, found.
#[derive(Debug)]
pub(crate) struct Trainer {
    path: PathBuf,
}

/// What is trained, on what, and where it goes.
#[derive(Debug)]
pub(crate) struct Job<'a> {
    pub(crate) dataset: &'a Path,
    pub(crate) config: &'a Path,
    pub(crate) output: &'a Path,
    /// Of the network.
    pub(crate) name: &'a str,
    pub(crate) training: &'a Training,
    pub(crate) seed: u64,
    pub(crate) device: Device,
    pub(crate) lesson: Option<Lesson<'a>>,
    /// Where the trainer keeps its state after each epoch, and takes it up again.
    pub(crate) checkpoint: Option<&'a Path>,
}

/// From whom a network learns beside the labels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lesson<'a> {
    /// A network file.
    pub(crate) teacher: &'a Path,
    /// Share of the labels in the loss.
    pub(crate) alpha: f64,
    pub(crate) temperature: f64,
}

/// Where a training computes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Device {
    /// On the processor's cores.
    #[default]
    Cpu,
    /// On an NVIDIA card; the trainer must be built for it.
    Cuda,
}

impl Device {
    /// As it is written.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}

/// A line of the trainer after each epoch; it has more fields.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(crate) struct Epoch {
    #[serde(rename = "epoch")]
    pub(crate) number: u64,
    pub(crate) epochs: u64,
    pub(crate) loss: f64,
    pub(crate) f1_valid: f64,
}

impl Trainer {
    /// Where `TABLEWRIGHT_TRAIN` says, else beside this program, else on the `PATH`.
    pub(crate) fn find() -> Result<Self, Failure> {
        if let Some(path) = env::var_os(VARIABLE).map(PathBuf::from) {
            let looked = || format!("{VARIABLE} says `{}`, where there is no file", path.display());
            return if path.is_file() {
                Ok(Self { path })
            } else {
                Err(Failure::TrainerMissing { looked: looked() })
            };
        }
        let file = format!("{PROGRAM}{}", env::consts::EXE_SUFFIX);
        let beside = env::current_exe().ok().and_then(|exe| Some(exe.parent()?.to_owned()));
        let search = env::var_os("PATH").unwrap_or_default();
        let mut places = beside.into_iter().chain(env::split_paths(&search)).map(|folder| folder.join(&file));
        places.find(|path| path.is_file()).map(|path| Self { path }).ok_or_else(|| Failure::TrainerMissing {
            looked: format!("no `{PROGRAM}` beside this program or on the PATH, and {VARIABLE} is not set"),
        })
    }

    /// Of the program itself: another one may make another network.
    pub(crate) fn digest(&self) -> Result<String, Failure> {
        digest::of_file(&self.path)
    }

    /// Trains; `report` is called after each epoch.
    pub(crate) fn train(&self, job: &Job<'_>, mut report: impl FnMut(Epoch)) -> Result<(), Failure> {
        let Training { epochs, batch, lr, weight_decay, patience, max_windows: _ } = job.training;
        let start = |reason| Failure::TrainerStart { path: self.path.clone(), reason };
        let mut command = Command::new(&self.path);
        command
            .arg(job.dataset)
            .arg("--output")
            .arg(job.output)
            .arg("--config")
            .arg(job.config)
            .args(["--name", job.name, "--format", "json", "--leashed"])
            .args(["--epochs", &epochs.to_string(), "--batch", &batch.to_string(), "--lr", &lr.to_string()])
            .args(["--weight-decay", &weight_decay.to_string(), "--patience", &patience.to_string()])
            .args(["--seed", &job.seed.to_string(), "--device", job.device.word()]);
        if let Some(checkpoint) = job.checkpoint {
            command.arg("--checkpoint").arg(checkpoint);
        }
        if let Some(Lesson { teacher, alpha, temperature }) = job.lesson {
            command.arg("--teacher").arg(teacher);
            command.args(["--alpha", &alpha.to_string(), "--temperature", &temperature.to_string()]);
        }
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(start)?;
        // Open as long as this program lives: a trainer that trains on alone would be in the next one's way.
        let leash = child.stdin.take();
        // Read beside, so that a trainer with much to complain about does not wait for this program.
        let complaint = child.stderr.take().map(|mut stderr| {
            thread::spawn(move || {
                let mut bytes = Vec::new();
                // What was read before an error is all there is to show.
                let _ = stderr.read_to_end(&mut bytes);
                String::from_utf8_lossy(&bytes).trim().to_owned()
            })
        });
        let mut strange = None;
        if let Some(stdout) = child.stdout.take() {
            for line in BufReader::new(stdout).split(b'\n').map_while(Result::ok) {
                match serde_json::from_slice(&line) {
                    Ok(epoch) => report(epoch),
                    // To its end all the same: the exit status says more than a strange line.
                    Err(_) if strange.is_none() => {
                        strange = Some(String::from_utf8_lossy(&line).into_owned());
                    }
                    Err(_) => {}
                }
            }
        }
        let status = child.wait().map_err(start)?;
        drop(leash);
        let complaint = complaint.and_then(|thread| thread.join().ok()).unwrap_or_default();
        if !status.success() {
            let reason = match complaint.strip_prefix("error: ").unwrap_or(&complaint) {
                "" if job.checkpoint.is_some_and(Path::exists) => format!(
                    "{status}; the same command goes on after the last finished epoch, and if the machine ran out of \
                     memory, give a smaller --max-windows"
                ),
                "" => format!("{status}; if the machine ran out of memory, give a smaller --max-windows"),
                said => said.to_owned(),
            };
            return Err(Failure::TrainerStopped { reason });
        }
        if !job.output.is_file() {
            let reason = "it ended well but left no network; build it again with `make trainer`".into();
            return Err(Failure::TrainerStopped { reason });
        }
        match strange {
            Some(line) => Err(Failure::TrainerLine { path: self.path.clone(), line }),
            None => Ok(()),
        }
    }
}
