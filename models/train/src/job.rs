//! One training, from the dataset file to the network file.

use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tablewright_model::{InputConfig, Network, NetworkConfig, save_network};
use tablewright_trace::Dataset;

use crate::data::TrainingData;
use crate::error::Error;
use crate::init::initial;
use crate::train::{Epoch, Settings, Trained, train};

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
}

/// The configuration file.
#[derive(Debug, Deserialize)]
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
    pub fn run(&self, report: impl FnMut(&Epoch) -> Result<(), Error>) -> Result<Trained, Error> {
        self.settings.check()?;
        if self.max_windows == Some(0) {
            let (value, allowed) = ("0".into(), "1 or more");
            return Err(Error::Option { option: "max-windows", value, allowed });
        }
        self.check_output()?;
        let config = Config::load(&self.config)?;
        let (dataset, split) = Dataset::load(&self.dataset)?;
        let data = TrainingData::new(dataset, &split, &config.network, &config.input, self.max_windows)?;
        let mut start = initial(&self.name(), &config.network, &config.input, self.settings.seed);
        data.prepare(&mut start);
        start.check()?;
        let mut trained = train(&start, &data, &self.settings, report)?;
        self.describe(&mut trained.network, &data, &trained.best);
        save_network(&trained.network, &self.output)?;
        Ok(trained)
    }

    fn name(&self) -> String {
        self.name.clone().unwrap_or_else(|| {
            let file = self.output.file_name().unwrap_or_default().to_string_lossy();
            file.split('.').next().unwrap_or_default().to_owned()
        })
    }

    /// Minutes of training must not end in a file that cannot be written.
    fn check_output(&self) -> Result<(), Error> {
        let refuse = |problem| Err(Error::Output { path: self.output.clone(), problem });
        if self.output.is_dir() {
            return refuse("it is a directory; give the path of a file in it");
        }
        let folder = self.output.parent().filter(|p| !p.as_os_str().is_empty());
        if !folder.is_none_or(Path::is_dir) {
            return refuse("its directory does not exist; make it first");
        }
        let real = |path: &Path| path.canonicalize().ok();
        let output = real(&self.output);
        if output.is_some() && (output == real(&self.dataset) || output == real(&self.config)) {
            return refuse("it is also an input of this training; give another path");
        }
        Ok(())
    }

    /// What the file says about its making; nothing that differs from run to run.
    fn describe(&self, network: &mut Network, data: &TrainingData, best: &Epoch) {
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
    }
}
