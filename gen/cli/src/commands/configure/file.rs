//! The configuration that was chosen, as a file for `train --config`.

use std::path::Path;

use tablewright_configure::candidate::encoder_name;
use tablewright_model::KernelSpec;
use toml::{Table, Value};

use super::report::Chosen;
use super::{Call, Strategy};
use crate::failure::Failure;
use crate::outfile::NewFile;

/// Writes the configuration that the search began from with what was chosen in it. Other sections stay as they are;
/// comments of the original are lost.
pub(super) fn write(path: &Path, call: &Call<'_>, chosen: &Chosen) -> Result<(), Failure> {
    let text = text(call, chosen)?;
    let mut file = NewFile::begin(path)?;
    file.write(|out| out.write_all(text.as_bytes()))?;
    file.finish()
}

fn text(call: &Call<'_>, chosen: &Chosen) -> Result<String, Failure> {
    let fail = |problem: String| Failure::Config { config: call.args.config.clone(), line: None, problem };
    let mut document: Table = call.text.parse().map_err(|error: toml::de::Error| fail(error.to_string()))?;
    let network = Value::try_from(&chosen.candidate.network).map_err(|error| fail(error.to_string()))?;
    document.insert("network".into(), network);
    let input = Value::try_from(&call.config.input).map_err(|error| fail(error.to_string()))?;
    document.insert("input".into(), input);
    if let Some(Value::Table(training)) = document.get_mut("training")
        && let Some(max) = call.config.training.max_windows
    {
        training.insert("max_windows".into(), Value::Integer(max as i64));
    }
    // Found from wherever the configuration was read: this file may lie elsewhere.
    if let (Some(Value::Table(lesson)), Some(own)) =
        (document.get_mut("distillation"), &call.config.distillation)
    {
        let file = std::path::absolute(&own.teacher).ok().filter(|path| path.is_file());
        let teacher = file.map_or_else(|| own.teacher.clone(), |path| path.display().to_string());
        lesson.insert("teacher".into(), Value::String(teacher));
    }
    if let Some(Value::Table(tables)) = document.get_mut("tables") {
        tables.extend(spec(chosen.candidate.spec));
        let own = chosen.candidate.own.iter();
        let own: Table = own.map(|(name, one)| (name.clone(), Value::Table(spec(*one)))).collect();
        tables.remove("kernels");
        if !own.is_empty() {
            tables.insert("kernels".into(), Value::Table(own));
        }
    }
    let body = toml::to_string(&document).map_err(|error| fail(error.to_string()))?;
    Ok(format!("{}\n{body}", heading(call, chosen)))
}

/// Where it comes from: names of files only, nothing that differs from run to run.
fn heading(call: &Call<'_>, chosen: &Chosen) -> String {
    let name = call.args.subject.file_name().unwrap_or_default().to_string_lossy();
    let rule = match call.args.strategy {
        Strategy::Greedy => "largest latency, then largest storage, within the limits",
        Strategy::Measured => "best measured F1 within the limits",
    };
    let f = &chosen.figures;
    let mut lines = vec![
        format!("# Chosen by `tablewright configure {name}`: {rule}."),
        format!(
            "# {}: {} cycles of at most {}, {} bytes of tables and encoders of at most {}.",
            chosen.candidate,
            f.latency_cycles,
            call.limits.latency_cycles,
            f.storage_bytes,
            call.limits.storage_bytes
        ),
    ];
    if let Some(f1) = &chosen.f1 {
        lines.push(format!("# F1 of the integer tables: validation {:.4}, test {:.4}.", f1.valid, f1.test));
        if call.network.is_none() {
            lines.push(
                "# Its student had no teacher: `train --teacher none` with this seed gives it again.".into(),
            );
        }
    }
    lines.push(String::new());
    lines.join("\n")
}

fn spec(spec: KernelSpec) -> Table {
    let KernelSpec { encoder, prototypes, subspaces, bits } = spec;
    let number = |n: usize| Value::Integer(n as i64);
    [
        ("encoder", Value::String(encoder_name(encoder).to_owned())),
        ("prototypes", number(prototypes)),
        ("subspaces", number(subspaces)),
        ("bits", number(bits as usize)),
    ]
    .into_iter()
    .map(|(field, value)| (field.to_owned(), value))
    .collect()
}
