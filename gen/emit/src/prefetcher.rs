//! The prefetcher around the predictor, as numbers for its templates.

use minijinja::{Value as Context, context};
use tablewright_design::Design;
use tablewright_plan::{Plan, PrefetcherPlan};

use crate::names::Names;
use crate::stage::decision_threshold;

pub(crate) fn context(design: &Design, plan: &Plan, around: &PrefetcherPlan, names: &Names) -> Context {
    let (input, network) = (&design.input, &design.network);
    let logit_width = design.logits_format().width;
    let (module, probe) = (names.prefetcher(), names.prefetcher_probe());
    context! {
        name => design.name.clone(),
        module,
        prefetcher => names.prefetcher(),
        probe,
        streaming => design.streaming,
        history => network.history,
        block_bits => input.block_bits,
        page_bits => input.page_bits,
        degree => input.degree,
        filter => input.filter,
        reads_pc => design.reads_pc(),
        access_width => design.access_width(),
        block_width => design.block_width(),
        segments_width => design.segments_width(),
        address_segments => design.address_segments(),
        logit_width,
        threshold => decision_threshold(design),
        core_interval => plan.interval,
        latency => around.latency,
        interval => around.interval,
        places => around.places,
        queue => around.queue,
        issue => crate::render::data(&around.issue),
        lane_width => around.issue.lane_width(),
        group_width => around.issue.group_width(),
    }
}
