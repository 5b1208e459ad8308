//! The Plan language: how each kernel is laid over time and space, written, printed and read.
//!
//! Data-centric directives as in MAESTRO (Kwon et al., MICRO 2019) over three dimensions: tokens `t` (rows), subspaces `c`
//! and outputs `n` (elements of a row). `SpatialMap(1,1) d` has all of d at once, in hardware of its own;
//! `TemporalMap(1,1) d` one after the other; `TemporalMap(k,k) n; Cluster(k); SpatialMap(1,1) n` k at once and these groups
//! one after the other. `cuts` says behind which of its steps a kernel has a register, the first step first; a `|` is a
//! memory's own register, which cannot be left out.
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

use crate::pipeline::{Directive, Directives, Elements, Step, steps};

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
        for line in maps(node, directive.elements) {
            let _ = writeln!(text, "    {line}");
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
fn maps(node: &Node, elements: Elements) -> Vec<String> {
    let spatial = |d: &str| format!("SpatialMap(1,1) {d};");
    let temporal = |d: &str| format!("TemporalMap(1,1) {d};");
    let mut lines = vec![temporal("t")];
    if !node.op.tables().is_empty() {
        lines.push(spatial("c"));
    }
    lines.push(match (&node.op, elements) {
        (Op::Scores { .. } | Op::Mix { .. }, Elements::Serial) => temporal("n"),
        (Op::Mix { columns, .. }, Elements::Parallel) => {
            let most = columns.iter().copied().max().unwrap_or(1);
            format!("TemporalMap({most},{most}) n; Cluster({most}); SpatialMap(1,1) n;")
        }
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
            text => {
                said.push_str(text);
                if text == ";" {
                    said.push(' ');
                }
            }
        }
    }
    let here = reader.words[first.min(reader.words.len() - 1)].clone();
    let flat = |elements| maps(node, elements).concat().replace([' ', ';'], "");
    let said = said.replace([' ', ';'], "");
    let choices = [otherwise.elements, Elements::Parallel, Elements::Serial];
    let elements = if said.is_empty() {
        otherwise.elements
    } else if let Some(elements) = choices.into_iter().find(|&elements| flat(elements) == said) {
        elements
    } else {
        let mut ways: Vec<String> =
            [Elements::Parallel, Elements::Serial].map(|elements| maps(node, elements).join(" ")).into();
        ways.dedup();
        return Err(here.error(
            format!("these maps cannot be laid out for `{}` ({})", node.name, node.op.kind()),
            format!("write {}", ways.iter().map(|way| format!("`{way}`")).collect::<Vec<_>>().join(" or ")),
        ));
    };
    let steps = steps(node, elements);
    let fixed = steps.iter().enumerate().filter(|(_, step)| step.fixed).fold(0, |mask, (s, _)| mask | 1 << s);
    let cuts = match mask {
        Some(word) => read_cuts(&word, node, &steps)?,
        None if elements == otherwise.elements => otherwise.cuts,
        // Of another layout's steps nothing is known: a register behind each.
        None => (1 << steps.len()) - 1,
    };
    Ok(Directive { cuts: cuts | fixed, elements })
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
        let serial = vec![Elements::Serial; design.nodes.len()];
        for directives in [
            automatic.clone(),
            Directives::within(&design, &serial, 1),
            Directives::within(&design, &Directives::shapes(&design), 9),
        ] {
            let text = print(&design, &directives);
            let read = parse(&text, &design, &automatic).expect("what print wrote");
            assert_eq!(print(&design, &read), text);
            for (id, node) in design.iter() {
                assert_eq!(read.of(id).cuts, directives.of(id).cuts, "{}", node.name);
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
                "line 3: cuts `1` for `head`, which has 1 steps",
            ),
            (
                format!("Plan {name} {{\n Kernel head {{\n TemporalMap(1,1) n; }} }}"),
                "line 3: these maps cannot be laid out for `head` (lookup); write `TemporalMap(1,1) t; SpatialMap(1,1) c; \
                 SpatialMap(1,1) n;`",
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
