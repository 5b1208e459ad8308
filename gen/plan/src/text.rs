//! The Plan language: how each kernel is laid over time and space, written, printed and read.
//!
//! Data-centric directives as in MAESTRO (Kwon et al., MICRO 2019) over three dimensions: tokens `t` (rows), subspaces `c`
//! and outputs `n` (elements of a row). `SpatialMap(1,1) d` has all of d at once, in hardware of its own;
//! `TemporalMap(1,1) d` one after the other; `TemporalMap(k,k) n; Cluster(k); SpatialMap(1,1) n` k at once and these groups
//! one after the other. `cuts` says behind which of its steps a kernel has a register, the first step first; a `|` is a
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

use tablewright_design::{Design, Node, Op};

use crate::banks::Style;
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
fn maps(node: &Node, Shape { elements, fold, .. }: Shape) -> Vec<String> {
    let spatial = |d: &str| format!("SpatialMap(1,1) {d};");
    let temporal = |d: &str| format!("TemporalMap(1,1) {d};");
    let mut lines = vec![temporal("t")];
    if !node.op.tables().is_empty() {
        lines.push(spatial("c"));
    }
    let at_once = |n: usize| format!("TemporalMap({n},{n}) n; Cluster({n}); SpatialMap(1,1) n;");
    lines.push(match (&node.op, elements) {
        (Op::Scores { .. } | Op::Mix { .. }, Elements::Serial) => temporal("n"),
        (Op::Mix { columns, .. }, Elements::Parallel) => at_once(columns.iter().copied().max().unwrap_or(1)),
        (Op::Lookup { table }, _) if fold > 1 => match part(table.outputs, fold) {
            1 => temporal("n"),
            outputs => at_once(outputs),
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
    let mut seen = vec![false; design.nodes.len()];
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
        let Some((id, node)) = design.iter().find(|(_, node)| node.name == name.text) else {
            return Err(name.error(
                format!("there is no kernel `{}`", name.text),
                "`tablewright info MODEL --plan` prints all of them".to_owned(),
            ));
        };
        if std::mem::replace(&mut seen[id.0], true) {
            return Err(name.error(
                format!("kernel `{}` stands here for the second time", name.text),
                "say all about it in one place".to_owned(),
            ));
        }
        reader.expect("{", "a kernel begins with `Kernel NAME {`")?;
        directives.0[id.0] = kernel(&mut reader, node, directives.0[id.0])?;
    }
    match reader.words.get(reader.at) {
        Some(word) => Err(word.error(
            format!("`{}` behind the end of the plan", word.text),
            "a file holds one plan".to_owned(),
        )),
        None => Ok(directives),
    }
}

/// What is inside a kernel's braces.
fn kernel(reader: &mut Reader<'_>, node: &Node, otherwise: Directive) -> Result<Directive, PlanError> {
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
    let ways = ways(node);
    let old = otherwise.shape();
    let shape = if said.is_empty() {
        old
    } else if let Some(shape) = [old].iter().chain(&ways).copied().find(|&shape| flat(shape) == said) {
        shape
    } else {
        let mut all: Vec<String> = ways.iter().map(|&shape| maps(node, shape).join(" ")).collect();
        all.dedup();
        // Of the many ways to fold a wide row the least, the next and the most.
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
fn ways(node: &Node) -> Vec<Shape> {
    if let Op::Scores { .. } | Op::Mix { .. } = node.op {
        return [Elements::Parallel, Elements::Serial].map(Shape::of).into();
    }
    folds(node).into_iter().map(|fold| Shape { fold, ..Shape::of(Elements::Parallel) }).collect()
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
mod tests {
    use super::*;
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
        ] {
            let text = print(&design, &directives);
            let read = parse(&text, &design, &automatic).expect("what print wrote");
            assert_eq!(print(&design, &read), text);
            for (id, node) in design.iter() {
                assert_eq!(read.of(id).cuts, directives.of(id).cuts, "{}", node.name);
                assert_eq!(read.of(id).style, directives.of(id).style, "{}", node.name);
                assert_eq!(read.of(id).fold, directives.of(id).fold, "{}", node.name);
            }
        }
    }

    #[test]
    fn what_is_left_out_stays() {
        let design = design();
        let automatic = Directives::automatic(&design);
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
        assert_eq!(changed, ["l0_mix"]);
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
}
