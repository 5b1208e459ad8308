//! The float networks on the way to a table model: teacher, then student. Each is a stage that is kept, taken up again
//! where a killed command left it, and made anew only when something changed that it depends on.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Instant;

use serde::Serialize;
use serde_json::json;
use tablewright_model::{InputConfig, Network, NetworkConfig, load_network};

use crate::config::{Config, Training};
use crate::digest;
use crate::failure::Failure;
use crate::measure::f1_of_network;
use crate::outfile::NewFile;
use crate::parts::Parts;
use crate::stages::{Stage, Stages};
use crate::summary::Summary;
use crate::teacher::{Teacher, Teaching};
use crate::trainer::{Device, Job, Lesson, Trainer};
use crate::training::{TrainingArgs, Windows};
use crate::ui::{Ui, Unit};

/// What all stages share.
#[derive(Debug)]
pub(crate) struct Chain<'a> {
    trainer: &'a Trainer,
    stages: &'a Stages,
    /// Of the result; the networks on the way are named after it.
    name: &'a str,
    seed: u64,
    device: Device,
    ui: &'a Ui,
}

/// A finished network.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) network: Network,
    /// Its file.
    pub(crate) path: PathBuf,
    pub(crate) how: How,
    /// That it took now.
    pub(crate) seconds: f64,
}

/// The float networks of a chain.
#[derive(Debug)]
pub(crate) struct Float {
    pub(crate) teacher: Option<Made>,
    pub(crate) student: Made,
}

impl Float {
    /// Adds what each is worth.
    pub(crate) fn measure(&self, summary: &mut Summary, parts: &Parts, ui: &Ui) -> Result<(), Failure> {
        if let Some(teacher) = &self.teacher {
            summary.teacher(teacher, f1_of_network(&teacher.network, parts, ui)?);
        }
        summary.student(&self.student, f1_of_network(&self.student.network, parts, ui)?);
        Ok(())
    }
}

/// How a network came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum How {
    /// By somebody else.
    Given,
    /// By an earlier command, from the same data and choices.
    Reused,
    /// Now.
    Trained,
}

/// What is trained.
struct Recipe<'a> {
    name: &'a str,
    network: &'a NetworkConfig,
    input: &'a InputConfig,
    training: &'a Training,
}

impl<'a> Chain<'a> {
    /// A chain that ends in the result `name`.
    pub(crate) fn new(
        trainer: &'a Trainer,
        stages: &'a Stages,
        name: &'a str,
        args: &TrainingArgs,
        ui: &'a Ui,
    ) -> Self {
        Self { trainer, stages, name, seed: args.seed, device: args.device, ui }
    }

    /// The teacher, trained on `parts` unless it is there.
    pub(crate) fn teacher(&self, teacher: &Teacher, parts: &Parts) -> Result<Made, Failure> {
        let stage = self.stages.teacher();
        match teacher {
            Teacher::Given { path, network, .. } => {
                let key = digest::of_file(path)?;
                if !stage.is_finished(&key) {
                    stage.begin(&key)?;
                    copy(path, &stage.network)?;
                    stage.finish(&key)?;
                }
                let network = (**network).clone();
                Ok(Made { network, path: stage.network, how: How::Given, seconds: 0.0 })
            }
            Teacher::Trained(config) => {
                let name = format!("{}-teacher", self.name.chars().take(56).collect::<String>());
                let recipe = Recipe {
                    name: &name,
                    network: &config.network,
                    input: &config.input,
                    training: &config.training,
                };
                self.train(&stage, &recipe, parts, None)
            }
        }
    }

    /// Teacher, if there is one, and student. `parts` are the student's.
    pub(crate) fn float(
        &self,
        config: &Config,
        teaching: Option<&Teaching>,
        windows: &Windows<'_>,
        parts: &Parts,
    ) -> Result<Float, Failure> {
        let teacher = match teaching {
            Some(Teaching { teacher: teacher @ Teacher::Trained(own), .. })
                if own.training.max_windows != config.training.max_windows =>
            {
                Some(self.teacher(teacher, &windows.parts(own.training.max_windows)?)?)
            }
            Some(Teaching { teacher, .. }) => Some(self.teacher(teacher, parts)?),
            None => {
                // One of an earlier call has no part in this result.
                self.stages.teacher().forget();
                None
            }
        };
        let lesson = teaching.zip(teacher.as_ref()).map(|(&Teaching { alpha, temperature, .. }, teacher)| {
            Lesson { teacher: &teacher.path, alpha, temperature }
        });
        let Config { network, input, training, .. } = config;
        let recipe = Recipe { name: self.name, network, input, training };
        let student = self.train(&self.stages.student(), &recipe, parts, lesson)?;
        Ok(Float { teacher, student })
    }

    fn train(
        &self,
        stage: &Stage,
        recipe: &Recipe<'_>,
        parts: &Parts,
        lesson: Option<Lesson<'_>>,
    ) -> Result<Made, Failure> {
        let began = Instant::now();
        let key = self.key(recipe, parts, lesson)?;
        let how = if stage.is_finished(&key) {
            self.ui.remark(format_args!("{}: reused, {}", stage.name(), stage.network.display()));
            How::Reused
        } else {
            if stage.begin(&key)? {
                self.ui.remark(format_args!("{}: an interrupted training goes on", stage.name()));
            }
            self.write_input(recipe, parts)?;
            self.start(stage, recipe, lesson)?;
            How::Trained
        };
        let network = load_network(&stage.network)?;
        if how == How::Trained {
            stage.finish(&key)?;
        }
        Ok(Made { network, path: stage.network.clone(), how, seconds: began.elapsed().as_secs_f64() })
    }

    /// Differs when the trained network may.
    fn key(&self, recipe: &Recipe<'_>, parts: &Parts, lesson: Option<Lesson<'_>>) -> Result<String, Failure> {
        let lesson = match lesson {
            Some(Lesson { teacher, alpha, temperature }) => {
                json!({ "teacher": digest::of_file(teacher)?, "alpha": alpha, "temperature": temperature })
            }
            None => json!(null),
        };
        let Recipe { name, network, input, training } = recipe;
        let depends = json!({
            "program": self.trainer.digest()?,
            "windows": parts.digest(),
            "name": name,
            "network": network,
            "input": input,
            "training": training,
            "seed": self.seed,
            "device": self.device,
            "lesson": lesson,
        });
        Ok(digest::of_bytes(depends.to_string().as_bytes()))
    }

    /// What the trainer reads.
    fn write_input(&self, recipe: &Recipe<'_>, parts: &Parts) -> Result<(), Failure> {
        let (dataset, split) = parts.for_trainer().map_err(|error| Failure::Write {
            path: self.stages.dataset.clone(),
            reason: io::Error::other(error),
        })?;
        dataset.save(&self.stages.dataset, &split)?;
        drop(dataset);
        let told = json!({ "network": recipe.network, "input": recipe.input });
        let mut file = NewFile::begin(&self.stages.config)?;
        file.write(|out| write!(out, "{told}"))?;
        file.finish()
    }

    fn start(&self, stage: &Stage, recipe: &Recipe<'_>, lesson: Option<Lesson<'_>>) -> Result<(), Failure> {
        let (ui, what) = (self.ui, stage.name());
        let bar = ui.bar(what, Unit::Items, recipe.training.epochs as u64);
        let job = Job {
            dataset: &self.stages.dataset,
            config: &self.stages.config,
            output: &stage.network,
            name: recipe.name,
            training: recipe.training,
            seed: self.seed,
            device: self.device,
            lesson,
            checkpoint: Some(&stage.checkpoint),
        };
        self.trainer.train(&job, |epoch| {
            let (n, of, loss, f1) = (epoch.number, epoch.epochs, epoch.loss, epoch.f1_valid);
            bar.at_of(n, of);
            bar.say(format!("{what}  loss {loss:.4}  F1 {f1:.4}"));
            ui.detail(format_args!("{what}: epoch {n}/{of}: loss {loss:.5}, validation F1 {f1:.4}"));
        })
    }
}

/// A copy that is whole or not there.
fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let mut source = File::open(from).map_err(|reason| Failure::Read { path: from.into(), reason })?;
    let mut file = NewFile::begin(to)?;
    file.write(|mut out| io::copy(&mut source, &mut out).map(drop))?;
    file.finish()
}
