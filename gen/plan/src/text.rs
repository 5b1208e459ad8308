//! The Plan language: how each kernel is laid over time and space, written, printed and read.
//!
//! Data-centric directives as in MAESTRO (Kwon et al., MICRO 2019) over three dimensions: tokens `t` (rows), subspaces `c`
//! and outputs `n` (elements of a row). `SpatialMap(1,1) d` has all of d at once, in hardware of its own;
//! `TemporalMap(1,1) d` one after the other; `TemporalMap(k,k) n; Cluster(k); SpatialMap(1,1) n` k at once and these groups
//! one after the other. Rows can come at once out of a transpose, on their way into a pair table: `TemporalMap(k,k) t; Cluster(k);
//! SpatialMap(1,1) t`, which takes k encoders; the kernel that encodes them says the same. `cuts` says behind which of its steps a kernel has a register, the first step first; a `|` is a
//! memory's own register, which cannot be left out. `Bank` says what the banks of a table are made of ([`Style`]); without it
//! that is left to the synthesis. A table whose outputs come k at once has rows that are folded over the depth of its banks.
//!
//! ```text
//! Plan mcfns-dart {
//!   Kernel l0_mix {
//!     TemporalMap(1,1) t;
//!     SpatialMap(1,1) c;
//!     TemporalMap(7,7) n; Cluster(7); SpatialMap(1,1) n;
//!     cuts |01;
//!   }
//! }
//! ```
//!
//! What a file leaves out is laid out as it would be without the file.

use std::fmt::Write;

use tablewright_design::{Design, Node, NodeId, Op};

use crate::banks::Style;
use crate::columns::{at_once, kept_codes};
use crate::pipeline::{Directive, Directives, Elements, Shape, Step, folds, part, steps};

/// A plan file that cannot be followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}; {remedy}")]
pub struct PlanError {
    /// From 1.
    pub line: usize,
    /// What stands there and cannot.
    pub problem: String,
    /// What may stand there.
    pub remedy: String,
}

/// The directives of a design as text.
pub fn print(design: &Design, directives: &Directives) -> String {
    let mut text = format!(
        "// t: tokens (rows), c: subspaces, n: outputs (elements of a row); cuts: registers behind the steps, | a memory's own\n\
         Plan {} {{\n",
        design.name
    );
    for (id, node) in design.iter() {
        let directive = directives.of(id);
        let _ = writeln!(text, "  Kernel {} {{ // {}", node.name, node.op.kind());
        for line in maps(node, directive.shape()) {
            let _ = writeln!(text, "    {line}");
        }
        if directive.style != Style::Auto {
            let _ = writeln!(text, "    Bank {};", directive.style);
        }
        let steps = steps(node, directive.elements);
        if !steps.is_empty() {
            let _ = writeln!(text, "    cuts {};", cuts(&steps, directive.cuts));
        }
        text.push_str("  }\n");
    }
    text.push_str("}\n");
    text
}

/// The maps of a node, outermost first.
fn maps(node: &Node, Shape { elements, fold, at_once, .. }: Shape) -> Vec<String> {
    let spatial = |d: &str| format!("SpatialMap(1,1) {d};");
    let temporal = |d: &str| format!("TemporalMap(1,1) {d};");
    let together =
        |n: usize, d: &str| format!("TemporalMap({n},{n}) {d}; Cluster({n}); SpatialMap(1,1) {d};");
    let mut lines = vec![match at_once as usize {
        1 => temporal("t"),
        rows if rows == node.value.rows => spatial("t"),
        rows => together(rows, "t"),
    }];
    if !node.op.tables().is_empty() {
        lines.push(spatial("c"));
    }
    lines.push(match (&node.op, elements) {
        (Op::Scores { .. } | Op::Mix { .. }, Elements::Serial) => temporal("n"),
        (Op::Mix { columns, .. }, Elements::Parallel) => {
            together(columns.iter().copied().max().unwrap_or(1), "n")
        }
        (Op::Lookup { table }, _) if fold > 1 => match part(table.outputs, fold) {
            1 => temporal("n"),
            outputs => together(outputs, "n"),
        },
        _ => spatial("n"),
    });
    lines
}

fn cuts(steps: &[Step], mask: u32) -> String {
    let bit = |(s, step): (usize, &Step)| match (step.fixed, mask >> s & 1) {
        (true, _) => '|',
        (false, 1) => '1',
        (false, _) => '0',
    };
    steps.iter().enumerate().map(bit).collect()
}

/// Reads directives for a design; what is not said is as in `otherwise`.
pub fn parse(text: &str, design: &Design, otherwise: &Directives) -> Result<Directives, PlanError> {
    let mut reader = Reader { words: words(text), at: 0 };
    let mut directives = otherwise.clone();
    let mut lines = vec![None; design.nodes.len()];
    reader.expect("Plan", "a plan begins with `Plan NAME {`")?;
    let name = reader.next("a plan begins with `Plan NAME {`")?;
    if name.text != design.name {
        return Err(name.error(
            format!("a plan of `{}`, this model is `{}`", name.text, design.name),
            "print this model's own with `tablewright info MODEL --plan`".to_owned(),
        ));
    }
    reader.expect("{", "a plan begins with `Plan NAME {`")?;
    loop {
        let word = reader.next("a plan ends with `}`")?;
        match word.text {
            "}" => break,
            "Kernel" => {}
            other => {
                return Err(word.error(
                    format!("`{other}` where a kernel should begin"),
                    "write `Kernel NAME {` or `}`".to_owned(),
                ));
            }
        }
        let name = reader.next("a kernel begins with `Kernel NAME {`")?;
        let Some((id, _)) = design.iter().find(|(_, node)| node.name == name.text) else {
            return Err(name.error(
                format!("there is no kernel `{}`", name.text),
                "`tablewright info MODEL --plan` prints all of them".to_owned(),
            ));
        };
        if lines[id.0].replace(name.line).is_some() {
            return Err(name.error(
                format!("kernel `{}` stands here for the second time", name.text),
                "say all about it in one place".to_owned(),
            ));
        }
        reader.expect("{", "a kernel begins with `Kernel NAME {`")?;
        directives.0[id.0] = kernel(&mut reader, design, id, directives.0[id.0])?;
    }
    agree(design, &mut directives, &lines)?;
    match reader.words.get(reader.at) {
        Some(word) => Err(word.error(
            format!("`{}` behind the end of the plan", word.text),
            "a file holds one plan".to_owned(),
        )),
        None => Ok(directives),
    }
}

/// Rows that come at once are encoded at once, and kept by a pair table whose elements are parallel. Where the file says it of one
/// kernel alone (`lines`: where they begin), the others follow.
fn agree(design: &Design, directives: &mut Directives, lines: &[Option<usize>]) -> Result<(), PlanError> {
    for (id, node) in design.iter() {
        let Some(codes) = kept_codes(design, id) else { continue };
        let encoder = &design.node(codes).name;
        let said = match (lines[id.0], lines[codes.0]) {
            (None, Some(_)) => codes,
            _ => id,
        };
        let own = directives.of(said).at_once;
        if let (Some(_), Some(line)) = (lines[id.0], lines[codes.0])
            && directives.of(codes).at_once != own
        {
            return Err(PlanError {
                line,
                problem: format!(
                    "`{}` has {own} rows at once and `{encoder}` {}",
                    node.name,
                    directives.of(codes).at_once
                ),
                remedy: "give both the same maps of t".to_owned(),
            });
        }
        let serial = design.iter().find(|(id, node)| {
            node.inputs.contains(&codes) && directives.of(*id).elements == Elements::Serial
        });
        let at_once = match (serial, lines[said.0]) {
            (Some(_), None) => 1,
            (Some((_, pairs)), Some(line)) if own > 1 => {
                return Err(PlanError {
                    line,
                    problem: format!("`{}` takes one row of `{encoder}` a cycle, not {own}", pairs.name),
                    remedy: format!("write `TemporalMap(1,1) t;` for `{}` and `{encoder}`", node.name),
                });
            }
            _ => own,
        };
        directives.0[id.0].at_once = at_once;
        directives.0[codes.0].at_once = at_once;
    }
    Ok(())
}

/// What is inside a kernel's braces.
fn kernel(
    reader: &mut Reader<'_>,
    design: &Design,
    id: NodeId,
    otherwise: Directive,
) -> Result<Directive, PlanError> {
    let node = design.node(id);
    let mut said = String::new();
    let mut mask: Option<Word<'_>> = None;
    let mut style = otherwise.style;
    let first = reader.at;
    loop {
        let word = reader.next("a kernel ends with `}`")?;
        match word.text {
            "}" => break,
            "cuts" => {
                let digits = reader.next("`cuts` takes one digit a step, such as `cuts |01;`")?;
                reader.expect(";", "a directive ends with `;`")?;
                mask = Some(digits);
            }
            "Bank" => style = bank(reader, node)?,
            text => said.push_str(text),
        }
    }
    let here = reader.words[first.min(reader.words.len() - 1)].clone();
    let said = said.replace([' ', ';'], "");
    let flat = |shape| maps(node, shape).concat().replace([' ', ';'], "");
    let ways = ways(design, id);
    let old = otherwise.shape();
    let shape = if said.is_empty() {
        old
    } else if let Some(shape) = [old].iter().chain(&ways).copied().find(|&shape| flat(shape) == said) {
        shape
    } else {
        let mut all: Vec<String> = ways.iter().map(|&shape| maps(node, shape).join(" ")).collect();
        all.dedup();
        // Of many ways the least, the next and the most.
        if all.len() > 3 {
            all = vec![all[0].clone(), all[1].clone(), "...".to_owned(), all[all.len() - 1].clone()];
        }
        return Err(here.error(
            format!("these maps cannot be laid out for `{}` ({})", node.name, node.op.kind()),
            format!("write {}", all.iter().map(|way| format!("`{way}`")).collect::<Vec<_>>().join(" or ")),
        ));
    };
    let steps = steps(node, shape.elements);
    let fixed = steps.iter().enumerate().filter(|(_, step)| step.fixed).fold(0, |mask, (s, _)| mask | 1 << s);
    let cuts = match mask {
        Some(word) => read_cuts(&word, node, &steps)?,
        None if shape.elements == otherwise.elements => otherwise.cuts,
        // Of another layout's steps nothing is known: a register behind each.
        None => (1 << steps.len()) - 1,
    };
    Ok(Directive::new(Shape { style, ..shape }, cuts | fixed))
}

/// All ways to lay a node out, the cuts apart.
fn ways(design: &Design, id: NodeId) -> Vec<Shape> {
    let node = design.node(id);
    let plain = Shape::of(Elements::Parallel);
    if let Op::Scores { .. } | Op::Mix { .. } = node.op {
        return [Elements::Parallel, Elements::Serial].map(Shape::of).into();
    }
    let folded = folds(node).into_iter().map(|fold| Shape { fold, ..plain });
    let wide = at_once(design, id).into_iter().skip(1).map(|at_once| Shape { at_once, ..plain });
    folded.chain(wide).collect()
}

/// What stands behind `Bank`.
fn bank(reader: &mut Reader<'_>, node: &Node) -> Result<Style, PlanError> {
    const RULE: &str = "write `Bank auto;`, `Bank logic;`, `Bank registers;`, `Bank lut-ram;`, `Bank block WORDSxBITS;` or \
                        `Bank macro WORDSxBITS;`";
    let keyword = reader.next(RULE)?;
    if node.op.tables().is_empty() {
        return Err(keyword.error(
            format!("`Bank` for `{}` ({}), which has no table", node.name, node.op.kind()),
            "leave it out".to_owned(),
        ));
    }
    let next = reader.next(RULE)?;
    let tile = (next.text != ";").then_some(next.text);
    if tile.is_some() {
        reader.expect(";", "a directive ends with `;`")?;
    }
    Style::parse(keyword.text, tile).ok_or_else(|| {
        let said = tile.map_or_else(String::new, |tile| format!(" {tile}"));
        keyword.error(format!("`Bank {}{said}` is no style of a bank", keyword.text), RULE.to_owned())
    })
}

fn read_cuts(word: &Word<'_>, node: &Node, steps: &[Step]) -> Result<u32, PlanError> {
    let fits = word.text.len() == steps.len()
        && word.text.bytes().zip(steps).all(|(digit, step)| match digit {
            b'|' => step.fixed,
            b'0' | b'1' => !step.fixed,
            _ => false,
        });
    if !fits {
        let all: String = steps.iter().map(|step| if step.fixed { '|' } else { '1' }).collect();
        return Err(word.error(
            format!("cuts `{}` for `{}`, which has {} steps", word.text, node.name, steps.len()),
            format!("`{all}` is a register behind each; a 1 may be a 0"),
        ));
    }
    Ok(word
        .text
        .bytes()
        .enumerate()
        .filter(|(_, digit)| *digit == b'1')
        .fold(0, |mask, (s, _)| mask | 1 << s))
}

/// A word or a sign.
#[derive(Debug, Clone)]
struct Word<'a> {
    text: &'a str,
    line: usize,
}

impl Word<'_> {
    fn error(&self, problem: String, remedy: String) -> PlanError {
        PlanError { line: self.line, problem, remedy }
    }
}

/// Words and signs, without comments.
fn words(text: &str) -> Vec<Word<'_>> {
    let mut all = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let line = line.split("//").next().unwrap_or_default();
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let sign = |c: char| "{}();,".contains(c);
            let end = if sign(first) {
                first.len_utf8()
            } else {
                rest.find(|c: char| c.is_whitespace() || sign(c)).unwrap_or(rest.len())
            };
            let (word, behind) = rest.split_at(end);
            all.push(Word { text: word, line: number + 1 });
            rest = behind.trim_start();
        }
    }
    all
}

struct Reader<'a> {
    words: Vec<Word<'a>>,
    at: usize,
}

impl<'a> Reader<'a> {
    fn next(&mut self, rule: &str) -> Result<Word<'a>, PlanError> {
        let word = self.words.get(self.at).cloned().ok_or_else(|| PlanError {
            line: self.words.last().map_or(1, |word| word.line),
            problem: "the file ends here".to_owned(),
            remedy: rule.to_owned(),
        })?;
        self.at += 1;
        Ok(word)
    }

    fn expect(&mut self, text: &str, rule: &str) -> Result<(), PlanError> {
        let word = self.next(rule)?;
        if word.text == text {
            Ok(())
        } else {
            Err(word.error(format!("`{}` where `{text}` should be", word.text), rule.to_owned()))
        }
    }
}

#[cfg(test)]
mod tests;
