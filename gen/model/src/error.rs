//! What can be wrong with a model, a network, or the file of one.

use std::io;
use std::path::PathBuf;

/// Why a model or network could not be loaded, saved or accepted.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be opened or read.
    #[error("cannot read `{}`: {reason}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The path leads to a directory, a pipe or a device.
    #[error("`{}` is not a regular file; give the path of a safetensors file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file cannot be written; what stood there before is unchanged.
    #[error("cannot write `{}`: {reason}; nothing was changed", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system says.
        reason: io::Error,
    },
    /// The contents are wrong.
    #[error("{origin}: {problem}")]
    Content {
        /// The file, or the name of the model or network in memory.
        origin: String,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What is wrong with the contents of a model, a network, or its file.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Problem {
    /// Not even a header length.
    #[error(
        "not a safetensors file: it has {bytes} bytes, fewer than the 8 that give the length of a header"
    )]
    TooShort {
        /// Length of the file.
        bytes: u64,
    },
    /// The bytes after the header length begin no JSON object.
    #[error(
        "not a safetensors file: no JSON header begins at byte 8; table models and networks are safetensors files \
         as described in models/FORMAT.md"
    )]
    NotSafetensors,
    /// A checkpoint of `torch.save`.
    #[error(
        "not a safetensors file, but a zip archive or pickle such as `torch.save` writes; write the network with \
         `export` of models/export_pytorch.py"
    )]
    Pickled,
    /// The header would be longer than the file.
    #[error(
        "the first 8 bytes claim a header of {claimed} bytes, but only {left} bytes follow: the file is truncated or \
         its start is damaged; copy or make it again"
    )]
    HeaderLength {
        /// What the first 8 bytes say.
        claimed: u64,
        /// Bytes after them.
        left: u64,
    },
    /// The header would be longer than any sensible one.
    #[error(
        "the first 8 bytes claim a header of {claimed} bytes, allowed are {limit}: this is no file of Tablewright, or \
         its start is damaged"
    )]
    HeaderTooLong {
        /// What the first 8 bytes say.
        claimed: u64,
        /// Bytes of the longest header accepted.
        limit: u64,
    },
    /// The header is no valid description of tensors.
    #[error("the safetensors header is damaged: {reason}; copy or make the file again")]
    Header {
        /// What its reader says.
        reason: String,
    },
    /// The tensors end after the file.
    #[error(
        "truncated: the header describes {expected} bytes of tensors, but {found} bytes follow it; copy or make the \
         file again"
    )]
    Truncated {
        /// Bytes of all tensors.
        expected: u64,
        /// Bytes after the header.
        found: u64,
    },
    /// The file goes on after the last tensor.
    #[error(
        "the header describes {expected} bytes of tensors, but {found} bytes follow it: something was appended; copy \
         or make the file again"
    )]
    Trailing {
        /// Bytes of all tensors.
        expected: u64,
        /// Bytes after the header.
        found: u64,
    },
    /// Somebody else's safetensors file, where a table model is needed.
    #[error(
        "the safetensors metadata has no entry `tablewright`, so the file holds neither a table model nor a network; \
         models/FORMAT.md describes both"
    )]
    NoMetadata,
    /// Somebody else's safetensors file, where a network is needed: most often the bare parameters of a module.
    #[error(
        "the safetensors metadata has no entry `tablewright`, which tells sizes and input of a network: is this a plain \
         state dict? Write it with `export` of models/export_pytorch.py, which adds the entry"
    )]
    StateDict,
    /// The metadata entry is no JSON.
    #[error("the metadata entry `tablewright` is not valid JSON: {reason}")]
    MetadataSyntax {
        /// Reason, line and column within the entry.
        reason: String,
    },
    /// The metadata entry lacks a field, has one too many, or one of the wrong type.
    #[error("the metadata entry `tablewright`, {place}: {reason}; models/FORMAT.md lists the fields")]
    MetadataField {
        /// Path of the field within the JSON.
        place: String,
        /// Reason, line and column within the entry.
        reason: String,
    },
    /// Neither of the known formats.
    #[error("format is `{found}`, known are `table-model` and `network`")]
    UnknownFormat {
        /// What the metadata says.
        found: String,
    },
    /// A network where a model is needed, or the other way round.
    #[error(
        "the file holds a `{found}`, but a `{wanted}` is needed here; `tablewright info` says what a file is"
    )]
    WrongFormat {
        /// What the metadata says.
        found: &'static str,
        /// What the caller needs.
        wanted: &'static str,
    },
    /// Written by a later program, or by mistake.
    #[error(
        "version is {found}, but this program reads version {known} of the format: update the program, or write \
         version {known}"
    )]
    UnknownVersion {
        /// What the metadata says.
        found: u64,
        /// What this program reads.
        known: u64,
    },
    /// Fields outside their documented limits, as `field is value, limit`.
    #[error("{}", .0.join("; "))]
    Limits(
        /// One sentence for each.
        Vec<String>,
    ),
    /// A kernel of the network has no entry in the metadata.
    #[error("kernels has no entry `{name}`, which this network needs")]
    MissingKernel {
        /// The kernel.
        name: String,
    },
    /// An entry in the metadata for no kernel of the network.
    #[error("kernels has an entry `{name}`, but this network has no such kernel; remove it")]
    ExtraKernel {
        /// The entry.
        name: String,
    },
    /// The configuration disagrees with what is in memory about the number of layers.
    #[error("network.layers is {expected}, but the number of layers present is {found}")]
    Layers {
        /// What the configuration says.
        expected: usize,
        /// What there is.
        found: usize,
    },
    /// An encoder in memory is of another kind than its kernel's choices say.
    #[error("kernel `{kernel}` is to have the encoder `{expected}`, but it has `{found}`")]
    EncoderKind {
        /// The kernel.
        kernel: String,
        /// What its choices say.
        expected: &'static str,
        /// What there is.
        found: &'static str,
    },
    /// A tensor is not there.
    #[error("tensor `{name}` ({dtype} {shape:?}) is missing")]
    MissingTensor {
        /// Its name.
        name: String,
        /// Its type.
        dtype: String,
        /// Its shape.
        shape: Vec<usize>,
    },
    /// A tensor that nothing reads; refused because it is most often a misspelt name.
    #[error("tensor `{name}` has no meaning in this file; remove it, or correct its name")]
    ExtraTensor {
        /// Its name.
        name: String,
    },
    /// A tensor that nothing reads, with a name like that of one that is not there.
    #[error(
        "tensor `{name}` has no meaning in this file; did you mean `{meant}`, which is not there?{}",
        besides(*.others)
    )]
    Misnamed {
        /// Its name.
        name: String,
        /// The tensor that it probably is.
        meant: String,
        /// How many other tensors are unknown.
        others: usize,
    },
    /// Tensors are missing, and others that do not resemble them are there instead.
    #[error(
        "tensor {} missing, while tensor {} no meaning in this file; models/FORMAT.md lists the tensors and tells how to \
         rearrange those of another module",
        first(missing, "is", "are"),
        first(unknown, "has", "have")
    )]
    OtherTensors {
        /// What is missing: name, type and shape.
        missing: Vec<String>,
        /// What nothing reads: name, type and shape.
        unknown: Vec<String>,
    },
    /// A tensor of another type.
    #[error("tensor `{name}` has the type {found}, it must be {expected}")]
    Dtype {
        /// Its name.
        name: String,
        /// The type that the format demands.
        expected: String,
        /// Its type.
        found: String,
    },
    /// A tensor of another shape.
    #[error("tensor `{name}` has the shape {found:?}, it must be {expected:?}")]
    Shape {
        /// Its name.
        name: String,
        /// The shape that follows from the configuration.
        expected: Vec<usize>,
        /// Its shape.
        found: Vec<usize>,
    },
    /// NaN or infinite.
    #[error("tensor `{name}` has {value} at {index:?}; every value must be a finite number")]
    NotFinite {
        /// The tensor.
        name: String,
        /// Where in it.
        index: Vec<usize>,
        /// The value.
        value: f32,
    },
    /// A number that no activation can be.
    #[error(
        "tensor `{name}` has {value} at {index:?}; entries, biases and positions must lie within ±{limit}"
    )]
    TooLarge {
        /// The tensor.
        name: String,
        /// Where in it.
        index: Vec<usize>,
        /// The value.
        value: f32,
        /// The largest magnitude.
        limit: f32,
    },
    /// A tree level looks at a feature of another subspace.
    #[error(
        "tensor `{name}` has feature {feature} at {index:?}, but subspace {subspace} owns the features {first} to {last}"
    )]
    Split {
        /// The tensor.
        name: String,
        /// Where in it.
        index: [usize; 2],
        /// The value.
        feature: i64,
        /// The subspace.
        subspace: usize,
        /// First feature of the subspace.
        first: usize,
        /// Last feature of the subspace.
        last: usize,
    },
}

/// The first of several tensors, how many others there are, and the verb for one or for many.
fn first(tensors: &[String], one: &str, many: &str) -> String {
    match tensors {
        [] => one.to_owned(),
        [only] => format!("{only} {one}"),
        [first, others @ ..] => format!("{first} and {} more {many}", others.len()),
    }
}

/// After a question about one tensor: how many others have no meaning.
fn besides(others: usize) -> String {
    match others {
        0 => String::new(),
        1 => " 1 more tensor has no meaning either".to_owned(),
        n => format!(" {n} more tensors have no meaning either"),
    }
}

impl Problem {
    /// The problem as an error of the thing called `origin`.
    pub(crate) fn of(self, origin: impl Into<String>) -> Error {
        Error::Content { origin: origin.into(), problem: self }
    }
}
