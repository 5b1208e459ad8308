//! `tablewright explain`: what a model loses where.

use std::path::{Path, PathBuf};

use clap::builder::{RangedI64ValueParser, RangedU64ValueParser};
use serde::Serialize;
use tablewright_model::{Network, TableModel};

use crate::digest;
use crate::explain::measure::{Findings, Subjects};
use crate::explain::{Explanation, Windows, plot};
use crate::failure::{Failure, Outcome};
use crate::outfile::{self, NewFile};
use crate::parts::{Labels, Parts};
use crate::stages::Stages;
use crate::subject;
use crate::summary::base_name;
use crate::training::{NETWORK_DIGEST, override_page_bits, warn_of_pages};
use crate::ui::{Ui, Unit};

/// Show where a model loses F1: teacher, student, prototypes, tables, integers, and every kernel
///
/// First F1 after each stage, then which kernel costs most, then every kernel: its error, F1 with it alone in tables or
/// alone exact, what the integers change, and how its encoders use their codes. Thresholds are chosen on the validation
/// part of the trace and everything is measured on the test part, split as `train` does.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    tablewright explain app.safetensors --trace app.champsimtrace.xz\n  \
    tablewright explain app.safetensors --trace app.champsimtrace.xz --svg app.svg\n  \
    tablewright explain app.safetensors --trace app.champsimtrace.xz --network net.safetensors --format json\n\n\
    Student and teacher are those that `train` left beside the model, in app.stages/, unless they are given. Without \
    them the steps that need them are left out. models/EXPLAIN.md says what each figure means.")]
pub(crate) struct Args {
    /// Table model (safetensors)
    pub(crate) model: PathBuf,
    /// Memory trace: instruction records or ML-DPC load lines; raw, .xz or .gz
    #[arg(long)]
    pub(crate) trace: PathBuf,
    /// Float network that the tables were made from [default: MODEL.stages/student.safetensors]
    #[arg(long, value_name = "STUDENT")]
    pub(crate) network: Option<PathBuf>,
    /// Float network that the student learned from [default: MODEL.stages/teacher.safetensors]
    #[arg(long, value_name = "TEACHER")]
    pub(crate) teacher: Option<PathBuf>,
    /// Draw it too
    #[arg(long, value_name = "FILE")]
    pub(crate) svg: Option<PathBuf>,
    /// Use at most N windows of each part, thinned evenly
    #[arg(long, value_name = "N", default_value_t = 20_000, value_parser = RangedU64ValueParser::<usize>::new().range(1..))]
    pub(crate) max_windows: usize,
    /// Label only deltas inside a page of 2^N bytes; 12 if the trace has physical addresses
    #[arg(long, value_name = "N", value_parser = RangedI64ValueParser::<u32>::new().range(1..=48))]
    pub(crate) page_bits: Option<u32>,
}

pub(crate) fn run(args: &Args, ui: &Ui) -> Result<Outcome, Failure> {
    let mut model = subject::model(&args.model)?;
    override_page_bits(&mut model.input, args.page_bits)?;
    let mut left_out = Vec::new();
    let student = stage(args, args.network.as_deref(), &STUDENT, &model, &mut left_out)?;
    let teacher = stage(args, args.teacher.as_deref(), &TEACHER, &model, &mut left_out)?;
    if let Some(svg) = &args.svg {
        let inputs = [&args.network, &args.teacher].into_iter().flatten().chain([&args.model, &args.trace]);
        outfile::check_place(svg, &inputs.map(PathBuf::as_path).collect::<Vec<_>>())?;
    }
    let trace = subject::trace(&args.trace, ui)?;
    let own = model.provenance.get("trace");
    if let Some(own) = own.filter(|own| **own != base_name(&args.trace)) {
        ui.warn(format_args!("{}: the model was trained on {own}", args.trace.display()));
    }
    warn_of_pages(&args.trace, &trace, &model.input, ui);
    let labels = Labels { network: &model.network, input: &model.input };
    let (all, split) = labels.split(&trace)?;
    let test_of = split.test.len();
    let parts = Parts {
        train: all.subset(split.train, args.max_windows),
        valid: all.subset(split.valid, args.max_windows),
        test: all.subset(split.test, args.max_windows),
    };
    drop(all);

    let subjects = Subjects { model: &model, student: student.as_ref(), teacher: teacher.as_ref() };
    let bar = ui.bar("explaining", Unit::Items, subjects.steps() as u64);
    let mut done = 0;
    let Findings { stages, baseline, costliest, kernels } = subjects.measure(&parts, |step| {
        bar.at(done);
        bar.say(format!("explaining  {step}"));
        ui.detail(format_args!("explaining: {step}"));
        done += 1;
    })?;
    drop(bar);
    let explanation = Explanation {
        model: model.name.clone(),
        trace: trace.info.file.clone(),
        page_bits: model.input.page_bits,
        windows: Windows {
            train: parts.train.len(),
            valid: parts.valid.len(),
            test: parts.test.len(),
            test_of,
        },
        stages,
        left_out,
        baseline,
        costliest,
        kernels,
    };
    if let Some(path) = &args.svg {
        let mut file = NewFile::begin(path)?;
        let svg = plot::svg(&explanation).map_err(|problem| Failure::Draw { path: path.clone(), problem })?;
        file.write(|out| out.write_all(svg.as_bytes()))?;
        file.finish()?;
    }
    ui.print(&explanation)?;
    Ok(Outcome::Done)
}

/// A network on the way to the model.
struct Role {
    name: &'static str,
    option: &'static str,
    file: &'static str,
    /// What cannot be measured without it.
    needed_for: &'static str,
    /// Whether the model says which file it was.
    makes_tables: bool,
    /// Fields of the network's configuration that must be the model's; all, if there are none.
    fields: &'static [&'static str],
}

const STUDENT: Role = Role {
    name: "student",
    option: "--network",
    file: "student.safetensors",
    needed_for: "student, prototypes and the kernels against the student",
    makes_tables: true,
    fields: &[],
};

const TEACHER: Role = Role {
    name: "teacher",
    option: "--teacher",
    file: "teacher.safetensors",
    needed_for: "teacher",
    makes_tables: false,
    fields: &["history", "segments", "outputs"],
};

/// What decides which windows and labels a network is for.
const INPUT_FIELDS: [&str; 4] = ["block_bits", "segment_bits", "pc_segments", "lookahead"];

/// The network that was given, or the one beside the model; if there is none, says why in `left_out`.
fn stage(
    args: &Args,
    given: Option<&Path>,
    role: &Role,
    model: &TableModel,
    left_out: &mut Vec<String>,
) -> Result<Option<Network>, Failure> {
    let path = given.map_or_else(|| Stages::folder(&args.model).join(role.file), Path::to_owned);
    if given.is_none() && !path.exists() {
        let Role { needed_for, option, .. } = role;
        left_out.push(format!("{needed_for}: there is no `{}`, give {option}", path.display()));
        return Ok(None);
    }
    match student_or_teacher(path, role, model, &args.model) {
        Ok(network) => Ok(Some(network)),
        // Nobody named it: another call left it there.
        Err(problem) if given.is_none() => {
            left_out.push(format!("{}: {problem}, with {}", role.needed_for, role.option));
            Ok(None)
        }
        Err(problem) => Err(problem),
    }
}

/// A network that fits the model.
fn student_or_teacher(
    path: PathBuf,
    role: &Role,
    model: &TableModel,
    model_path: &Path,
) -> Result<Network, Failure> {
    let network = subject::network(&path)?;
    let of_network = difference("network", &network.config, &model.network, role.fields);
    let of_input = || difference("input", &network.input, &model.input, &INPUT_FIELDS);
    // Tables of a later training have their student in the same place.
    let of_file = || {
        let recorded = model.provenance.get(NETWORK_DIGEST).filter(|_| role.makes_tables)?;
        let same = digest::of_file(&path).is_ok_and(|own| own == *recorded);
        (!same).then(|| "the tables were made from another training's".to_owned())
    };
    match of_network.or_else(of_input).or_else(of_file) {
        None => Ok(network),
        Some(difference) => {
            Err(Failure::OtherNetwork { path, role: role.name, model: model_path.into(), difference })
        }
    }
}

/// The first field in which two configurations differ, with both values; only of `fields`, if there are any.
fn difference<C: Serialize>(section: &str, found: &C, expected: &C, fields: &[&str]) -> Option<String> {
    let (found, expected) = (serde_json::to_value(found).ok()?, serde_json::to_value(expected).ok()?);
    let differs = |(field, expected): (&String, &serde_json::Value)| {
        let found = &found[field];
        let counts = fields.is_empty() || fields.contains(&field.as_str());
        (counts && found != expected)
            .then(|| format!("{section}.{field} is {found}, the model's is {expected}"))
    };
    expected.as_object()?.iter().find_map(differs)
}
