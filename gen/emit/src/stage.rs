//! One node of a design as Verilog: its signals, its instances, and the module that is generated for it, if any.

use minijinja::Value as Context;
use serde::Serialize;
use tablewright_design::{Design, IntTable, Node, Op, SoftmaxUnit};
use tablewright_plan::{Directive, Elements, Plan, Stage, pipeline};

use crate::image::hex;
use crate::names::Names;

mod encoder;
mod table;

use encoder::encoder_module;
use table::{pair_table_module, table_module};

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
    pub instances: Vec<Instance>,
    #[serde(skip)]
    pub generated: Option<Generated>,
}

/// Bits of a node's row.
pub(crate) fn row_width(node: &Node) -> u64 {
    node.value.lanes as u64 * u64::from(node.value.format.width)
}

pub(crate) fn stage(design: &Design, plan: &Plan, names: &Names, node: &Node, timing: Stage) -> StageText {
    let input = |i: usize| design.node(node.inputs[i]);
    let width = node.value.format.width;
    let lanes = node.value.lanes;
    let mut text = StageText {
        comment: comment(node, timing),
        nets: vec![Net { name: node.name.clone(), width: row_width(node) }],
        instances: Vec::new(),
        generated: None,
    };
    let unary = |module: &str, parameters: Vec<(&str, String)>| Instance {
        module: module.to_owned(),
        name: format!("u_{}", node.name),
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
            parameters: owned(vec![
                ("History", design.accesses().to_string()),
                ("RowWidth", row_width(node).to_string()),
                ("Lead", u8::from(*lead).to_string()),
                ("Pace", timing.row_interval.to_string()),
                ("Interval", plan.interval.to_string()),
                ("Places", "Places".to_owned()),
            ]),
            ports: owned(vec![
                ("in_valid", "s_axis_tvalid".to_owned()),
                ("in_ready", "s_axis_tready".to_owned()),
                ("in_data", format!("s_axis_tdata[{}:0]", design.accesses() as u64 * row_width(node) - 1)),
                ("taken", "taken".to_owned()),
                ("out_valid", "window_valid".to_owned()),
                ("out_data", "window_data".to_owned()),
            ]),
        }),
        Op::Encode { encoder, groups } => {
            let module = names.node(&node.name);
            text.instances.push(unary(&module, vec![]));
            text.generated =
                Some(encoder_module(module, input(0), node, encoder, *groups, timing.directive.cuts));
        }
        Op::Lookup { table } => {
            let module = names.node(&node.name);
            text.instances.push(unary(&module, vec![]));
            text.generated = Some(table_module(module, node, std::slice::from_ref(table), timing.directive));
        }
        Op::ConstantScores { tables } => {
            let module = names.node(&node.name);
            text.instances.push(unary(&module, vec![]));
            text.generated = Some(table_module(module, node, tables, timing.directive));
        }
        Op::Position { shift, lead, .. } => text.instances.push(unary(
            "tw_position",
            vec![
                ("Rows", node.value.rows.to_string()),
                ("Lanes", lanes.to_string()),
                ("InWidth", in_width()),
                ("Shift", shift.to_string()),
                ("OutWidth", width.to_string()),
                ("Lead", u8::from(*lead).to_string()),
                ("Cut", cut()),
                ("File", file("constants")),
            ],
        )),
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
        Op::Threshold { threshold, warm_up } => text.instances.push(unary(
            "tw_threshold",
            vec![
                ("Lanes", lanes.to_string()),
                ("Width", in_width()),
                ("Threshold", constant(*threshold, input(0).value.format.width + 1)),
                ("WarmUp", warm_up.to_string()),
                ("Cut", cut()),
            ],
        )),
        Op::History => text.instances.push(unary(
            "tw_history",
            vec![
                ("Rows", node.value.rows.to_string()),
                ("Width", row_width(node).to_string()),
                ("Pace", timing.row_interval.to_string()),
            ],
        )),
        Op::Transpose { lead } => {
            let mut parameters = vec![
                ("Rows", input(0).value.rows.to_string()),
                ("Columns", input(0).value.lanes.to_string()),
                ("Width", width.to_string()),
                ("Pace", timing.row_interval.to_string()),
            ];
            if let Some(row) = lead {
                let bits = row.len() as u64 * u64::from(width);
                parameters.push(("Lead", "1".to_owned()));
                parameters.push(("First", format!("{bits}'h{}", hex(row, width))));
            }
            text.instances.push(unary("tw_transpose", parameters));
        }
        Op::Scores { table, .. } | Op::Mix { table, .. }
            if timing.directive.elements == Elements::Parallel =>
        {
            let module = names.node(&node.name);
            text.instances.push(Instance {
                module: module.clone(),
                name: format!("u_{}", node.name),
                parameters: vec![],
                ports: operands("left", &input(0).name, "right", &input(1).name, &node.name),
            });
            text.generated = Some(pair_table_module(module, node, [input(0), input(1)], table, timing));
        }
        Op::Scores { table, heads } => {
            let sequencer = Instance {
                module: "tw_score_sequencer".to_owned(),
                name: format!("u_{}_sequencer", node.name),
                parameters: owned(vec![
                    ("QueryRows", input(0).value.rows.to_string()),
                    ("KeyRows", input(1).value.rows.to_string()),
                    ("Heads", heads.to_string()),
                    ("Subspaces", table.subspaces.to_string()),
                    ("CodeWidth", input(0).value.format.width.to_string()),
                    ("Pace", timing.row_interval.to_string()),
                ]),
                ports: operands(
                    "query",
                    &input(0).name,
                    "key",
                    &input(1).name,
                    &format!("{}_pair", node.name),
                ),
            };
            pair_stage(&mut text, names, node, table, timing.directive, sequencer);
        }
        Op::Mix { table, columns } => {
            let sequencer = Instance {
                module: "tw_mix_sequencer".to_owned(),
                name: format!("u_{}_sequencer", node.name),
                parameters: owned(vec![
                    ("Tokens", node.value.rows.to_string()),
                    ("Heads", columns.len().to_string()),
                    ("Columns", lanes.to_string()),
                    ("HeadEnds", mask(ends(columns), lanes)),
                    ("Subspaces", table.subspaces.to_string()),
                    ("CodeWidth", input(0).value.format.width.to_string()),
                    ("Pace", timing.row_interval.to_string()),
                ]),
                ports: operands(
                    "weight",
                    &input(0).name,
                    "column",
                    &input(1).name,
                    &format!("{}_pair", node.name),
                ),
            };
            pair_stage(&mut text, names, node, table, timing.directive, sequencer);
        }
        Op::Residual { a_shift, b_shift } => text.instances.push(Instance {
            module: "tw_residual".to_owned(),
            name: format!("u_{}", node.name),
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

fn comment(node: &Node, timing: Stage) -> String {
    let v = &node.value;
    let rows = if v.rows == 1 { "1 row".to_owned() } else { format!("{} rows", v.rows) };
    let when = if v.rows == 1 {
        format!("valid in cycle {}", timing.first)
    } else {
        format!("row r valid in cycle {} + {} r", timing.first, timing.row_interval)
    };
    format!("{}: {}, {rows} of {} x {}, {when}", node.name, node.op.kind(), v.lanes, v.format)
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

/// Sequencer, table, collector.
fn pair_stage(
    text: &mut StageText,
    names: &Names,
    node: &Node,
    table: &IntTable,
    directive: Directive,
    sequencer: Instance,
) {
    let (pair, element) = (format!("{}_pair", node.name), format!("{}_element", node.name));
    let module = names.node(&node.name);
    text.nets.push(Net { name: pair.clone(), width: table.subspaces as u64 * u64::from(table.rows.ilog2()) });
    text.nets.push(Net { name: element.clone(), width: u64::from(node.value.format.width) });
    text.instances.push(sequencer);
    text.instances.push(Instance {
        module: module.clone(),
        name: format!("u_{}_table", node.name),
        parameters: vec![],
        ports: ports("in", &pair, &element),
    });
    text.instances.push(Instance {
        module: "tw_row_collector".to_owned(),
        name: format!("u_{}", node.name),
        parameters: owned(vec![
            ("Lanes", node.value.lanes.to_string()),
            ("Width", node.value.format.width.to_string()),
        ]),
        ports: ports("in", &element, &node.name),
    });
    text.generated = Some(table_module(module, node, std::slice::from_ref(table), directive));
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

/// The last column of each head.
fn ends(columns: &[usize]) -> impl Iterator<Item = usize> {
    columns.iter().scan(0, |end, count| {
        *end += count;
        Some(*end - 1)
    })
}

/// A signed constant of `width` bits.
pub(crate) fn constant(value: i64, width: u32) -> String {
    format!("{width}'h{}", hex(&[value], width))
}
