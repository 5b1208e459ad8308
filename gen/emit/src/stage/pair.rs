//! Pair tables in the core: at once, or element by element between a sequencer and a collector.

use tablewright_design::{Design, IntTable, Node};
use tablewright_plan::{Elements, Plan, Stage};

use super::store::Store;
use super::table::{pair_table_module, table_module};
use super::{Instance, Net, StageText, connected, mask, operands, owned, ports};

/// What feeds the scores of queries and keys to a table, a pair a cycle.
pub(super) fn score_sequencer(
    design: &Design,
    node: &Node,
    table: &IntTable,
    heads: usize,
    timing: Stage,
) -> Instance {
    let input = |i: usize| design.node(node.inputs[i]);
    sequencer(
        "tw_score_sequencer",
        node,
        vec![
            ("QueryRows", input(0).value.rows.to_string()),
            ("KeyRows", input(1).value.rows.to_string()),
            ("Heads", heads.to_string()),
            ("Subspaces", table.subspaces.to_string()),
            ("CodeWidth", input(0).value.format.width.to_string()),
            ("Pace", timing.row_interval.to_string()),
        ],
        operands("query", &input(0).name, "key", &input(1).name, &format!("{}_pair", node.name)),
    )
}

/// What feeds the products of weights and value columns to a table, a pair a cycle. `columns`: of each head.
pub(super) fn mix_sequencer(
    design: &Design,
    node: &Node,
    table: &IntTable,
    columns: &[usize],
    timing: Stage,
) -> Instance {
    let input = |i: usize| design.node(node.inputs[i]);
    sequencer(
        "tw_mix_sequencer",
        node,
        vec![
            ("Tokens", node.value.rows.to_string()),
            ("Heads", columns.len().to_string()),
            ("Columns", node.value.lanes.to_string()),
            ("HeadEnds", mask(ends(columns), node.value.lanes)),
            ("Subspaces", table.subspaces.to_string()),
            ("CodeWidth", input(0).value.format.width.to_string()),
            ("Pace", timing.row_interval.to_string()),
        ],
        operands("weight", &input(0).name, "column", &input(1).name, &format!("{}_pair", node.name)),
    )
}

/// Adds what computes `node`: its table alone where all elements of a row come at once, else `sequencer`, table and collector.
pub(super) fn stage(
    text: &mut StageText,
    (module, store): (&str, Store<'_>),
    (design, plan): (&Design, &Plan),
    node: &Node,
    table: &IntTable,
    timing: Stage,
    sequencer: Instance,
) {
    let input = |i: usize| design.node(node.inputs[i]);
    let instance = |name: String, ports| {
        let bare = Instance { module: module.to_owned(), name, reset: true, parameters: vec![], ports };
        connected(bare, store)
    };
    if timing.directive.elements == Elements::Parallel {
        let ports = operands("left", &input(0).name, "right", &input(1).name, &node.name);
        text.instances.push(instance(format!("u_{}", node.name), ports));
        let right_at_once = plan.stage(node.inputs[1]).at_once();
        let operands = [input(0), input(1)];
        text.generated =
            Some(pair_table_module(module.to_owned(), store, node, operands, table, (timing, right_at_once)));
        return;
    }
    let (pair, element) = (format!("{}_pair", node.name), format!("{}_element", node.name));
    text.nets.push(Net { name: pair.clone(), width: table.subspaces as u64 * u64::from(table.rows.ilog2()) });
    text.nets.push(Net { name: element.clone(), width: u64::from(node.value.format.width) });
    text.instances.push(sequencer);
    text.instances.push(instance(format!("u_{}_table", node.name), ports("in", &pair, &element)));
    text.instances.push(Instance {
        module: "tw_row_collector".to_owned(),
        name: format!("u_{}", node.name),
        reset: true,
        parameters: owned(vec![
            ("Lanes", node.value.lanes.to_string()),
            ("Width", node.value.format.width.to_string()),
        ]),
        ports: ports("in", &element, &node.name),
    });
    text.generated =
        Some(table_module(module.to_owned(), store, node, std::slice::from_ref(table), timing.directive));
}

fn sequencer(
    module: &str,
    node: &Node,
    parameters: Vec<(&str, String)>,
    ports: Vec<(String, String)>,
) -> Instance {
    Instance {
        module: module.to_owned(),
        name: format!("u_{}_sequencer", node.name),
        reset: true,
        parameters: owned(parameters),
        ports,
    }
}

/// The last column of each head.
fn ends(columns: &[usize]) -> impl Iterator<Item = usize> {
    columns.iter().scan(0, |end, count| {
        *end += count;
        Some(*end - 1)
    })
}
