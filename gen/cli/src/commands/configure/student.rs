//! A network of a given shape, trained on the windows of a trace.

use std::io;
use std::path::Path;

use serde_json::json;
use tablewright_model::{InputConfig, Network, NetworkConfig, load_network};
use tablewright_trace::Dataset;
use tempfile::TempDir;

use crate::config::Training;
use crate::failure::Failure;
use crate::outfile::NewFile;
use crate::parts::Parts;
use crate::trainer::{Device, Job, Trainer};
use crate::ui::{Ui, Unit};

/// One of how many parts of windows and epochs a first training gets.
const QUICK: usize = 4;

/// Trains students; their files live until it goes.
pub(super) struct School {
    trainer: Trainer,
    folder: TempDir,
    input: InputConfig,
    seed: u64,
}

impl School {
    pub(super) fn new(input: &InputConfig, seed: u64) -> Result<Self, Failure> {
        let folder = tempfile::tempdir()
            .map_err(|error| Failure::Write { path: std::env::temp_dir(), reason: error.kind().into() })?;
        Ok(Self { trainer: Trainer::find()?, folder, input: input.clone(), seed })
    }

    /// Trains on a quarter of the windows for a quarter of the epochs.
    pub(super) fn quick(
        &self,
        network: &NetworkConfig,
        training: &Training,
        parts: &Parts,
        ui: &Ui,
    ) -> Result<Network, Failure> {
        let part = |all: &Dataset| all.subset(0..all.len(), all.len().div_ceil(QUICK));
        let few =
            Parts { train: part(&parts.train), valid: part(&parts.valid), test: parts.test.subset(0..0, 0) };
        let training = Training { epochs: training.epochs.div_ceil(QUICK), ..training.clone() };
        self.train(network, &training, &few, ui)
    }

    /// Trains as the configuration says.
    pub(super) fn train(
        &self,
        network: &NetworkConfig,
        training: &Training,
        parts: &Parts,
        ui: &Ui,
    ) -> Result<Network, Failure> {
        let [dataset, config, output] = ["dataset.safetensors", "config.json", "network.safetensors"]
            .map(|file| self.folder.path().join(file));
        let (all, split) = parts
            .for_trainer()
            .map_err(|error| Failure::Write { path: dataset.clone(), reason: io::Error::other(error) })?;
        all.save(&dataset, &split)?;
        drop(all);
        let mut file = NewFile::begin(&config)?;
        file.write(|out| write!(out, "{}", json!({ "network": network, "input": self.input })))?;
        file.finish()?;
        self.run(
            &Job {
                dataset: &dataset,
                config: &config,
                output: &output,
                name: "student",
                training,
                seed: self.seed,
                device: Device::default(),
                lesson: None,
                checkpoint: None,
            },
            ui,
        )
    }

    fn run(&self, job: &Job<'_>, ui: &Ui) -> Result<Network, Failure> {
        // What an earlier student left must not be taken for this one.
        remove(job.output)?;
        let bar = ui.bar("training", Unit::Items, job.training.epochs as u64);
        self.trainer.train(job, |epoch| {
            bar.at_of(epoch.number, epoch.epochs);
            bar.say(format!("training  loss {:.4}  F1 {:.4}", epoch.loss, epoch.f1_valid));
        })?;
        Ok(load_network(job.output)?)
    }
}

fn remove(path: &Path) -> Result<(), Failure> {
    match std::fs::remove_file(path) {
        Err(reason) if reason.kind() != io::ErrorKind::NotFound => {
            Err(Failure::Write { path: path.into(), reason })
        }
        _ => Ok(()),
    }
}
