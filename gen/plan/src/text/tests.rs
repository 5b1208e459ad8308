use super::*;
use crate::columns::side_by_side;
use crate::schedule::Plan;
use proptest::prelude::*;
use tablewright_design::{lower, passes};
use tablewright_model::testing::{dart_s, dart_s_spec, random_model};

fn design() -> Design {
    passes::for_hardware(&lower(&random_model(&dart_s(), dart_s_spec(), 1)))
}

#[test]
fn what_is_printed_is_read_back() {
    let design = design();
    let automatic = Directives::automatic(&design);
    let serial = vec![Shape::of(Elements::Serial); design.nodes.len()];
    // Every table folded as far as it can be, its banks made of one thing or the other.
    let styles =
        [Style::Logic, Style::Block { words: 512, width: 36 }, Style::Macro { words: 256, width: 64 }];
    let folded = |(i, node): (usize, &Node)| {
        let fold = folds(node).last().copied().unwrap_or(1);
        let style = if node.op.tables().is_empty() { Style::Auto } else { styles[i % 3] };
        Shape { fold, style, ..Shape::of(Elements::Parallel) }
    };
    let folded: Vec<Shape> = design.nodes.iter().enumerate().map(folded).collect();
    for directives in [
        automatic.clone(),
        Directives::within(&design, &serial, 1),
        Directives::within(&design, &folded, 9),
        Directives::within(&design, &Directives::shapes(&design), 9),
        Directives::within(&design, &side_by_side(&design, &Directives::shapes(&design), |_| 1), 9),
    ] {
        let text = print(&design, &directives);
        let read = parse(&text, &design, &automatic).expect("what print wrote");
        assert_eq!(print(&design, &read), text);
        for (id, node) in design.iter() {
            assert_eq!(read.of(id).cuts, directives.of(id).cuts, "{}", node.name);
            assert_eq!(read.of(id).style, directives.of(id).style, "{}", node.name);
            assert_eq!(read.of(id).fold, directives.of(id).fold, "{}", node.name);
            assert_eq!(read.of(id).at_once, directives.of(id).at_once, "{}", node.name);
        }
    }
}

#[test]
fn what_is_left_out_stays() {
    let design = design();
    let at_once = side_by_side(&design, &Directives::shapes(&design), |_| 1);
    let automatic = Directives::within(&design, &at_once, 20);
    let text = format!(
        "Plan {} {{ Kernel l0_mix {{ TemporalMap(1,1) t; SpatialMap(1,1) c; TemporalMap(1,1) n; }} }}",
        design.name
    );
    let read = parse(&text, &design, &automatic).expect("what print wrote");
    let changed: Vec<&str> = design
        .iter()
        .filter(|(id, _)| read.of(*id) != automatic.of(*id))
        .map(|(_, node)| node.name.as_str())
        .collect();
    // What it keeps came several at once; one element after the other it takes them one by one.
    assert_eq!(changed, ["l0_column", "l0_column_code", "l0_mix"]);
}

#[test]
fn columns_come_at_once_where_all_agree() {
    let design = design();
    let automatic = Directives::automatic(&design);
    let maps = |n: usize| match n {
        4 => "SpatialMap(1,1) t;".to_owned(),
        _ => format!("TemporalMap({n},{n}) t; Cluster({n}); SpatialMap(1,1) t;"),
    };
    let column = |n: usize| format!("Kernel l0_column {{ {} SpatialMap(1,1) n; }}", maps(n));
    let codes = |n: usize| format!("Kernel l0_column_code {{ {} SpatialMap(1,1) n; }}", maps(n));
    let serial = "Kernel l0_mix { TemporalMap(1,1) t; SpatialMap(1,1) c; TemporalMap(1,1) n; }";
    let plan = |text: String| parse(&format!("Plan {} {{ {text} }}", design.name), &design, &automatic);
    let at_once = |text: String| {
        let directives = plan(text).expect("a plan");
        ["l0_column", "l0_column_code"].map(|name| {
            let found = design.iter().find(|(_, node)| node.name == name).expect("its name");
            directives.of(found.0).at_once
        })
    };
    assert_eq!(at_once(column(2) + &codes(2)), [2, 2]);
    assert_eq!(at_once(column(4)), [4, 4]);
    assert_eq!(at_once(codes(4)), [4, 4]);
    for (text, problem) in [
        (column(2) + &codes(4), "`l0_column` has 2 rows at once and `l0_column_code` 4"),
        (column(2) + serial, "`l0_mix` takes one row of `l0_column_code` a cycle, not 2"),
        (column(3), "these maps cannot be laid out for `l0_column` (transpose)"),
        (
            column(2).replace("l0_column", "l0_score"),
            "these maps cannot be laid out for `l0_score` (transpose)",
        ),
    ] {
        assert_eq!(plan(text).expect_err("no plan").problem, problem);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Damaged files are refused or make a plan like any other.
    #[test]
    fn damaged_files_do_no_harm(
        cuts in prop::collection::vec((any::<prop::sample::Index>(), 0usize..30, "[01|{}();,a-zK ]{0,6}"), 1..5),
    ) {
        let design = design();
        let automatic = Directives::automatic(&design);
        let mut text = print(&design, &automatic);
        for (at, removed, put) in cuts {
            let start = at.index(text.len());
            let end = (start + removed).min(text.len());
            text.replace_range(start..end, &put);
        }
        if let Ok(directives) = parse(&text, &design, &automatic) {
            let plan = Plan::new(&design, &directives);
            prop_assert!(plan.latency > 0 && plan.depth >= 1);
        }
    }
}

#[test]
fn what_cannot_be_followed_is_named() {
    let design = design();
    let automatic = Directives::automatic(&design);
    let name = &design.name;
    let cases = [
        (String::new(), "line 1: the file ends here; a plan begins with `Plan NAME {`"),
        ("Plan other {\n}".to_owned(), "line 1: a plan of `other`"),
        (format!("Plan {name} {{\n Kernel nobody {{ }} }}"), "line 2: there is no kernel `nobody`"),
        (
            format!("Plan {name} {{\n Kernel head {{\n cuts 1; }} }}"),
            "line 3: cuts `1` for `head`, which has 2 steps",
        ),
        (
            format!("Plan {name} {{\n Kernel head {{\n TemporalMap(1,1) n; }} }}"),
            "line 3: these maps cannot be laid out for `head` (lookup); write `TemporalMap(1,1) t; SpatialMap(1,1) c; \
             SpatialMap(1,1) n;` or `TemporalMap(1,1) t; SpatialMap(1,1) c; TemporalMap(128,128) n; Cluster(128); \
             SpatialMap(1,1) n;` or `...` or `TemporalMap(1,1) t; SpatialMap(1,1) c; TemporalMap(1,1) n;`",
        ),
        (
            format!("Plan {name} {{\n Kernel head {{\n Bank marble; }} }}"),
            "line 3: `Bank marble` is no style of a bank; write `Bank auto;`, `Bank logic;`",
        ),
        (
            format!("Plan {name} {{\n Kernel head {{\n Bank macro 64x; }} }}"),
            "line 3: `Bank macro 64x` is no style of a bank",
        ),
        (
            format!("Plan {name} {{\n Kernel window {{\n Bank logic; }} }}"),
            "line 3: `Bank` for `window` (window), which has no table; leave it out",
        ),
        (
            format!("Plan {name} {{ Kernel head {{ }}\n Kernel head {{ }} }}"),
            "line 2: kernel `head` stands here for",
        ),
        (format!("Plan {name} {{ }} }}"), "line 1: `}` behind the end of the plan"),
    ];
    for (text, expected) in cases {
        let error = parse(&text, &design, &automatic).expect_err("a fault").to_string();
        assert!(error.starts_with(expected), "{text}: {error}");
    }
}
