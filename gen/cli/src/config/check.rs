//! Limits of what a configuration says.

use tablewright_model::{InputConfig, NetworkConfig, Purpose};
use tablewright_tabularize::{Error as TableError, Options};

use super::{Distillation, Training};

/// Where a field stands, and the sentence about it.
pub(super) type Violation = (Vec<String>, String);

/// The first field of network and input outside its limits.
pub(super) fn network(network: &NetworkConfig, input: &InputConfig, purpose: Purpose) -> Option<Violation> {
    let mut limits = network.violations(purpose);
    limits.extend(input.violations(network.segments));
    let sentence = limits.into_iter().next()?;
    // Each begins with its field, `network.dim is …`.
    let field = sentence.split(' ').next().unwrap_or_default();
    Some((field.split('.').map(str::to_owned).collect(), sentence))
}

/// The first of the choices of tables that this network does not allow.
pub(super) fn tables(tables: &Options, network: &NetworkConfig) -> Option<Violation> {
    tables.check(network).err().map(|error| table_field(&error))
}

/// The first field of `[training]` outside its limits.
pub(super) fn training(training: &Training) -> Option<Violation> {
    let Training { epochs, batch, lr, weight_decay, patience, max_windows } = *training;
    let bad = |field: &str, value: String, allowed: &str| Some(violation("training", field, &value, allowed));
    if !(1..=100_000).contains(&epochs) {
        return bad("epochs", epochs.to_string(), "1 to 100000");
    }
    if !(1..=65_536).contains(&batch) {
        return bad("batch", batch.to_string(), "1 to 65536");
    }
    if !(lr > 0.0 && lr <= 1.0) {
        return bad("lr", lr.to_string(), "numbers above 0, up to 1");
    }
    if !(0.0..=1.0).contains(&weight_decay) {
        return bad("weight_decay", weight_decay.to_string(), "0 to 1");
    }
    if patience == 0 {
        return bad("patience", patience.to_string(), "1 or more");
    }
    if max_windows == Some(0) {
        return bad("max_windows", "0".into(), "1 or more");
    }
    None
}

/// The first field of `[distillation]` outside its limits.
pub(super) fn distillation(distillation: &Distillation) -> Option<Violation> {
    let Distillation { teacher: _, alpha, temperature } = *distillation;
    let bad = |field: &str, value: f64, allowed: &str| {
        Some(violation("distillation", field, &value.to_string(), allowed))
    };
    if !(0.0..=1.0).contains(&alpha) {
        return bad("alpha", alpha, "0 to 1");
    }
    if !(0.1..=100.0).contains(&temperature) {
        return bad("temperature", temperature, "0.1 to 100");
    }
    None
}

fn violation(section: &str, field: &str, value: &str, allowed: &str) -> Violation {
    (vec![section.into(), field.to_owned()], format!("{section}.{field} is {value}, allowed are {allowed}"))
}

/// Where the options say what the tabularizer refuses.
fn table_field(error: &TableError) -> Violation {
    let own =
        |parts: &[&str]| ["tables"].iter().chain(parts).map(|&part| part.to_owned()).collect::<Vec<_>>();
    match error {
        TableError::Option { field, value, low, high } => {
            (own(&[field]), format!("tables.{field} is {value}, allowed are {low} to {high}"))
        }
        TableError::UnknownKernel { name, known } => {
            let problem = format!("tables.kernels has a section `{name}`, the network's kernels are {known}");
            (own(&["kernels", name]), problem)
        }
        TableError::Prototypes { kernel, .. } => (own(&["kernels", kernel, "prototypes"]), error.to_string()),
        TableError::Subspaces { kernel, .. } => (own(&["kernels", kernel, "subspaces"]), error.to_string()),
        TableError::Bits { kernel, .. } => (own(&["kernels", kernel, "bits"]), error.to_string()),
        other => (own(&[]), other.to_string()),
    }
}
