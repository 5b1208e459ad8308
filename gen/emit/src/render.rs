//! The templates. They are Verilog with `${ expression }`, `<% statement %>` and `//% statement` lines.

use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, UndefinedBehavior, Value};

/// Verilog cells that are used as they stand, and templates, both by file name.
macro_rules! files {
    ($folder:literal: $($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../hdl-templates/", $folder, "/", $name)))),*]
    };
}

const CELLS: &[(&str, &str)] = files!("cells":
    "tw_access_hold.v", "tw_bank.v", "tw_best.v", "tw_check.v", "tw_cut.v", "tw_delay.v", "tw_feature_select.v",
    "tw_feature_window.v", "tw_fifo.v", "tw_fold.v", "tw_gelu.v", "tw_guard.v", "tw_held.v", "tw_history.v",
    "tw_issue.v", "tw_lanes_in.v", "tw_lanes_out.v", "tw_layer_norm.v", "tw_load_registers.v", "tw_loader.v", "tw_mix_sequencer.v", "tw_nearest_encoder.v", "tw_position.v", "tw_ram.v",
    "tw_recent_filter.v",
    "tw_relu.v", "tw_requantise.v", "tw_residual.v", "tw_rom.v", "tw_row_collector.v", "tw_row_store.v", "tw_score_sequencer.v",
    "tw_segmenter.v", "tw_select.v", "tw_softmax.v", "tw_split.v", "tw_sum_rows.v",
    "tw_swap.v", "tw_threshold.v", "tw_transpose.v",
    "tw_tree_encoder.v", "tw_valid.v", "tw_warm_up.v", "tw_window.v",
);

const TEMPLATES: &[(&str, &str)] = files!("rtl":
    "core.v.j2", "encoder.v.j2", "instance.v.j2", "load.v.j2", "load_connections.v.j2", "load_ports.v.j2", "pair_table.v.j2", "predictor.v.j2", "prefetcher.v.j2", "table.v.j2",
);

const TESTBENCH: &[(&str, &str)] = files!("tb": "feed.v.j2", "feed_connections.v.j2", "harness.cpp.j2", "prefetcher.cpp.j2", "prefetcher_probe.v.j2", "prefetcher_tb.v.j2", "probe.v.j2", "tb.v.j2");

/// Plays tables into what loads them, in simulation.
pub(crate) const TABLE_FEED: (&str, &str) =
    ("tw_table_feed.v", include_str!("../../../hdl-templates/tb/tw_table_feed.v"));

/// The text of a fixed cell by module name; `None` for a generated module.
pub(crate) fn cell(module: &str) -> Option<&'static str> {
    CELLS.iter().find(|(name, _)| name.strip_suffix(".v") == Some(module)).map(|(_, text)| *text)
}

/// The fixed cells that a piece of Verilog instantiates.
pub(crate) fn cells_in(text: &str) -> impl Iterator<Item = &'static str> {
    CELLS.iter().filter_map(|(name, _)| name.strip_suffix(".v")).filter(move |module| {
        text.lines().any(|line| {
            let line = line.trim_start();
            line.strip_prefix(module).is_some_and(|rest| rest.starts_with(" #(") || rest.starts_with(" u_"))
        })
    })
}

/// A value for a template.
pub(crate) fn data(value: &impl serde::Serialize) -> Value {
    Value::from(minijinja::value::Serde(value))
}

/// The template engine.
pub(crate) struct Templates {
    environment: Environment<'static>,
}

impl Templates {
    pub(crate) fn new() -> Result<Self, minijinja::Error> {
        let mut environment = Environment::new();
        environment.set_syntax(
            SyntaxConfig::builder()
                .variable_delimiters("${", "}")
                .block_delimiters("<%", "%>")
                .comment_delimiters("<#", "#>")
                .line_statement_prefix("//%")
                .keep_trailing_newline(true)
                .build()?,
        );
        environment.set_undefined_behavior(UndefinedBehavior::Strict);
        for (name, text) in TEMPLATES.iter().chain(TESTBENCH) {
            environment.add_template(name, text)?;
        }
        Ok(Self { environment })
    }

    pub(crate) fn render(&self, template: &str, context: Value) -> Result<String, minijinja::Error> {
        self.environment.get_template(template)?.render(context)
    }
}
