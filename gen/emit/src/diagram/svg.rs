//! A drawing as SVG 1.1.

use std::fmt::Write;

use super::Class;
use super::layout::{Drawing, FONT, LABEL_FONT, LEGEND, Text, width};
use crate::ipxact::escaped;

const EDGE: &str = "#444444";
const AHEAD: &str = "#b35900";

fn colour(class: Class) -> &'static str {
    match class {
        Class::Stream => "#dddddd",
        Class::Table => "#cfe3f7",
        Class::Encoder => "#d5efd0",
        Class::Arithmetic => "#ffffff",
        Class::Storage => "#fbe9bf",
    }
}

pub(super) fn print(title: &str, drawing: &Drawing) -> String {
    let (wide, high) = (drawing.width, drawing.height);
    let mut out = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" version=\"1.1\" width=\"{wide}\" \
         height=\"{high}\" viewBox=\"0 0 {wide} {high}\" font-family=\"sans-serif\" font-size=\"{FONT}\" fill=\"#111111\">\n\
         <title>{title}</title>\n<rect width=\"{wide}\" height=\"{high}\" fill=\"#ffffff\"/>\n\
         <text x=\"16\" y=\"32\" font-size=\"16\" font-weight=\"bold\">{title}</text>\n",
        title = escaped(title),
    );
    for group in &drawing.groups {
        let _ = writeln!(
            out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"6\" fill=\"#f4f4f6\"/>",
            group.at.x, group.at.y, group.at.width, group.at.height
        );
        texts(&mut out, &group.texts);
    }
    for wire in &drawing.wires {
        let points: Vec<String> = wire.points.iter().map(|(x, y)| format!("{x},{y}")).collect();
        // Viewers show the title of what the pointer is on.
        let name = drawing.blocks[wire.source].texts.first().map_or("", |text| &text.words);
        let _ = writeln!(
            out,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{EDGE}\" shape-rendering=\"crispEdges\"><title>{}</title></polyline>",
            points.join(" "),
            escaped(name)
        );
        if let Some((x, y)) = wire.points.last() {
            let _ = writeln!(
                out,
                "<polygon points=\"{x},{y} {back},{above} {back},{below}\" fill=\"{EDGE}\"/>",
                back = x - 7,
                above = y - 3,
                below = y + 3
            );
        }
    }
    for block in &drawing.blocks {
        let edge = if block.ahead { AHEAD } else { EDGE };
        let dashes = if block.ahead { " stroke-width=\"2\" stroke-dasharray=\"5 3\"" } else { "" };
        let _ = writeln!(
            out,
            "<rect x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\" rx=\"3\" fill=\"{}\" stroke=\"{edge}\"{dashes}/>",
            block.at.x,
            block.at.y,
            block.at.width,
            block.at.height,
            colour(block.class)
        );
        texts(&mut out, &block.texts);
    }
    for Text { x, y, words } in &drawing.labels {
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\" font-size=\"{LABEL_FONT}\">{words}</text>");
    }
    legend(&mut out, drawing);
    out.push_str("</svg>\n");
    out
}

/// The first one bold.
fn texts(out: &mut String, texts: &[Text]) {
    for (i, Text { x, y, words }) in texts.iter().enumerate() {
        let bold = if i == 0 { " font-weight=\"bold\"" } else { "" };
        let _ = writeln!(out, "<text x=\"{x}\" y=\"{y}\"{bold}>{}</text>", escaped(words));
    }
}

/// What colours, lines and numbers mean.
fn legend(out: &mut String, drawing: &Drawing) {
    let y = drawing.height - LEGEND + 6;
    let mut x = 16;
    for (class, what) in [
        (Class::Stream, "stream"),
        (Class::Table, "table look-up"),
        (Class::Encoder, "encoder"),
        (Class::Arithmetic, "arithmetic"),
        (Class::Storage, "keeps or reorders rows"),
    ] {
        let fill = colour(class);
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"14\" height=\"12\" fill=\"{fill}\" stroke=\"{EDGE}\"/>",
            y - 10
        );
        let _ = writeln!(out, "<text x=\"{}\" y=\"{y}\">{what}</text>", x + 20);
        x += 36 + width(what, FONT);
    }
    if drawing.blocks.iter().any(|block| block.ahead) {
        let _ = writeln!(
            out,
            "<rect x=\"{x}\" y=\"{}\" width=\"14\" height=\"12\" fill=\"#ffffff\" stroke=\"{AHEAD}\" stroke-width=\"2\" \
             stroke-dasharray=\"5 3\"/>",
            y - 10
        );
        let _ = writeln!(
            out,
            "<text x=\"{}\" y=\"{y}\">all rows but the last come ahead of their access</text>",
            x + 20
        );
    }
    let _ = writeln!(
        out,
        "<text x=\"16\" y=\"{}\">In a box: name, operation, rows x lanes x format, cycles of the first and the last row after the \
         acceptance, memories as words x bits. On a wire: bits of a row.</text>",
        y + 18
    );
}
