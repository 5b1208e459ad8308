//! An explanation for people: the way, the kernel that costs most, then the kernels one by one.

use crate::ui::{Render, count, grid, pairs};

use super::{Codes, Explanation, Kernel, Stage};

impl Render for Explanation {
    fn text(&self) -> String {
        let mut sections = vec![self.head(), self.way()];
        sections.extend(self.verdict());
        if self.baseline.is_some() {
            sections.push(self.swaps());
            sections.push(self.errors());
        }
        sections.push(self.integers());
        sections.push(self.usage());
        sections.join("\n\n")
    }
}

impl Explanation {
    fn head(&self) -> String {
        let w = &self.windows;
        let mut rows = vec![
            ("model", self.model.clone()),
            ("trace", self.trace.clone()),
            ("windows", format!("{} to choose thresholds on, {} to measure", count(w.valid), count(w.test))),
        ];
        if w.test < w.test_of {
            rows.push(("", format!("thinned evenly, the test part has {}", count(w.test_of))));
        }
        rows.extend(self.page_bits.map(|bits| ("deltas", format!("inside a page of 2^{bits} bytes"))));
        rows.extend(self.left_out.iter().map(|why| ("left out", why.clone())));
        pairs(rows)
    }

    fn way(&self) -> String {
        let rows = self.stages.iter().map(|stage| {
            vec![
                stage.name.to_owned(),
                format!("{:.4}", stage.f1),
                stage.f1_lost.map_or_else(String::new, signed),
                meaning(stage).to_owned(),
            ]
        });
        grid(&["stage", "F1", "lost", "what it is"], &[1, 2], rows)
    }

    fn verdict(&self) -> Option<String> {
        let worst = self.costliest.as_ref()?;
        let alone = if worst.f1_lost > 0.0 {
            format!(
                "`{}` costs most: as the only kernel in tables it takes {:.4} of F1.",
                worst.alone, worst.f1_lost
            )
        } else {
            "No kernel costs F1 as the only one in tables.".to_owned()
        };
        let exact = if worst.f1_gained > 0.0 {
            format!(
                "Most is won with `{}` exact and all others in tables: {:.4} of F1.",
                worst.exact, worst.f1_gained
            )
        } else {
            "No F1 is won with any one kernel exact and all others in tables.".to_owned()
        };
        Some(format!("{alone}\n{exact}"))
    }

    /// F1 with one kernel exchanged.
    fn swaps(&self) -> String {
        let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.4}"));
        let change = |value: Option<f64>| value.map_or_else(String::new, signed);
        let rows = self.kernels.iter().map(|kernel| {
            let (alone, exact) = (kernel.alone.as_ref(), kernel.exact.as_ref());
            vec![
                kernel.name.clone(),
                choices(kernel),
                number(alone.map(|alone| alone.f1)),
                change(alone.map(|alone| alone.f1_lost)),
                number(exact.map(|exact| exact.f1)),
                change(exact.map(|exact| exact.f1_gained)),
            ]
        });
        let header = ["F1 with this kernel", "tables", "alone in tables", "lost", "alone exact", "won"];
        let table = grid(&header, &[2, 3, 4, 5], rows);
        match &self.baseline {
            Some(base) => format!(
                "{table}\nWith no kernel in tables {:.4}, with all {:.4}, thresholds chosen for each. Tables are fitted to \
                 what the tables before them\ngive, so an exact kernel among tables may also spoil what others correct.",
                base.f1_exact, base.f1_tables
            ),
            None => table,
        }
    }

    /// Output of each kernel against the student's.
    fn errors(&self) -> String {
        let rows = self.kernels.iter().map(|kernel| {
            let errors = [kernel.alone.map(|alone| alone.error), kernel.running];
            let cells = errors.into_iter().flat_map(|error| match error {
                Some(error) => [format!("{:.4}", error.cosine), brief(error.mse), percent(error.relative)],
                None => [String::new(), String::new(), String::new()],
            });
            std::iter::once(kernel.name.clone()).chain(cells).collect()
        });
        let header = [
            "output against the student",
            "alone: cosine",
            "MSE",
            "error",
            "running: cosine",
            "MSE",
            "error",
        ];
        let table = grid(&header, &[1, 2, 3, 4, 5, 6], rows);
        format!(
            "{table}\nalone: exact inputs; running: the table model's own. error: root mean square, of the student's output."
        )
    }

    fn integers(&self) -> String {
        let rows = self.kernels.iter().map(|kernel| {
            let mut row = vec![kernel.name.clone()];
            row.extend(match &kernel.integers {
                Some(found) => [
                    format!("{:.4}", found.error.cosine),
                    brief(found.error.mse),
                    percent(found.error.relative),
                    percent(Some(found.codes_changed)),
                ],
                None => ["no node".to_owned(), String::new(), String::new(), String::new()],
            });
            row.insert(1, kernel.spec.bits.to_string());
            row
        });
        let header = ["integers against float tables", "bits", "cosine", "MSE", "error", "codes changed"];
        grid(&header, &[1, 2, 3, 4, 5], rows)
    }

    fn usage(&self) -> String {
        let rows = self.kernels.iter().flat_map(|kernel| {
            kernel.codes.iter().map(move |codes| {
                let Codes { encoder, subspace, used, dead, entropy, entropy_max, top_share, margin } = codes;
                vec![
                    kernel.name.clone(),
                    (*encoder).to_owned(),
                    subspace.to_string(),
                    format!("{used} of {}", used + dead),
                    dead.to_string(),
                    format!("{entropy:.2} of {entropy_max:.0}"),
                    percent(Some(*top_share)),
                    margin.map_or_else(String::new, |margin| format!("{margin:.3}")),
                ]
            })
        });
        let header =
            ["codes of", "encoder", "subspace", "used", "dead", "entropy, bits", "most frequent", "margin"];
        let table = grid(&header, &[2, 3, 4, 5, 6, 7], rows);
        format!(
            "{table}\nmargin: mean distance to a tree's threshold, at its tightest level, in standard deviations."
        )
    }
}

/// What a stage is, in a line.
fn meaning(stage: &Stage) -> &'static str {
    match stage.name {
        "teacher" => "large float network",
        "student" => "float network of the model's size",
        "prototypes" => "student, inputs of all kernels replaced by their prototypes",
        "tables" => "table model in floats, entries fitted",
        _ => "as in hardware, bit for bit",
    }
}

/// Encoder, K, C and bits.
fn choices(kernel: &Kernel) -> String {
    let spec = &kernel.spec;
    let encoder = serde_json::to_value(spec.encoder).ok();
    let encoder = encoder.as_ref().and_then(|value| value.as_str()).unwrap_or_default();
    format!("{encoder} K{} C{} {} bits", spec.prototypes, spec.subspaces, spec.bits)
}

/// Four decimals with a sign; what rounds to nothing has none.
fn signed(value: f64) -> String {
    let text = format!("{value:+.4}");
    if text.trim_start_matches(['+', '-']) == "0.0000" { "0.0000".to_owned() } else { text }
}

fn percent(share: Option<f64>) -> String {
    share.map_or_else(String::new, |share| format!("{:.1} %", 100.0 * share))
}

/// A number of any size in few characters.
fn brief(value: f64) -> String {
    let plain = value == 0.0 || (1e-3..1e4).contains(&value);
    if plain { format!("{value:.4}") } else { format!("{value:.1e}") }
}
