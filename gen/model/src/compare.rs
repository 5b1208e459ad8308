//! Whether the tensors found are those of a layout, and, where their names are not, which ones were probably meant.

use std::collections::BTreeMap;

use safetensors::Dtype;

use crate::error::Problem;
use crate::layout::{Expected, Layout};

/// Types and shapes by name.
pub(crate) type Found<'a> = BTreeMap<&'a str, (Dtype, &'a [usize])>;

/// Similarity (1 for the same text, 0 for nothing in common) from which a name is taken for another one misspelt.
/// `blocks.0.qkv.weight` has 0.74 with `layers.0.qkv.weight`; what merely ends alike, as `to_out.weight` and
/// `head.weight`, is below.
const SIMILAR: f64 = 0.7;

/// Unknown names that are compared with those of the layout, and bytes of the longest: a file of nothing but names may
/// have a million, and comparing takes time and memory by length.
const COMPARED: usize = 256;

/// Whether the tensors found are those of the layout.
pub(crate) fn compare(layout: &Layout, found: &Found<'_>) -> Result<(), Problem> {
    names(layout, found)?;
    for (name, expected) in layout {
        // Only a tensor that may be absent is.
        let Some(&(dtype, shape)) = found.get(name.as_str()) else {
            continue;
        };
        if !admits(expected.dtype, dtype) {
            return Err(Problem::Dtype {
                name: name.clone(),
                expected: admitted(expected.dtype),
                found: dtype.to_string(),
            });
        }
        if shape != expected.shape {
            return Err(Problem::Shape {
                name: name.clone(),
                expected: expected.shape.clone(),
                found: shape.to_vec(),
            });
        }
    }
    Ok(())
}

/// Real numbers may come in half the bits: to `F32` they convert exactly.
fn admits(expected: Dtype, found: Dtype) -> bool {
    expected == found || expected == Dtype::F32 && matches!(found, Dtype::F16 | Dtype::BF16)
}

fn admitted(expected: Dtype) -> String {
    if expected == Dtype::F32 { "F32, F16 or BF16".to_owned() } else { expected.to_string() }
}

/// Nothing missing, nothing unknown.
fn names(layout: &Layout, found: &Found<'_>) -> Result<(), Problem> {
    let absent: Vec<_> = layout.iter().filter(|(name, _)| !found.contains_key(name.as_str())).collect();
    let missing: Vec<_> = absent.iter().filter(|(_, expected)| !expected.optional).collect();
    let unknown: Vec<_> = found.iter().filter(|(name, _)| !layout.contains_key(**name)).collect();
    for (name, (_, shape)) in unknown.iter().take(COMPARED).filter(|(name, _)| name.len() <= COMPARED) {
        if let Some(meant) = meant(name, shape, &absent) {
            return Err(Problem::Misnamed { name: (*name).to_string(), meant, others: unknown.len() - 1 });
        }
    }
    match (missing.first(), unknown.first()) {
        (None, None) => Ok(()),
        (None, Some((name, _))) => Err(Problem::ExtraTensor { name: (*name).to_string() }),
        (Some((name, expected)), None) => Err(Problem::MissingTensor {
            name: (*name).clone(),
            dtype: expected.dtype.to_string(),
            shape: expected.shape.clone(),
        }),
        (Some(_), Some(_)) => Err(Problem::OtherTensors {
            missing: missing
                .iter()
                .map(|(name, expected)| describe(name, expected.dtype, &expected.shape))
                .collect(),
            unknown: unknown.iter().map(|(name, (dtype, shape))| describe(name, *dtype, shape)).collect(),
        }),
    }
}

fn describe(name: &str, dtype: Dtype, shape: &[usize]) -> String {
    format!("`{name}` ({dtype} {shape:?})")
}

/// The absent tensor of the same shape that a name probably stands for: one whose parts it has in order, between others
/// (`module.cls`, `layers.0.attention.qkv.weight`: people wrap modules), else the most similar one.
fn meant(name: &str, shape: &[usize], absent: &[(&String, &Expected)]) -> Option<String> {
    let mut best: Option<(f64, &String)> = None;
    for (candidate, expected) in absent {
        if expected.shape != shape {
            continue;
        }
        let mut parts = name.split('.');
        let wrapped = candidate.split('.').all(|wanted| parts.any(|part| part == wanted));
        let score = if wrapped {
            candidate.split('.').count() as f64
        } else {
            strsim::normalized_damerau_levenshtein(name, candidate)
        };
        if score >= SIMILAR && best.is_none_or(|(most, _)| score > most) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, candidate)| candidate.clone())
}
