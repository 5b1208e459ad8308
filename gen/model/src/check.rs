//! Whether a model or network is one: limits, shapes, finite values.

use std::collections::BTreeMap;

use crate::compare::compare;
use crate::error::{Error, Problem};
use crate::kernels::Site;
use crate::layout::{self, Layout, View, Views};
use crate::network::{InputConfig, NetworkConfig, Purpose};
use crate::table::{Encoder, EncoderKind, KernelSpec, TableModel, subspace};
use crate::weights::Network;

/// Bytes of the provenance's keys and texts together: it is read with the header, before anything is checked.
pub(crate) const PROVENANCE_LIMIT: usize = 1 << 20;

/// Magnitude of a table entry, bias or position at most, 2^20.
const LARGEST_VALUE: f32 = 1_048_576.0;

/// Bits of a byte address.
const ADDRESS_BITS: usize = 64;

/// Bits of a program counter once it is folded.
const PC_BITS: usize = 16;

impl TableModel {
    /// Whether the model keeps every rule of the format: limits of all fields, shapes, finite values, and splits inside
    /// their own subspaces. Loading and saving check this; whoever builds a model in memory should too.
    pub fn check(&self) -> Result<(), Error> {
        self.problem().map_err(|problem| problem.of(format!("model `{}`", self.name)))
    }

    /// [`Self::check`] without the name of what is checked.
    pub(crate) fn problem(&self) -> Result<(), Problem> {
        basics(&self.name, (&self.network, Purpose::Tables), &self.input, &self.provenance)?;
        model_fields(self.threshold, self.activation_bits)?;
        if self.layers.len() != self.network.layers {
            return Err(Problem::Layers { expected: self.network.layers, found: self.layers.len() });
        }
        let mut specs = Vec::new();
        for (site, kernel) in self.kernels() {
            let spec = *kernel.spec();
            for (_, encoder) in kernel.encoders() {
                if encoder.kind() != spec.encoder {
                    return Err(Problem::EncoderKind {
                        kernel: site.name,
                        expected: kind_name(spec.encoder),
                        found: kind_name(encoder.kind()),
                    });
                }
            }
            specs.push((site, spec));
        }
        kernel_limits(&specs)?;
        let views = layout::views_of_model(self);
        tensors(&layout::of_model(&self.network, &specs), &views)?;
        magnitudes(&views)?;
        for (site, kernel) in self.kernels() {
            for (part, encoder) in kernel.encoders() {
                splits(&site, part, encoder)?;
            }
        }
        Ok(())
    }
}

impl Network {
    /// Whether the network keeps every rule of the format: limits of all fields, shapes, and finite values.
    pub fn check(&self) -> Result<(), Error> {
        self.problem().map_err(|problem| problem.of(format!("network `{}`", self.name)))
    }

    /// [`Self::check`] without the name of what is checked.
    pub(crate) fn problem(&self) -> Result<(), Problem> {
        basics(&self.name, (&self.config, Purpose::Network), &self.input, &self.provenance)?;
        if self.layers.len() != self.config.layers {
            return Err(Problem::Layers { expected: self.config.layers, found: self.layers.len() });
        }
        tensors(&layout::of_network(&self.config), &layout::views_of_network(self))
    }
}

fn kind_name(kind: EncoderKind) -> &'static str {
    match kind {
        EncoderKind::Tree => "tree",
        EncoderKind::L2 => "l2",
        EncoderKind::L1 => "l1",
    }
}

fn limits(bad: Vec<String>) -> Result<(), Problem> {
    if bad.is_empty() { Ok(()) } else { Err(Problem::Limits(bad)) }
}

/// Limits of what models and networks have in common.
pub(crate) fn basics(
    name: &str,
    (network, purpose): (&NetworkConfig, Purpose),
    input: &InputConfig,
    provenance: &BTreeMap<String, String>,
) -> Result<(), Problem> {
    let mut bad = Vec::new();
    let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    if !(name.starts_with(|c: char| c.is_ascii_lowercase()) && name.len() <= 64 && name.chars().all(allowed))
    {
        bad.push(format!(
            "name is {name:?}, it must be 1 to 64 lower case letters, digits, `_` and `-`, a letter first"
        ));
    }
    bad.extend(network.violations(purpose));
    bad.extend(input.violations(network.segments));
    let text: usize = provenance.iter().map(|(key, value)| key.len() + value.len()).sum();
    if text > PROVENANCE_LIMIT {
        bad.push(format!("provenance has {text} bytes of text, allowed are {PROVENANCE_LIMIT}"));
    }
    if bad.is_empty() {
        bad.extend(segment_reach(network, input));
    }
    limits(bad)
}

/// A segment that starts above the top of what it is cut from would always be zero.
fn segment_reach(network: &NetworkConfig, input: &InputConfig) -> Vec<String> {
    let width = input.segment_bits as usize;
    let of_address = network.segments - input.pc_segments;
    let block_bits = ADDRESS_BITS - input.block_bits as usize;
    let mut bad = Vec::new();
    for (field, count, what, bits) in [
        ("network.segments less input.pc_segments", of_address, "a block address", block_bits),
        ("input.pc_segments", input.pc_segments, "a folded program counter", PC_BITS),
    ] {
        let first_bit = count.saturating_sub(1) * width;
        if first_bit >= bits {
            bad.push(format!(
                "{field} is {count} and input.segment_bits is {width}, so the last segment starts at bit {first_bit} \
                 of {what} of {bits} bits; use fewer or narrower segments"
            ));
        }
    }
    bad
}

/// Limits of the fields that only a table model has.
pub(crate) fn model_fields(threshold: f64, activation_bits: u32) -> Result<(), Problem> {
    let mut bad = Vec::new();
    if !(threshold > 0.0 && threshold < 1.0) {
        bad.push(format!("threshold is {threshold}, it must lie strictly between 0 and 1"));
    }
    if !(8..=24).contains(&activation_bits) {
        bad.push(format!("activation_bits is {activation_bits}, allowed are 8 to 24"));
    }
    limits(bad)
}

/// Limits of every kernel's choices.
pub(crate) fn kernel_limits(kernels: &[(Site, KernelSpec)]) -> Result<(), Problem> {
    let mut bad = Vec::new();
    for (site, spec) in kernels {
        let name = &site.name;
        let KernelSpec { prototypes, subspaces, bits, .. } = *spec;
        if !(prototypes.is_power_of_two() && (2..=1024).contains(&prototypes)) {
            bad.push(format!(
                "kernels.{name}.prototypes is {prototypes}, allowed are the powers of two from 2 to 1024"
            ));
        }
        let most = site.features.min(16);
        if !(1..=most).contains(&subspaces) {
            bad.push(format!(
                "kernels.{name}.subspaces is {subspaces}, allowed are 1 to {most} (at most 16, and at most the \
                 kernel's {} features)",
                site.features
            ));
        }
        if ![4, 6, 8, 12, 16, 32].contains(&bits) {
            bad.push(format!("kernels.{name}.bits is {bits}, allowed are 4, 6, 8, 12, 16 and 32"));
        }
    }
    limits(bad)
}

/// Names, shapes and finite values.
fn tensors(layout: &Layout, views: &Views<'_>) -> Result<(), Problem> {
    let found: BTreeMap<_, _> =
        views.iter().map(|(name, view)| (name.as_str(), (view.dtype(), view.shape()))).collect();
    compare(layout, &found)?;
    for (name, view) in views {
        let View::Real(array) = view else { continue };
        // Looking for the index only once something is wrong keeps the usual case a plain sweep.
        if array.iter().all(|value| value.is_finite()) {
            continue;
        }
        if let Some((index, value)) = array.indexed_iter().find(|(_, value)| !value.is_finite()) {
            return Err(Problem::NotFinite {
                name: name.clone(),
                index: ndarray::Dimension::slice(&index).to_vec(),
                value: *value,
            });
        }
    }
    Ok(())
}

/// What is added up stays so small that every exact sum fits the hardware's 63 bits. Thresholds and prototypes are only
/// compared, and may be as large as they like.
fn magnitudes(views: &Views<'_>) -> Result<(), Problem> {
    let added = |name: &str| matches!(name.rsplit('.').next(), Some("position" | "table" | "bias"));
    for (name, view) in views {
        let View::Real(array) = view else { continue };
        if !added(name) {
            continue;
        }
        if let Some((index, value)) = array.indexed_iter().find(|(_, v)| v.abs() > LARGEST_VALUE) {
            return Err(Problem::TooLarge {
                name: name.clone(),
                index: ndarray::Dimension::slice(&index).to_vec(),
                value: *value,
                limit: LARGEST_VALUE,
            });
        }
    }
    Ok(())
}

/// Every level of a tree looks at a feature of its own subspace.
fn splits(site: &Site, part: &str, encoder: &Encoder) -> Result<(), Problem> {
    let Encoder::Tree { split, .. } = encoder else {
        return Ok(());
    };
    let subspaces = split.nrows();
    for ((c, level), &feature) in split.indexed_iter() {
        let own = subspace(site.features, subspaces, c);
        if !own.contains(&(feature as usize)) {
            return Err(Problem::Split {
                name: format!("{}.{part}.split", site.name),
                index: [c, level],
                feature: i64::from(feature as i32),
                subspace: c,
                first: own.start,
                last: own.end - 1,
            });
        }
    }
    Ok(())
}
