//! One training, from the dataset file to the network file.

use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use tablewright_model::{InputConfig, Network, NetworkConfig, save_network};
use tablewright_trace::Dataset;

use crate::checkpoint::{Checkpoint, Fingerprint};
use crate::data::TrainingData;
use crate::device::DeviceKind;
use crate::error::Error;
use crate::init::initial;
use crate::teacher::{Distillation, Teacher};
use crate::train::{Course, Epoch, Settings, Trained};

/// What is trained, on what, and where it goes.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// A dataset file (see `tablewright_trace::file`).
    pub dataset: PathBuf,
    /// The network file to write.
    pub output: PathBuf,
    /// JSON: `network` ([`NetworkConfig`]) and, if not the default, `input` ([`InputConfig`]).
    pub config: PathBuf,
    /// Name of the network; by default the file name of `output` up to its first dot.
    pub name: Option<String>,
    /// Learn from at most so many windows, and choose on a quarter as many, both evenly thinned over time.
    pub max_windows: Option<usize>,
    /// How it is trained.
    pub settings: Settings,
    /// A teacher to learn from, beside the labels.
    pub distillation: Option<Distillation>,
    /// A file that keeps the state after each epoch, from which the same job goes on after an interruption.
    pub checkpoint: Option<PathBuf>,
    /// Where it is computed.
    pub device: DeviceKind,
}

/// The configuration file.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    network: NetworkConfig,
    #[serde(default)]
    input: InputConfig,
}

impl Config {
    fn load(path: &Path) -> Result<Self, Error> {
        let text =
            fs::read_to_string(path).map_err(|reason| Error::ReadConfig { path: path.into(), reason })?;
        let config: Self =
            serde_json::from_str(&text).map_err(|reason| Error::ParseConfig { path: path.into(), reason })?;
        let mut violations = config.network.violations(tablewright_model::Purpose::Network);
        violations.extend(config.input.violations(config.network.segments));
        if !violations.is_empty() {
            return Err(Error::Limits { path: path.into(), violations });
        }
        Ok(config)
    }
}

impl Job {
    /// Trains and writes the network of the best epoch. `report` is called after each epoch; its error ends the training.
    ///
    /// Everything that can be refused is refused before the training begins, and the file appears complete or not at all.
    /// With a checkpoint, a training that was stopped goes on after its last finished epoch, and its network is the same to
    /// the byte; `report` hears of all epochs again. The checkpoint of another job is replaced.
    pub fn run(&self, report: impl FnMut(&Epoch) -> Result<(), Error>) -> Result<Trained, Error> {
        self.settings.check()?;
        if self.max_windows == Some(0) {
            let (value, allowed) = ("0".into(), "1 or more");
            return Err(Error::Option { option: "max-windows", value, allowed });
        }
        if let Some(distillation) = &self.distillation {
            distillation.check()?;
        }
        self.check_places()?;
        self.device.open()?;
        let config = Config::load(&self.config)?;
        let (dataset, split) = Dataset::load(&self.dataset)?;
        let data = TrainingData::new(dataset, &split, &config.network, &config.input, self.max_windows)?;
        let teach = |d: &Distillation| d.load(&config.network, &config.input);
        let teacher = self.distillation.as_ref().map(teach).transpose()?;
        let mut start = initial(&self.name(), &config.network, &config.input, self.settings.seed);
        data.prepare(&mut start);
        start.check()?;
        let job = self.fingerprint(&config, &data, teacher.as_ref())?;
        let checkpoint = self.checkpoint.as_deref().map(|path| Checkpoint::new(path, job));
        let course = Course {
            start: &start,
            data: &data,
            settings: &self.settings,
            teacher: teacher.as_ref(),
            checkpoint: checkpoint.as_ref(),
            device: self.device,
        };
        let mut trained = course.run(report)?;
        self.describe(&mut trained.network, &data, teacher.as_ref(), &trained.best);
        save_network(&trained.network, &self.output)?;
        Ok(trained)
    }

    /// Of all that the weights depend on; names and places are not among it.
    fn fingerprint(
        &self,
        config: &Config,
        data: &TrainingData,
        teacher: Option<&Teacher>,
    ) -> Result<String, Error> {
        let mut all = Fingerprint::default();
        all.add(env!("CARGO_PKG_VERSION").as_bytes());
        let invalid = |reason| Error::ParseConfig { path: self.config.clone(), reason };
        all.add(&serde_json::to_vec(config).map_err(invalid)?);
        data.identify(&mut all);
        // Every digit: these print as the shortest text that reads back as the same number.
        let settings = format!("{:?} {:?} {}", self.settings, self.max_windows, self.device.name());
        all.add(settings.as_bytes());
        if let (Some(teacher), Some(distillation)) = (teacher, &self.distillation) {
            all.add(&teacher.bytes);
            all.add(format!("{:?} {:?}", distillation.alpha, distillation.temperature).as_bytes());
        }
        Ok(all.finish())
    }

    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let file = self.output.file_name().unwrap_or_default().to_string_lossy();
            file.split('.').next().unwrap_or_default().to_owned()
        })
    }

    /// Minutes of training must not end in a file that cannot be written, nor in one that should have stayed.
    fn check_places(&self) -> Result<(), Error> {
        let teacher = self.distillation.as_ref().map(|d| d.teacher.as_path());
        let inputs: Vec<&Path> = [self.dataset.as_path(), &self.config].into_iter().chain(teacher).collect();
        let real = |path: &Path| path.canonicalize().ok();
        for path in [Some(&self.output), self.checkpoint.as_ref()].into_iter().flatten() {
            let refuse = |problem| Err(Error::Output { path: path.clone(), problem });
            if path.is_dir() {
                return refuse("it is a directory; give the path of a file in it");
            }
            let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
            if !folder.is_none_or(Path::is_dir) {
                return refuse("its directory does not exist; make it first");
            }
            let place = real(path);
            if place.is_some() && inputs.iter().any(|input| real(input) == place) {
                return refuse("it is also an input of this training; give another path");
            }
        }
        let same = |checkpoint: &PathBuf| {
            *checkpoint == self.output || real(checkpoint).is_some_and(|c| Some(c) == real(&self.output))
        };
        match &self.checkpoint {
            Some(path) if same(path) => {
                let problem = "it is both the network and the checkpoint; give two paths";
                Err(Error::Output { path: path.clone(), problem })
            }
            _ => Ok(()),
        }
    }

    /// What the file says about its making; nothing that differs from run to run.
    fn describe(&self, network: &mut Network, data: &TrainingData, teacher: Option<&Teacher>, best: &Epoch) {
        let settings = &self.settings;
        let dataset = self.dataset.file_name().unwrap_or_default().to_string_lossy();
        let entries = [
            ("made_by", concat!("tablewright-train ", env!("CARGO_PKG_VERSION")).to_owned()),
            ("dataset", dataset.into_owned()),
            ("windows_train", data.train.len().to_string()),
            ("windows_valid", data.valid.len().to_string()),
            ("epochs", settings.epochs.to_string()),
            ("best_epoch", best.epoch.to_string()),
            ("batch", settings.batch.to_string()),
            ("lr", settings.lr.to_string()),
            ("weight_decay", settings.weight_decay.to_string()),
            ("patience", settings.patience.to_string()),
            ("seed", settings.seed.to_string()),
            ("f1_valid", format!("{:.6}", best.f1)),
            ("threshold", best.threshold.to_string()),
        ];
        network.provenance.extend(entries.map(|(key, value)| (key.to_owned(), value)));
        if let (Some(teacher), Some(distillation)) = (teacher, &self.distillation) {
            let entries = [
                ("teacher", teacher.name().to_owned()),
                ("alpha", distillation.alpha.to_string()),
                ("temperature", distillation.temperature.to_string()),
            ];
            network.provenance.extend(entries.map(|(key, value)| (key.to_owned(), value)));
        }
    }
}
