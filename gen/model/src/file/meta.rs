//! The JSON entry in the metadata.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::check;
use crate::error::Problem;
use crate::kernels::Site;
use crate::network::{InputConfig, NetworkConfig, Purpose};
use crate::table::{KernelSpec, TableModel};
use crate::weights::Network;

/// The version of both formats.
const VERSION: u64 = 1;

/// What the file claims to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    TableModel,
    Network,
}

impl Format {
    const ALL: [Self; 2] = [Self::TableModel, Self::Network];

    fn name(self) -> &'static str {
        match self {
            Self::TableModel => "table-model",
            Self::Network => "network",
        }
    }
}

/// The two fields that every version has.
#[derive(Deserialize)]
pub(super) struct Probe {
    format: String,
    version: u64,
}

impl Probe {
    pub(super) fn read(entry: &str) -> Result<Self, Problem> {
        parse(entry)
    }

    /// The format, if it is a known one.
    pub(super) fn format(&self) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name() == self.format)
    }
}

/// The entry of a table model.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ModelEntry {
    format: String,
    version: u64,
    pub(super) name: String,
    pub(super) network: NetworkConfig,
    pub(super) input: InputConfig,
    pub(super) threshold: f64,
    pub(super) activation_bits: u32,
    kernels: BTreeMap<String, KernelSpec>,
    #[serde(default)]
    pub(super) provenance: BTreeMap<String, String>,
}

/// The entry of a float network.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NetworkEntry {
    format: String,
    version: u64,
    pub(super) name: String,
    pub(super) network: NetworkConfig,
    pub(super) input: InputConfig,
    #[serde(default)]
    pub(super) provenance: BTreeMap<String, String>,
}

fn parse<T: DeserializeOwned>(entry: &str) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_str(entry);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let place = error.path().to_string();
        let inner = error.into_inner();
        let reason = inner.to_string();
        if inner.is_data() {
            let place = match place.as_str() {
                "." => "at the top level".to_owned(),
                place => format!("at `{place}`"),
            };
            Problem::MetadataField { place, reason }
        } else {
            Problem::MetadataSyntax { reason }
        }
    })?;
    json.end().map_err(|error| Problem::MetadataSyntax { reason: error.to_string() })?;
    Ok(value)
}

/// Whether the entry is there, and of the wanted format in the version that this program reads.
fn accept(entry: Option<&str>, wanted: Format) -> Result<&str, Problem> {
    let entry = entry.ok_or(match wanted {
        Format::TableModel => Problem::NoMetadata,
        Format::Network => Problem::StateDict,
    })?;
    let probe = Probe::read(entry)?;
    let Some(format) = probe.format() else {
        return Err(Problem::UnknownFormat { found: probe.format });
    };
    if format != wanted {
        return Err(Problem::WrongFormat { found: format.name(), wanted: wanted.name() });
    }
    if probe.version != VERSION {
        return Err(Problem::UnknownVersion { found: probe.version, known: VERSION });
    }
    Ok(entry)
}

fn print(entry: &impl Serialize) -> Result<String, Problem> {
    serde_json::to_string(entry).map_err(|error| Problem::MetadataSyntax { reason: error.to_string() })
}

impl ModelEntry {
    /// Reads an entry whose fields are within their limits, and its kernels in the order of evaluation.
    pub(super) fn read(entry: Option<&str>) -> Result<(Self, Vec<(Site, KernelSpec)>), Problem> {
        let entry = accept(entry, Format::TableModel)?;
        let mut entry: Self = parse(entry)?;
        check::basics(&entry.name, (&entry.network, Purpose::Tables), &entry.input, &entry.provenance)?;
        check::model_fields(entry.threshold, entry.activation_bits)?;
        let mut specs = Vec::new();
        for site in entry.network.kernels() {
            match entry.kernels.remove(&site.name) {
                Some(spec) => specs.push((site, spec)),
                None => return Err(Problem::MissingKernel { name: site.name }),
            }
        }
        if let Some((name, _)) = entry.kernels.pop_first() {
            return Err(Problem::ExtraKernel { name });
        }
        check::kernel_limits(&specs)?;
        Ok((entry, specs))
    }

    pub(super) fn write(model: &TableModel) -> Result<String, Problem> {
        let kernels = model.kernels().into_iter();
        print(&Self {
            format: Format::TableModel.name().to_owned(),
            version: VERSION,
            name: model.name.clone(),
            network: model.network.clone(),
            input: model.input.clone(),
            threshold: model.threshold,
            activation_bits: model.activation_bits,
            kernels: kernels.map(|(site, kernel)| (site.name, *kernel.spec())).collect(),
            provenance: model.provenance.clone(),
        })
    }
}

impl NetworkEntry {
    /// Reads an entry whose fields are within their limits.
    pub(super) fn read(entry: Option<&str>) -> Result<Self, Problem> {
        let entry = accept(entry, Format::Network)?;
        let entry: Self = parse(entry)?;
        check::basics(&entry.name, (&entry.network, Purpose::Network), &entry.input, &entry.provenance)?;
        Ok(entry)
    }

    pub(super) fn write(network: &Network) -> Result<String, Problem> {
        print(&Self {
            format: Format::Network.name().to_owned(),
            version: VERSION,
            name: network.name.clone(),
            network: network.config.clone(),
            input: network.input.clone(),
            provenance: network.provenance.clone(),
        })
    }
}
