use tablewright_design::{lower, passes};
use tablewright_model::NetworkConfig;
use tablewright_model::testing::{dart, dart_s, dart_s_spec, dart_spec, dart_stream, random_model};

use super::layout::{Drawing, FONT, LABEL_FONT, Rect, Text, place, width};
use super::*;

/// Models of one layer and two, by windows and streaming, with passes and without: shapes of diagrams as they come.
fn designs() -> Vec<Design> {
    let two = NetworkConfig { layers: 2, ..dart() };
    let models = [
        random_model(&dart_s(), dart_s_spec(), 1),
        random_model(&dart(), dart_spec(), 2),
        random_model(&dart_stream(), dart_spec(), 3),
        random_model(&two, dart_s_spec(), 4),
    ];
    models.iter().map(lower).flat_map(|design| [passes::for_hardware(&design), design]).collect()
}

fn drawings() -> Vec<Drawing> {
    designs().iter().map(|design| place(&items(design, &Plan::automatic(design)))).collect()
}

fn area(text: &Text, font: i32) -> Rect {
    Rect { x: text.x, y: text.y - font, width: width(&text.words, font), height: font }
}

fn apart(a: Rect, b: Rect) -> bool {
    a.x + a.width <= b.x || b.x + b.width <= a.x || a.y + a.height <= b.y || b.y + b.height <= a.y
}

fn within(inner: Rect, outer: Rect) -> bool {
    inner.x >= outer.x
        && inner.y >= outer.y
        && inner.x + inner.width <= outer.x + outer.width
        && inner.y + inner.height <= outer.y + outer.height
}

#[test]
fn nothing_lies_on_anything_else() {
    for drawing in drawings() {
        let page = Rect { x: 0, y: 0, width: drawing.width, height: drawing.height };
        for (i, block) in drawing.blocks.iter().enumerate() {
            assert!(within(block.at, page), "{block:?}");
            assert_eq!(drawing.groups.iter().filter(|g| within(block.at, g.at)).count(), 1, "{block:?}");
            for other in &drawing.blocks[i + 1..] {
                assert!(apart(block.at, other.at), "{block:?} {other:?}");
            }
            for text in &block.texts {
                assert!(within(area(text, FONT), block.at), "{text:?}");
            }
            let titles = drawing.groups.iter().flat_map(|g| &g.texts).map(|text| area(text, FONT));
            for text in titles.chain(drawing.labels.iter().map(|text| area(text, LABEL_FONT))) {
                assert!(apart(text, block.at), "{text:?} {block:?}");
            }
        }
        for group in &drawing.groups {
            assert!(within(group.at, page));
            for text in &group.texts {
                assert!(within(area(text, FONT), group.at), "{text:?}");
            }
        }
    }
}

/// Segments of a wire as rectangles without a height or a width.
fn segments(points: &[(i32, i32)]) -> impl Iterator<Item = Rect> {
    points.windows(2).map(|ends| {
        let ((ax, ay), (bx, by)) = (ends[0], ends[1]);
        Rect { x: ax.min(bx), y: ay.min(by), width: (ax - bx).abs(), height: (ay - by).abs() }
    })
}

/// Wires go along the axes, through no box, and on no other net's wire; crossing one is fine.
#[test]
fn wires_can_be_followed() {
    for drawing in drawings() {
        for (i, wire) in drawing.wires.iter().enumerate() {
            for segment in segments(&wire.points) {
                assert!(segment.width == 0 || segment.height == 0, "{wire:?}");
                for block in &drawing.blocks {
                    assert!(apart(segment, block.at), "{wire:?} {block:?}");
                }
                for other in drawing.wires[i + 1..].iter().filter(|other| other.source != wire.source) {
                    for beside in segments(&other.points) {
                        let flat = segment.height == 0 && beside.height == 0 && segment.y == beside.y;
                        let steep = segment.width == 0 && beside.width == 0 && segment.x == beside.x;
                        let thick = |r: Rect| Rect { width: r.width + 1, height: r.height + 1, ..r };
                        assert!(
                            !(flat || steep) || apart(thick(segment), thick(beside)),
                            "{wire:?} {other:?}"
                        );
                    }
                }
            }
        }
    }
}

/// Every node is there with what it is, every operand has its wire, and time runs from left to right.
#[test]
fn all_of_the_design_is_drawn() {
    for design in designs() {
        let plan = Plan::automatic(&design);
        let items = items(&design, &plan);
        let drawing = place(&items);
        assert_eq!(drawing.blocks.len(), design.nodes.len() + 3);
        assert_eq!(drawing.wires.len(), design.nodes.iter().map(|n| n.inputs.len()).sum::<usize>() + 3);
        for ((id, node), block) in design.iter().zip(&drawing.blocks[1..]) {
            let lines: Vec<&str> = block.texts.iter().map(|text| text.words.as_str()).collect();
            assert_eq!(lines[..2], [node.name.as_str(), node.op.kind()]);
            assert!(lines[3].ends_with(&plan.stage(id).last().to_string()), "{lines:?}");
            let memories = Resources::of_node(&design, &plan, node, plan.stage(id)).memories;
            let banks = memories.iter().filter(|memory| memory.holds == Holds::TableBank);
            let banks = banks.map(|memory| memory.count).sum::<u64>();
            assert_eq!(lines.iter().any(|line| line.starts_with(&format!("{banks} bank"))), banks > 1);
            assert_eq!(block.ahead, plan.stage(id).ahead().is_some());
        }
        assert!(items.iter().all(|item| item.inputs.iter().all(|&i| items[i].band.place <= item.band.place)));
        for wire in &drawing.wires {
            let from = wire.points[0];
            assert!(drawing.blocks.iter().any(|b| b.at.x + b.at.width == from.0 && b.at.y < from.1));
        }
        assert_eq!(text(&design, &plan), text(&design, &plan));
    }
}
