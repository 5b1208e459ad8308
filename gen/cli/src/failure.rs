//! Exit statuses, and everything that ends with status 2.

use std::io;
use std::path::PathBuf;

/// How a command ended that had good input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// Done, and every check held: status 0.
    Done,
    /// A check failed, which was reported: status 1.
    CheckFailed,
}

/// What to do about a file that cannot be read.
fn read_remedy(reason: &io::Error) -> &'static str {
    match reason.kind() {
        io::ErrorKind::NotFound => "check its name",
        io::ErrorKind::IsADirectory => "name a file in it",
        io::ErrorKind::InvalidData => "give a text file",
        _ => "check its permissions",
    }
}

/// The input or the call is wrong: status 2. One message each: what, where, what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A path that names nothing.
    #[error("`{}`: there is no such file; give {wanted}", path.display())]
    Missing { path: PathBuf, wanted: &'static str },
    /// The operating system refused.
    #[error("`{}` cannot be read: {reason}; {}", path.display(), read_remedy(reason))]
    Read { path: PathBuf, reason: io::Error },
    /// A directory that is no build.
    #[error("`{}` is a directory without the manifest.json of a build; give {wanted}", path.display())]
    Directory { path: PathBuf, wanted: &'static str },
    /// A file of nothing.
    #[error("`{}` is empty; give {wanted}", path.display())]
    Empty { path: PathBuf, wanted: &'static str },
    /// A file of no known kind.
    #[error("`{}` is not known: it looks like {looks}; give {wanted}", path.display())]
    Unknown { path: PathBuf, looks: String, wanted: &'static str },
    /// A good file in the wrong place.
    #[error("`{}` is {is}; give {wanted}", path.display())]
    Instead { path: PathBuf, is: String, wanted: &'static str },
    /// A place that cannot take the output.
    #[error("`{}` cannot be written: {problem}", path.display())]
    Place { path: PathBuf, problem: &'static str },
    /// Writing failed.
    #[error("`{}` cannot be written: {reason}; nothing was left behind, check the directory and the free space", path.display())]
    Write { path: PathBuf, reason: io::Error },
    /// Standard output takes nothing.
    #[error("the result cannot be written to standard output: {0}")]
    Print(io::Error),
    /// A configuration that is none.
    #[error("{config}{}: {problem}", line.map_or_else(String::new, |line| format!(", line {line}")))]
    Config {
        /// The file, or the preset.
        config: String,
        line: Option<usize>,
        /// Field, value, limit, remedy.
        problem: String,
    },
    /// `--config` names neither a preset nor a file.
    #[error(
        "{option} {name}: neither a preset ({presets}) nor a file; write a preset to a file of your own with \
         `{example} > my.toml`"
    )]
    UnknownConfig { option: &'static str, name: String, presets: String, example: &'static str },
    /// `--teacher` names nothing.
    #[error(
        "--teacher {name}: neither `none`, nor a preset ({presets}), nor the file of a network or of a teacher's \
         configuration"
    )]
    UnknownTeacher { name: String, presets: String },
    /// An option for a teacher that nobody named.
    #[error("--{option} says how a teacher counts, and there is none; give a --teacher too, or leave it out")]
    NoTeacher { option: &'static str },
    /// A teacher of other windows or labels than the student's.
    #[error(
        "the teacher {teacher} has {field} {found}, the student {wanted}; they must see the same windows and labels: \
         give another --teacher, or train one with {field} {wanted}"
    )]
    TeacherMismatch { teacher: String, field: &'static str, found: String, wanted: String },
    /// Two commands that make the same result.
    #[error(
        "`{}` is in use: another command is working there; wait for it, or give another output", folder.display()
    )]
    Busy { folder: PathBuf },
    /// A page that holds no more than one block.
    #[error("--page-bits {bits}: a page must be larger than the model's blocks of 2^{block_bits} bytes; give at least {}", .block_bits + 1)]
    PageBits { bits: u32, block_bits: u32 },
    /// Fewer windows than prototypes.
    #[error(
        "kernel `{kernel}`: prototypes is {prototypes}, more than the {windows} windows that they are learned from; lower \
         tables.prototypes, or give a longer trace, a larger --max-windows or tables.samples"
    )]
    FewWindows { kernel: String, prototypes: usize, windows: usize },
    /// A float network that no table model may follow.
    #[error("`{}` is too large for tables: {violation}; distill a student from it with `tablewright distill --teacher`", path.display())]
    TooLarge { path: PathBuf, violation: String },
    /// A file that a table should stand in.
    #[error("`{}` has no lines `{}` and `{}` one after the other; put both where the table should stand", path.display(), markers[0], markers[1])]
    Markers { path: PathBuf, markers: [&'static str; 2] },
    /// A network that is no stage of the model.
    #[error(
        "`{}` is no {role} of `{}`: {difference}; give the one that the model was made from",
        path.display(), model.display()
    )]
    OtherNetwork {
        path: PathBuf,
        role: &'static str,
        model: PathBuf,
        /// Field and both values.
        difference: String,
    },
    /// A plot that cannot be laid out.
    #[error("`{}` cannot be drawn: {problem}; leave out --svg and take the figures from --format json", path.display())]
    Draw { path: PathBuf, problem: String },
    /// The trainer is not installed.
    #[error("the trainer cannot be found: {looked}; build it with `make trainer`")]
    TrainerMissing { looked: String },
    /// The trainer cannot be started.
    #[error("the trainer `{}` cannot be started: {reason}; build it again with `make trainer`", path.display())]
    TrainerStart { path: PathBuf, reason: io::Error },
    /// The trainer refused or died.
    #[error("the trainer stopped: {reason}")]
    TrainerStopped { reason: String },
    /// The trainer speaks otherwise.
    #[error("the trainer `{}` printed what this program does not understand (`{line}`); build both again with `make trainer`", path.display())]
    TrainerLine { path: PathBuf, line: String },
    #[error(transparent)]
    Style(#[from] tablewright_plan::StyleError),
    #[error(transparent)]
    Trace(#[from] tablewright_trace::Error),
    #[error(transparent)]
    Model(#[from] tablewright_model::Error),
    #[error(transparent)]
    Tabularize(#[from] tablewright_tabularize::Error),
    #[error(transparent)]
    Configure(#[from] tablewright_configure::Error),
    /// A plan file that cannot be followed.
    #[error("`{}`, {reason}", path.display())]
    Plan { path: PathBuf, reason: tablewright_plan::PlanError },
    /// A build whose tables are part of the logic.
    #[error(
        "{path}: its tables are part of the logic, nothing can be loaded; make one that takes tables in with \
         `tablewright build MODEL -o BUILD_DIR --loadable`"
    )]
    NotLoadable { path: PathBuf },
    /// Tables that do not fit the hardware.
    #[error("{path}: does not fit {build}: {reason}; build again for this model, or give one of that shape")]
    OtherShape { path: PathBuf, build: PathBuf, reason: tablewright_design::OtherShape },
    /// Options that do not go together.
    #[error("{option}: {problem}")]
    Options { option: &'static str, problem: String },
    /// Plans were within the limits, the models made were not.
    #[error(
        "every model that was made is beyond a limit, though its plan on stand-in tables was within; the one that comes \
         nearest, {nearest}, takes {latency} cycles and {storage} bytes: raise the limits to that"
    )]
    BeyondLimits { nearest: String, latency: u64, storage: u64 },
    #[error(transparent)]
    Emit(#[from] tablewright_emit::Error),
    #[error(transparent)]
    Verif(#[from] tablewright_verif::Error),
    #[error(transparent)]
    Target(#[from] tablewright_fpga::Error),
    /// A build whose plan this program would not make.
    #[error("`{}` was made by another version of this program, whose plan differs; build again with `tablewright build`", path.display())]
    OtherVersion { path: PathBuf },
}
