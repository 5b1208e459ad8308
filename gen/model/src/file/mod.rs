//! The files of table models and networks: safetensors with one JSON entry in the metadata (`models/FORMAT.md`).
//!
//! Nothing is allocated on a file's word alone: the header's length is compared with the file's, and the tensors it
//! describes with those of the format, before they are read.

mod container;
mod meta;
mod model;
mod network;

use std::path::Path;

use crate::error::Error;
use crate::table::TableModel;
use crate::weights::Network;
use container::Source;
use meta::{Format, Probe};

/// What a file is, by its header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileKind {
    /// A table model, of any version.
    Model,
    /// A float network, of any version.
    Network,
    /// A safetensors file of somebody else.
    OtherSafetensors,
    /// Something else.
    NotSafetensors,
}

/// Says what a file is. Only the header is read, so that a file of any size and kind may be asked about; that it is a
/// model does not mean that it is a good one.
///
/// A file that begins like safetensors but has a damaged header is an error.
pub fn sniff(path: &Path) -> Result<FileKind, Error> {
    let mut source = Source::open(path)?;
    if !source.looks_like_safetensors()? {
        return Ok(FileKind::NotSafetensors);
    }
    let header = source.header()?;
    let Some(entry) = header.entry() else {
        return Ok(FileKind::OtherSafetensors);
    };
    let probe = Probe::read(entry).map_err(|problem| source.blame(problem))?;
    Ok(match probe.format() {
        Some(Format::TableModel) => FileKind::Model,
        Some(Format::Network) => FileKind::Network,
        None => FileKind::OtherSafetensors,
    })
}

/// Loads a table model that passes [`TableModel::check`].
pub fn load_model(path: &Path) -> Result<TableModel, Error> {
    model::read(Source::open(path)?)
}

/// Reads a table model from the bytes of its file; `origin` names them in errors.
pub fn model_from_bytes(bytes: &[u8], origin: &Path) -> Result<TableModel, Error> {
    model::read(Source::memory(bytes, origin))
}

/// The bytes of a model's file, the same for equal models. The model must pass [`TableModel::check`]. A tensor takes two
/// bytes a value where IEEE half floats hold each of its values exactly.
pub fn model_to_bytes(model: &TableModel) -> Result<Vec<u8>, Error> {
    model::write(model)
}

/// Saves a table model that passes [`TableModel::check`]. The file is written beside its place and then renamed, so
/// that no reader ever sees half of it.
pub fn save_model(model: &TableModel, path: &Path) -> Result<(), Error> {
    container::replace(path, &model_to_bytes(model)?)
}

/// Puts bytes at a path as [`save_model`] does: for files that accompany models and networks.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    container::replace(path, bytes)
}

/// Loads a float network that passes [`Network::check`].
pub fn load_network(path: &Path) -> Result<Network, Error> {
    network::read(Source::open(path)?)
}

/// Reads a float network from the bytes of its file; `origin` names them in errors.
pub fn network_from_bytes(bytes: &[u8], origin: &Path) -> Result<Network, Error> {
    network::read(Source::memory(bytes, origin))
}

/// The bytes of a network's file, the same for equal networks. The network must pass [`Network::check`].
pub fn network_to_bytes(network: &Network) -> Result<Vec<u8>, Error> {
    network::write(network)
}

/// Saves a float network as [`save_model`] saves a model.
pub fn save_network(network: &Network, path: &Path) -> Result<(), Error> {
    container::replace(path, &network_to_bytes(network)?)
}
