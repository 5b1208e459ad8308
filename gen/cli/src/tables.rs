//! From a float network to a measured table model.

use std::time::Instant;

use serde::Serialize;
use tablewright_design::{lower, passes};
use tablewright_model::{Network, NetworkConfig, TableModel};
use tablewright_plan::Plan;
use tablewright_tabularize::{Evaluator, Options, Progress, Report, tabularize};

use crate::built::designed;
use crate::failure::Failure;
use crate::measure::{F1, f1_of_design, f1_of_floats};
use crate::parts::{Parts, data};
use crate::ui::{Ui, Unit};

/// A table model, with what it is worth and what it costs.
#[derive(Debug)]
pub(crate) struct Tables {
    pub(crate) model: TableModel,
    pub(crate) report: Report,
    /// Of the tables as they are in the file.
    pub(crate) f1_float: F1,
    /// Of the golden model, as of the hardware.
    pub(crate) f1_integer: F1,
    pub(crate) hardware: Hardware,
    /// That the tables took.
    pub(crate) seconds: f64,
}

/// What a model needs, read off its optimised design and plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct Hardware {
    /// Of all tables.
    pub(crate) table_bits: u64,
    /// Of all thresholds and prototypes, each encoder once.
    pub(crate) encoder_bits: u64,
    /// Both.
    pub(crate) storage_bits: u64,
    /// Table words read for one inference.
    pub(crate) words_per_inference: u64,
    pub(crate) latency_cycles: u64,
    pub(crate) interval_cycles: u64,
}

impl Hardware {
    /// Of a model as `build` makes it.
    pub(crate) fn of(model: &TableModel) -> Self {
        let design = designed(model, false, None);
        let plan = Plan::automatic(&design);
        let (table_bits, encoder_bits) = (design.table_bits(), design.encoder_bits());
        Self {
            table_bits,
            encoder_bits,
            storage_bits: table_bits + encoder_bits,
            words_per_inference: design.words_per_inference(),
            latency_cycles: plan.latency,
            interval_cycles: plan.interval,
        }
    }
}

/// Refuses more prototypes than there are windows: at the head every window gives one vector to learn them from.
pub(crate) fn check_samples(
    network: &NetworkConfig,
    parts: &Parts,
    options: &Options,
) -> Result<(), Failure> {
    let windows = parts.train.len().min(options.samples);
    let prototypes = |kernel: &str| options.spec_of(kernel).prototypes;
    match network.kernels().into_iter().find(|site| prototypes(&site.name) > windows) {
        Some(site) => {
            Err(Failure::FewWindows { prototypes: prototypes(&site.name), kernel: site.name, windows })
        }
        None => Ok(()),
    }
}

/// Makes tables of a network and measures them.
pub(crate) fn make(network: &Network, parts: &Parts, options: &Options, ui: &Ui) -> Result<Tables, Failure> {
    check_samples(&network.config, parts, options)?;
    let began = Instant::now();
    let bar = ui.bar("tables", Unit::Items, 1);
    let mut progress = |step: Progress| {
        bar.at_of(step.done as u64, step.of as u64);
        ui.detail(format_args!("tables: {}", step.step));
        bar.say(format!("tables  {}", step.step));
    };
    let (model, report) =
        tabularize(network, data(&parts.train), data(&parts.valid), options, &mut progress)?;
    drop(bar);
    let seconds = began.elapsed().as_secs_f64();

    let design = passes::optimise(&lower(&model));
    let (valid, test) = (parts.valid.len(), parts.test.len());
    let bar = ui.bar("measuring", Unit::Items, (valid + 2 * test) as u64);
    let at = |before: usize| {
        let bar = &bar;
        move |done: usize| bar.at((before + done) as u64)
    };
    let floats = Evaluator::of_model(&model)?.with_hardware_units(model.activation_bits);
    let f1_float = F1 {
        valid: report.f1_float_tables,
        test: f1_of_floats(&floats, &parts.test, model.threshold, at(0)),
    };
    let f1_integer = F1 {
        valid: f1_of_design(&design, &parts.valid, at(test)),
        test: f1_of_design(&design, &parts.test, at(test + valid)),
    };
    drop(bar);
    Ok(Tables { hardware: Hardware::of(&model), model, report, f1_float, f1_integer, seconds })
}
