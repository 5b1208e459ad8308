//! A trained network whose probabilities a smaller one learns.

use std::fs;
use std::path::PathBuf;

use ndarray::Array2;
use serde_json::Value;
use tablewright_model::{InputConfig, Network, NetworkConfig, network_from_bytes};

use crate::data::TrainingData;
use crate::device::DeviceKind;
use crate::engine::Engine;
use crate::error::Error;
use crate::loss::{Blend, ONE, Soft, entropy, sigmoid};
use crate::params;

/// Learning from a teacher (Hinton et al., arXiv 1503.02531), each output an outcome of its own:
///
/// loss = α·BCE(σ(z), y) + (1 − α)·T²·KL([σ(t/T), 1 − σ(t/T)] ‖ [σ(z/T), 1 − σ(z/T)]),
///
/// the mean over windows and outputs, with the student's logits z, the teacher's t and the labels y.
#[derive(Debug, Clone, PartialEq)]
pub struct Distillation {
    /// Network file of the teacher. Its sizes are its own; input and outputs are those of the student.
    pub teacher: PathBuf,
    /// Weight of the labels, 0 to 1.
    pub alpha: f32,
    /// T. At 1 the teacher's probabilities are learnt as they are, higher ones show more of what is unlikely.
    pub temperature: f32,
}

/// A teacher, read and found suitable.
#[derive(Debug, Clone)]
pub(crate) struct Teacher {
    path: PathBuf,
    network: Network,
    /// Of the file.
    pub(crate) bytes: Vec<u8>,
    blend: Blend,
}

impl Distillation {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let refuse =
            |option, value: f32, allowed| Err(Error::Option { option, value: value.to_string(), allowed });
        if !(0.0..=1.0).contains(&self.alpha) {
            return refuse("alpha", self.alpha, "0 (only the teacher counts) to 1 (only the labels)");
        }
        if !(0.1..=100.0).contains(&self.temperature) {
            return refuse("temperature", self.temperature, "0.1 to 100");
        }
        Ok(())
    }

    /// Reads the teacher of a student.
    pub(crate) fn load(&self, network: &NetworkConfig, input: &InputConfig) -> Result<Teacher, Error> {
        let path = self.teacher.as_path();
        let read = |reason| Error::ReadTeacher { path: path.into(), reason };
        let bytes = fs::read(path).map_err(read)?;
        let teacher = network_from_bytes(&bytes, path)?;
        let differences = differences((&teacher.config, &teacher.input), (network, input));
        if !differences.is_empty() {
            return Err(Error::Teacher { path: path.into(), differences });
        }
        let blend = Blend { alpha: self.alpha, temperature: self.temperature };
        Ok(Teacher { path: path.into(), network: teacher, bytes, blend })
    }
}

/// What the two would read or answer differently, a sentence each.
fn differences(
    (teacher, its_input): (&NetworkConfig, &InputConfig),
    (student, input): (&NetworkConfig, &InputConfig),
) -> Vec<String> {
    let sizes = [
        ("network.history", teacher.history, student.history),
        ("network.segments", teacher.segments, student.segments),
        ("network.outputs", teacher.outputs, student.outputs),
    ];
    let mut all: Vec<String> = sizes
        .into_iter()
        .filter(|(_, teacher, student)| teacher != student)
        .map(|(field, teacher, student)| format!("{field} is {teacher}, here {student}"))
        .collect();
    // How prefetches are issued is no matter of training.
    let plain = |input: &InputConfig| {
        serde_json::to_value(InputConfig { degree: 1, filter: 0, ..input.clone() }).unwrap_or_default()
    };
    let (theirs, ours) = (plain(its_input), plain(input));
    if let (Value::Object(theirs), Value::Object(ours)) = (theirs, ours) {
        for (field, here) in &ours {
            if let Some(there) = theirs.get(field).filter(|there| *there != here) {
                all.push(format!("input.{field} is {there}, here {here}"));
            }
        }
    }
    all
}

impl Teacher {
    pub(crate) fn name(&self) -> &str {
        &self.network.name
    }

    /// Its probabilities of all training windows, once: a student sees them in every epoch.
    pub(crate) fn teach(&self, data: &TrainingData, device: DeviceKind) -> Result<Soft, Error> {
        let (network, blend) = (&self.network, self.blend);
        let shapes = params::shapes(network);
        let engine = Engine::new(&network.config, shapes, data, data.unit(), device)?;
        let pieces = engine.map_logits(&params::flatten(network), &data.train, |_, logits| {
            let mut sum = 0.0;
            let finite = logits.iter().all(|z| z.is_finite());
            let probabilities: Vec<u16> = logits
                .into_iter()
                .map(|z| {
                    let (p, _) = sigmoid(z / blend.temperature);
                    let p = (p * ONE).round();
                    sum += entropy(f64::from(p / ONE));
                    p as u16
                })
                .collect();
            finite.then_some((probabilities, sum))
        });
        let mut probabilities = Vec::with_capacity(data.train.len() * data.outputs());
        let mut sum = 0.0;
        for piece in pieces {
            let (part, part_sum) = piece.ok_or_else(|| Error::TeacherOutput { path: self.path.clone() })?;
            probabilities.extend(part);
            sum += part_sum;
        }
        let shape = (data.train.len(), data.outputs());
        let probabilities = Array2::from_shape_vec(shape, probabilities)
            .map_err(|_| Error::TeacherOutput { path: self.path.clone() })?;
        let entropy = sum / probabilities.len() as f64;
        Ok(Soft { probabilities, blend, entropy })
    }
}
