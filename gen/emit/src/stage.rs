//! One node of a design as Verilog: its signals, its instances, and the module that is generated for it, if any.

use minijinja::Value as Context;
use serde::Serialize;
use tablewright_design::{Design, Node, Op, SoftmaxUnit};
use tablewright_plan::{Plan, Stage, pipeline};

use crate::image::{hex, index_bits};
use crate::loading::Loading;
use crate::names::Names;

mod encoder;
mod pair;
mod store;
mod table;
mod wires;

use encoder::encoder_module;
use store::{Bank, Store};
use table::table_module;

/// A pair of signals, `NAME_valid` and `NAME_data`.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Net {
    pub name: String,
    pub width: u64,
}

/// An instance in the core.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Instance {
    pub module: String,
    pub name: String,
    /// It has a reset.
    pub reset: bool,
    pub parameters: Vec<(String, String)>,
    pub ports: Vec<(String, String)>,
}

/// A module made from a template.
#[derive(Debug, Clone)]
pub(crate) struct Generated {
    pub module: String,
    pub template: &'static str,
    pub context: Context,
}

/// What one node adds to the core.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct StageText {
    pub comment: String,
    pub nets: Vec<Net>,
    /// Plain vectors.
    pub wires: Vec<Net>,
    pub instances: Vec<Instance>,
    #[serde(skip)]
    pub generated: Option<Generated>,
}

/// Bits of a node's row.
pub(crate) fn row_width(node: &Node) -> u64 {
    node.value.lanes as u64 * u64::from(node.value.format.width)
}

pub(crate) fn stage(
    design: &Design,
    plan: &Plan,
    names: &Names,
    loading: Option<&Loading>,
    node: &Node,
    timing: Stage,
) -> StageText {
    let stem = names.node(&node.name);
    let store = Store::new(loading, &node.name, &stem);
    let input = |i: usize| design.node(node.inputs[i]);
    let width = node.value.format.width;
    let lanes = node.value.lanes;
    let mut text = StageText {
        comment: comment(node, timing),
        nets: vec![Net { name: node.name.clone(), width: row_width(node) * timing.at_once() }],
        wires: Vec::new(),
        instances: Vec::new(),
        generated: None,
    };
    let unary = |module: &str, parameters: Vec<(&str, String)>| Instance {
        module: module.to_owned(),
        name: format!("u_{}", node.name),
        reset: true,
        parameters: parameters.into_iter().map(|(k, v)| (k.to_owned(), v)).collect(),
        ports: ports("in", &input(0).name, &node.name),
    };
    let in_width = || input(0).value.format.width.to_string();
    let steps = pipeline::steps(node, timing.directive.elements).len();
    let cuts = || format!("{steps}'b{}", bits(timing.directive.cuts, steps));
    let cut = cuts;
    let file = |suffix: &str| format!("{{`TW_MEM, \"{}_{suffix}.hex\"}}", names.node(&node.name));
    match &node.op {
        Op::Window { lead } => text.instances.push(Instance {
            module: "tw_window".to_owned(),
            name: "u_window".to_owned(),
            reset: true,
            parameters: window_parameters(design, plan, node, *lead, timing),
            ports: owned(vec![
                (
                    "in_valid",
                    if store.loaded() { "s_axis_tvalid && !hold" } else { "s_axis_tvalid" }.to_owned(),
                ),
                ("in_ready", if store.loaded() { "window_ready" } else { "s_axis_tready" }.to_owned()),
                ("in_data", format!("s_axis_tdata[{}:0]", design.accesses() as u64 * row_width(node) - 1)),
                ("taken", "taken".to_owned()),
                ("out_valid", "window_valid".to_owned()),
                ("out_data", "window_data".to_owned()),
            ]),
        }),
        Op::Encode { encoder, groups } => {
            text.instances.push(connected(unary(&stem, vec![]), store));
            text.generated = Some(encoder_module(
                stem.clone(),
                store,
                input(0),
                node,
                encoder,
                *groups * timing.at_once() as usize,
                timing.directive.cuts,
            ));
        }
        Op::Lookup { table } => {
            text.instances.push(connected(unary(&stem, vec![]), store));
            let tables = std::slice::from_ref(table);
            text.generated = Some(table_module(stem.clone(), store, node, tables, timing.directive));
        }
        Op::ConstantScores { tables } => {
            text.instances.push(connected(unary(&stem, vec![]), store));
            text.generated = Some(table_module(stem.clone(), store, node, tables, timing.directive));
        }
        Op::Position { shift, lead, .. } => {
            let address_width = index_bits(node.value.rows);
            let mut position = unary(
                "tw_position",
                vec![
                    ("Rows", node.value.rows.to_string()),
                    ("Lanes", lanes.to_string()),
                    ("InWidth", in_width()),
                    ("Shift", shift.to_string()),
                    ("OutWidth", width.to_string()),
                    ("Lead", u8::from(*lead).to_string()),
                    ("Cut", cut()),
                    ("AddressWidth", address_width.to_string()),
                ],
            );
            let (address, constants) = (format!("{}_row", node.name), format!("{}_constants", node.name));
            position
                .ports
                .extend(owned(vec![("address", address.clone()), ("constants", constants.clone())]));
            text.wires.push(Net { name: address.clone(), width: u64::from(address_width) });
            text.wires.push(Net { name: constants.clone(), width: row_width(node) });
            text.instances.push(position);
            text.instances.push(store.bank(Bank {
                instance: format!("u_{constants}"),
                suffix: "constants".to_owned(),
                words: node.value.rows as u64,
                width: row_width(node),
                address_width,
                address,
                data: constants,
                // The word of the next row, or of the row that comes, is always at hand.
                read: "1'b1",
                style: "auto",
            }));
        }
        Op::Requantise { step } => text.instances.push(unary(
            "tw_requantise",
            vec![
                ("Lanes", lanes.to_string()),
                ("InWidth", in_width()),
                ("InSigned", u8::from(input(0).value.format.signed).to_string()),
                ("Shift", step.shift.to_string()),
                ("OutWidth", width.to_string()),
                ("Cut", cut()),
            ],
        )),
        Op::Norm { unit, kept } => text.instances.push(unary(
            "tw_layer_norm",
            vec![
                ("Lanes", unit.lanes.to_string()),
                ("InWidth", in_width()),
                ("CentredWidth", unit.centred_width.to_string()),
                ("VarianceWidth", unit.variance_width.to_string()),
                ("GainWidth", unit.rsqrt_width.to_string()),
                ("OutWidth", width.to_string()),
                ("Outputs", lanes.to_string()),
                ("Kept", mask(kept.iter().copied(), unit.lanes)),
                ("Eps", format!("{}'d{}", unit.variance_width, unit.eps)),
                ("Cuts", cuts()),
                ("File", file("gain")),
            ],
        )),
        Op::Softmax { unit } => {
            text.instances
                .push(unary("tw_softmax", softmax_parameters(unit, node, &in_width(), &cuts(), &file)));
        }
        Op::Gelu { unit } => text.instances.push(unary(
            "tw_gelu",
            vec![
                ("Lanes", lanes.to_string()),
                ("InWidth", in_width()),
                ("IndexLeft", (-unit.index_shift).max(0).to_string()),
                ("IndexRight", unit.index_shift.max(0).to_string()),
                ("Lift", unit.lift.to_string()),
                ("BumpWidth", unit.bump_width.to_string()),
                ("OutWidth", width.to_string()),
                ("Cut", format!("1'b{}", timing.directive.cuts >> 1 & 1)),
                ("File", file("bump")),
            ],
        )),
        Op::Relu => {
            text.instances.push(unary(
                "tw_relu",
                vec![("Lanes", lanes.to_string()), ("Width", width.to_string()), ("Cut", cut())],
            ));
        }
        Op::Select { row } => text.instances.push(unary(
            "tw_select",
            vec![
                ("Rows", input(0).value.rows.to_string()),
                ("Row", row.to_string()),
                ("Width", row_width(node).to_string()),
            ],
        )),
        Op::SumRows => text.instances.push(unary(
            "tw_sum_rows",
            vec![
                ("Rows", input(0).value.rows.to_string()),
                ("Lanes", lanes.to_string()),
                ("InWidth", in_width()),
                ("OutWidth", width.to_string()),
            ],
        )),
        Op::Threshold { warm_up, .. } => {
            let mut threshold = unary(
                "tw_threshold",
                vec![
                    ("Lanes", lanes.to_string()),
                    ("Width", in_width()),
                    ("WarmUp", warm_up.to_string()),
                    ("Cut", cut()),
                ],
            );
            threshold.ports.push(("threshold".to_owned(), decision_threshold(design)));
            text.instances.push(threshold);
        }
        Op::History => text.instances.push(unary(
            "tw_history",
            vec![
                ("Rows", node.value.rows.to_string()),
                ("Width", row_width(node).to_string()),
                ("Pace", timing.row_interval.to_string()),
                ("Gap", timing.gap.to_string()),
                ("Begin", timing.begin().to_string()),
            ],
        )),
        Op::Transpose { lead } => {
            let mut parameters = vec![
                ("Rows", input(0).value.rows.to_string()),
                ("Columns", input(0).value.lanes.to_string()),
                ("Width", width.to_string()),
                ("Pace", timing.row_interval.to_string()),
            ];
            let bits = input(0).value.lanes as u64 * u64::from(width);
            let mut first = format!("{bits}'d0");
            if timing.at_once() > 1 {
                parameters.push(("AtOnce", timing.at_once().to_string()));
            }
            if let Some(row) = lead {
                parameters.push(("Lead", "1".to_owned()));
                first = format!("{bits}'h{}", hex(row, width));
                if let Some((held, net)) = store.held("lead", bits, format!("{}_lead", node.name)) {
                    first.clone_from(&net.name);
                    text.wires.push(net);
                    text.instances.push(held);
                }
            }
            let mut transpose = unary("tw_transpose", parameters);
            transpose.ports.push(("first".to_owned(), first));
            text.instances.push(transpose);
        }
        Op::Scores { table, heads } => {
            let sequencer = pair::score_sequencer(design, node, table, *heads, timing);
            pair::stage(&mut text, (&stem, store), (design, plan), node, table, timing, sequencer);
        }
        Op::Mix { table, columns } => {
            let sequencer = pair::mix_sequencer(design, node, table, columns, timing);
            pair::stage(&mut text, (&stem, store), (design, plan), node, table, timing, sequencer);
        }
        Op::Residual { a_shift, b_shift } => text.instances.push(Instance {
            module: "tw_residual".to_owned(),
            name: format!("u_{}", node.name),
            reset: true,
            parameters: owned(vec![
                ("Rows", (node.value.rows as u64 * timing.room).to_string()),
                ("Lanes", lanes.to_string()),
                ("AWidth", in_width()),
                ("AShift", a_shift.to_string()),
                ("BWidth", input(1).value.format.width.to_string()),
                ("BShift", b_shift.to_string()),
                ("OutWidth", width.to_string()),
                ("Cut", cut()),
            ]),
            ports: operands("a", &input(0).name, "b", &input(1).name, &node.name),
        }),
    }
    text
}

/// The decision threshold where it is compared: a constant, or what was loaded.
pub(crate) fn decision_threshold(design: &Design) -> String {
    match design.loaded {
        None => constant(design.threshold(), design.logits_format().width + 1),
        Some(_) => "threshold".to_owned(),
    }
}

/// Where the decision threshold is loaded to: in the predictor, which has all memories, and not where it is compared.
pub(crate) fn held_threshold(design: &Design, names: &Names, loading: Option<&Loading>) -> Option<Instance> {
    let node = design.nodes.last()?;
    let stem = names.node(&node.name);
    let width = u64::from(design.logits_format().width) + 1;
    let store = Store::new(loading, &node.name, &stem);
    store.held("threshold", width, "threshold".to_owned()).map(|(held, _)| held)
}

/// An instance of a node's own module, with what it needs for memories that are loaded.
fn connected(mut instance: Instance, store: Store<'_>) -> Instance {
    instance.ports.extend(store.ports());
    instance
}

fn comment(node: &Node, timing: Stage) -> String {
    let v = &node.value;
    let rows = if v.rows == 1 { "1 row".to_owned() } else { format!("{} rows", v.rows) };
    let when = if v.rows == 1 {
        format!("valid in cycle {}", timing.first)
    } else if let Some((_, ahead)) = timing.ahead() {
        format!(
            "the last valid in cycle {}, the next access's row r before it in cycle {ahead} + {} r",
            timing.first, timing.row_interval
        )
    } else if timing.at_once() > 1 {
        format!(
            "{} at once, group g valid in cycle {} + {} g",
            timing.at_once(),
            timing.first,
            timing.row_interval
        )
    } else {
        format!("row r valid in cycle {} + {} r", timing.first, timing.row_interval)
    };
    format!("{}: {}, {rows} of {} x {}, {when}", node.name, node.op.kind(), v.lanes, v.format)
}

fn window_parameters(
    design: &Design,
    plan: &Plan,
    node: &Node,
    lead: bool,
    timing: Stage,
) -> Vec<(String, String)> {
    let mut parameters = vec![
        ("History", design.accesses().to_string()),
        ("RowWidth", row_width(node).to_string()),
        ("Lead", u8::from(lead).to_string()),
        ("Pace", timing.row_interval.to_string()),
        ("Interval", plan.interval.to_string()),
        ("Places", "Places".to_owned()),
    ];
    // A reset sends the older rows of the first window on their way.
    if plan.stages.iter().any(|stage| stage.gap > 0) {
        parameters.push(("Begin", "1".to_owned()));
    }
    owned(parameters)
}

fn owned(pairs: Vec<(&str, String)>) -> Vec<(String, String)> {
    pairs.into_iter().map(|(k, v)| (k.to_owned(), v)).collect()
}

fn ports(prefix: &str, from: &str, to: &str) -> Vec<(String, String)> {
    owned(vec![
        (&format!("{prefix}_valid"), format!("{from}_valid")),
        (&format!("{prefix}_data"), format!("{from}_data")),
        ("out_valid", format!("{to}_valid")),
        ("out_data", format!("{to}_data")),
    ])
}

fn operands(a: &str, a_from: &str, b: &str, b_from: &str, to: &str) -> Vec<(String, String)> {
    let mut all = ports(a, a_from, to);
    all.insert(2, (format!("{b}_valid"), format!("{b_from}_valid")));
    all.insert(3, (format!("{b}_data"), format!("{b_from}_data")));
    all
}

fn softmax_parameters<'a>(
    unit: &SoftmaxUnit,
    node: &Node,
    in_width: &str,
    cuts: &str,
    file: &dyn Fn(&str) -> String,
) -> Vec<(&'a str, String)> {
    vec![
        ("Lanes", node.value.lanes.to_string()),
        ("InWidth", in_width.to_owned()),
        ("AlignRight", unit.align.max(0).to_string()),
        ("AlignLeft", (-unit.align).max(0).to_string()),
        ("TWidth", unit.exponent_width.to_string()),
        ("SumWidth", unit.sum_width.to_string()),
        ("RecipWidth", unit.recip_width.to_string()),
        ("OutWidth", node.value.format.width.to_string()),
        ("Cuts", cuts.to_owned()),
        ("PowerFile", file("power")),
        ("RecipFile", file("recip")),
    ]
}

/// The lowest bits of a mask in binary, bit 0 last.
fn bits(mask: u32, count: usize) -> String {
    (0..count).rev().map(|bit| if mask >> bit & 1 == 1 { '1' } else { '0' }).collect()
}

/// A constant of `width` bits in which these are set.
fn mask(set: impl Iterator<Item = usize>, width: usize) -> String {
    let mut digits = vec![b'0'; width];
    set.for_each(|bit| digits[width - 1 - bit] = b'1');
    format!("{width}'b{}", String::from_utf8_lossy(&digits))
}

/// A signed constant of `width` bits.
fn constant(value: i64, width: u32) -> String {
    format!("{width}'h{}", hex(&[value], width))
}
