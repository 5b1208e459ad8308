//! Everything that can go wrong with a training.

use std::io;
use std::path::PathBuf;

/// One message each: what is wrong, where, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The configuration file cannot be read.
    #[error("{}: cannot read the configuration: {reason}; give a JSON file with `network` and `input`", path.display())]
    ReadConfig {
        /// As given.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The configuration file is no JSON, or lacks a field, or has one that nothing reads.
    #[error(
        "{}: {reason}; a configuration is {{\"network\": {{…}}, \"input\": {{…}}}}, `input` may be absent",
        path.display()
    )]
    ParseConfig {
        /// As given.
        path: PathBuf,
        /// Field, line and column.
        reason: serde_json::Error,
    },
    /// Fields outside their limits.
    #[error("{}: {}", path.display(), violations.join("; "))]
    Limits {
        /// The configuration file.
        path: PathBuf,
        /// One sentence for each field.
        violations: Vec<String>,
    },
    /// The dataset cannot be read.
    #[error(transparent)]
    Dataset(#[from] tablewright_trace::Error),
    /// The dataset was made for another network.
    #[error(
        "the dataset has {field} {dataset}, but the configuration says {config}; make the dataset with this \
         configuration, or change {field} to {dataset}"
    )]
    Mismatch {
        /// Field of the configuration.
        field: &'static str,
        /// What the dataset says.
        dataset: usize,
        /// What the configuration says.
        config: usize,
    },
    /// A part of the split holds nothing.
    #[error("the {part} part of the dataset has no window; make it from a longer trace")]
    EmptyPart {
        /// `train` or `valid`.
        part: &'static str,
    },
    /// A part of the split has windows and nothing to predict.
    #[error(
        "none of the {windows} windows of the {part} part of the dataset has a label; make it from a longer trace, or one \
         with deltas in range"
    )]
    NoLabel {
        /// `train` or `valid`.
        part: &'static str,
        /// In this part.
        windows: usize,
    },
    /// The teacher cannot be read.
    #[error("{}: cannot read the teacher: {reason}; give a network file that was trained on the same input", path.display())]
    ReadTeacher {
        /// As given.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The teacher was trained for something else.
    #[error(
        "{}: this teacher cannot teach this network: {}; train a teacher with the same input and outputs, or leave out \
         --teacher",
        path.display(), differences.join("; ")
    )]
    Teacher {
        /// As given.
        path: PathBuf,
        /// Field, its value and this training's value.
        differences: Vec<String>,
    },
    /// The teacher's weights are finite, but what it computes is not.
    #[error("{}: this teacher's outputs are no finite numbers on this dataset; train another", path.display())]
    TeacherOutput {
        /// As given.
        path: PathBuf,
    },
    /// The checkpoint cannot be read.
    #[error("{}: cannot read the checkpoint: {reason}; give another path", path.display())]
    ReadCheckpoint {
        /// As given.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// There is a file that no training wrote.
    #[error("{}: there is a file that is no checkpoint of a training; give another path", path.display())]
    NotACheckpoint {
        /// As given.
        path: PathBuf,
    },
    /// A checkpoint that is not as it was written.
    #[error("{}: the checkpoint is damaged: {reason}; delete it to train from the beginning", path.display())]
    DamagedCheckpoint {
        /// As given.
        path: PathBuf,
        /// What does not fit.
        reason: String,
    },
    /// Built without the GPU's backend.
    #[error(
        "--device cuda: this program was built without it; build it with `cargo build --release -p tablewright-train \
         --features cuda`, or train with --device cpu"
    )]
    NoCuda,
    /// Nothing to compute on.
    #[error("--device cuda: no NVIDIA GPU with a driver is found on this machine; train with --device cpu")]
    NoGpu,
    /// A value that no training can work with.
    #[error("--{option} is {value}, allowed are {allowed}")]
    Option {
        /// Name of the option, without dashes.
        option: &'static str,
        /// As given.
        value: String,
        /// Its limits, in words.
        allowed: &'static str,
    },
    /// The network file's place cannot take a file.
    #[error("cannot write `{}`: {problem}", path.display())]
    Output {
        /// As given.
        path: PathBuf,
        /// What is wrong with it, and what to do.
        problem: &'static str,
    },
    /// The network is not acceptable, or cannot be written.
    #[error(transparent)]
    Network(#[from] tablewright_model::Error),
    /// The loss is no longer a number.
    #[error(
        "the loss is no longer a finite number in epoch {epoch} at a learning rate of {lr}; give a lower --lr"
    )]
    Diverged {
        /// From 1.
        epoch: usize,
        /// Peak of the schedule.
        lr: f64,
    },
    /// Progress cannot be printed, most often because the reader of a pipe is gone.
    #[error("cannot write the progress to standard output: {0}; no network was written")]
    Progress(io::Error),
}
