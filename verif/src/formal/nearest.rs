//! Nearest-prototype encoders: what a node's module connects, and the cell, whose search takes as many cycles as there are prototypes.
//!
//! The search is proved step by step. What every register is in the next cycle is compared with a reference, from any state. That
//! the code found is right is an invariant, proved by induction over cycles: of two prototypes chosen freely, one that is the best so
//! far has the distance kept, and the other one, if it has come, is no nearer.

use std::collections::BTreeMap;

use tablewright_design::{Format, IntEncoder, IntEncoderKind, Node, NodeId};

use super::pipeline::Pipeline;
use super::{Proof, Subject, Task, broken, opened, read};
use crate::Error;
use crate::certificate::{Check, Group};
use crate::instances::{Instance, instances};

/// The cell.
const CELL: &str = "tw_nearest_encoder";

/// Its registers, which become ports, with their widths.
fn registers(cell: Cell) -> [(&'static str, u64); 13] {
    let Cell { code, distance, features, .. } = cell;
    [
        ("terms", features * cell.term()),
        ("vector", cell.row()),
        ("running", 1),
        ("fetched", 1),
        ("differed", 1),
        ("summed", 1),
        ("count", code),
        ("fetched_code", code),
        ("differed_code", code),
        ("summed_code", code),
        ("distance", distance),
        ("best", distance),
        ("code", code),
    ]
}

/// Its parameters.
#[derive(Debug, Clone, Copy)]
struct Cell {
    features: u64,
    width: u64,
    code: u64,
    squared: bool,
    distance: u64,
}

impl Cell {
    fn of(instance: &Instance) -> Option<Self> {
        Some(Self {
            features: instance.number("Features")?,
            width: instance.number("Width")?,
            code: instance.number("CodeWidth")?,
            squared: instance.number("Squared")? != 0,
            distance: instance.number("DistanceWidth")?,
        })
    }

    /// Bits of a vector.
    fn row(self) -> u64 {
        self.features * self.width
    }

    /// Bits of a feature's part of the distance.
    fn term(self) -> u64 {
        if self.squared { 2 * self.width } else { self.width }
    }

    /// A checker with the cell in it, all of its registers and what it asks for shown.
    fn around(self, module: &str) -> Pipeline {
        let mut p = Pipeline::default();
        p.input("rst_n", 1);
        p.input("in_valid", 1);
        p.input("in_data", self.row());
        p.input("prototype", self.row());
        p.wire("reading", 1, None);
        p.wire("address", self.code, None);
        p.wire("out_valid", 1, None);
        let mut ports =
            vec!["clk", "rst_n", "in_valid", "in_data", "prototype", "reading", "address", "out_valid"];
        for (name, width) in registers(self) {
            p.wire(name, width, None);
            ports.push(name);
        }
        p.cell(module, &ports);
        p
    }

    /// Each register is what it should be of the cycle before, and the distance is exact: the sum of terms, and these of the vector
    /// and the prototype.
    fn steps(self, module: &str) -> String {
        let mut p = self.around(module);
        let (code, last) = (self.code, (1_u64 << self.code) - 1);
        for (register, next) in [
            ("running", format!("rst_n && (in_valid || (running && count != {last}))")),
            ("fetched", "rst_n && running".to_owned()),
            ("differed", "rst_n && fetched".to_owned()),
            ("summed", "rst_n && differed".to_owned()),
            ("out_valid", format!("rst_n && summed && summed_code == {last}")),
            // While nothing runs the count means nothing.
            ("count", format!("(in_valid ? {code}'d0 : count + {code}'d1)")),
            ("fetched_code", "count".to_owned()),
            ("differed_code", "fetched_code".to_owned()),
            ("summed_code", "differed_code".to_owned()),
            ("vector", "(in_valid ? in_data : vector)".to_owned()),
        ] {
            let width =
                registers(self).iter().find(|(name, _)| *name == register).map_or(1, |(_, width)| *width);
            let then = p.delayed(&format!("{register}_then"), width, &next, 1);
            p.never(format!("({register} != {then})"));
        }
        p.never("(reading != running || address != count)".to_owned());
        let term = self.term();
        let wide = self.distance.max(term + u64::from(self.features.next_power_of_two().ilog2())) + 1;
        let mut terms = Vec::new();
        for f in 0..self.features {
            let bits = format!("[{}:{}]", (f + 1) * self.width - 1, f * self.width);
            p.signed(&format!("x_{f}"), self.width, &format!("vector{bits}"));
            p.signed(&format!("p_{f}"), self.width, &format!("prototype{bits}"));
            let size = format!("(x_{f} < p_{f}) ? p_{f} - x_{f} : x_{f} - p_{f}");
            p.wire(&format!("size_{f}"), self.width, Some(&size));
            p.wire(&format!("wide_{f}"), term, Some(&format!("size_{f}")));
            let value = if self.squared { format!("wide_{f} * wide_{f}") } else { format!("wide_{f}") };
            p.wire(&format!("term_{f}"), term, Some(&value));
            let expected = p.delayed(&format!("term_{f}_then"), term, &format!("term_{f}"), 1);
            let found = format!("terms[{}:{}]", (f + 1) * term - 1, f * term);
            p.never(format!("({found} != {expected})"));
            terms.push(format!("{{{}'d0, {found}}}", wide - term));
        }
        // Terms are registers, so those of the cycle before are free: the sum is right whatever products are.
        p.wire("ideal", wide, Some(&terms.join(" + ")));
        let expected = p.delayed("expected", wide, "ideal", 1);
        p.never(format!("({{{}'d0, distance}} != {expected})", wide - self.distance));
        p.text()
    }

    /// The code that leaves is that of the nearest prototype, the lowest of several.
    fn invariant(self, module: &str) -> String {
        let mut p = self.around(module);
        let (code, last) = (self.code, (1_u64 << self.code) - 1);
        // Two prototypes, any, and their distances in the search that goes on; how many have come in it.
        for one in ["i", "j"] {
            p.kept(one, code);
            p.register(
                &format!("distance_{one}"),
                self.distance,
                &format!("(summed && summed_code == {one}) ? distance : distance_{one}"),
            );
        }
        p.register(
            "come",
            code + 1,
            &format!("!rst_n ? 0 : summed ? {{1'b0, summed_code}} + {}'d1 : come", code + 1),
        );
        // Codes come one by one, and a search begins with 0; whatever the distances are.
        let follows = |before: &str, now: &str, before_code: &str, now_code: &str| {
            format!(
                "(!{now} || {now_code} == 0 || ({before} && {now_code} == {before_code} + {code}'d1 && {before_code} != {last}))"
            )
        };
        let inv = [
            follows("fetched", "running", "fetched_code", "count"),
            follows("differed", "fetched", "differed_code", "fetched_code"),
            follows("summed", "differed", "summed_code", "differed_code"),
            "(!summed || summed_code == 0 || {1'b0, summed_code} == come)".to_owned(),
            format!("(!out_valid || come == {})", last + 1),
            "(come == 0 || {1'b0, code} < come)".to_owned(),
            "(!({1'b0, i} < come && code == i) || best == distance_i)".to_owned(),
            "(!({1'b0, j} < come) || (best <= distance_j && (j >= code || best < distance_j)))".to_owned(),
        ];
        p.wire("inv", 1, Some(&inv.join("\n    && ")));
        let before = p.delayed("inv_then", 1, "(inv || !rst_n)", 1);
        p.never(format!("({before} && !inv)"));
        p.text()
    }
}

impl Subject<'_> {
    /// The properties of the cells, one for each set of parameters in the build.
    pub(super) fn searches(&self) -> Result<Vec<Task>, Error> {
        let mut kinds = BTreeMap::new();
        for (_, node) in self.design.iter() {
            let module = self.names.node(&node.name);
            if self.core.iter().any(|instance| instance.module == module) {
                let all = instances(&read(&self.rtl, &module)?);
                kinds
                    .extend(all.into_iter().filter(|i| i.module == CELL).map(|i| (i.parameter_text(&[]), i)));
            }
        }
        let of = |(number, (parameters, instance)): (usize, (String, Instance))| {
            let method = "each register from any state, SAT; the minimum by induction over cycles, SAT";
            let scope = "any vector, any prototypes; distances exact and never out of their bits; each register as it should be of the \
                         cycle before; the code that leaves is of the nearest prototype, the lowest of several; full size";
            let Some(cell) = Cell::of(&instance) else {
                let check = Check::new(Group::Formal, &instance.name, "not proved", scope);
                return Ok(broken(check, "its parameters are no plain numbers"));
            };
            let metric = if cell.squared { "squares" } else { "magnitudes" };
            let name = format!(
                "nearest of {}, {} {metric} of {} bits",
                1_u64 << cell.code,
                cell.features,
                cell.width
            );
            let check =
                Check::new(Group::Formal, &name, method, scope).covering("prototypes", 1 << cell.code);
            let stem = format!("nearest_{number}");
            // There is no cell inside that would be free.
            let (module, prepare) = self.open_instance(&stem, CELL, &parameters, ("tw_rom", true))?;
            let shown = registers(cell).map(|(register, _)| format!("expose {module}/w:{register}"));
            Ok(Task {
                check,
                prepare: format!("{prepare}; {}", shown.join("; ")),
                checkers: vec![
                    (Proof::Pipeline(2), cell.steps(&module)),
                    (Proof::Pipeline(2), cell.invariant(&module)),
                ],
            })
        };
        kinds.into_iter().enumerate().map(of).collect()
    }

    /// What the module of a nearest encoder connects.
    pub(super) fn nearest(
        &self,
        id: NodeId,
        node: &Node,
        (encoder, groups): (&IntEncoder, usize),
        input: Format,
    ) -> Result<Task, Error> {
        let module = self.names.node(&node.name);
        let bank = if self.design.loaded.is_some() { "tw_bank" } else { "tw_rom" };
        let check = Check::new(
            Group::Formal,
            &format!("encoder {}", node.name),
            "what is connected to what, any state, SAT",
            "every row: each search gets its features and its subspace's prototypes, whose bank is asked by the first; codes leave as \
             found. Searches of one row begin together, so all of them ask alike; they are proved apart (`nearest of`)",
        )
        .covering("searches", (groups * encoder.subspaces) as u64)
        .covering("latency", self.latency(id, node));
        let checker = connections(&module, encoder, groups, (input, self.design.loaded.is_some()));
        let prepare = opened(&module, &self.files(&module)?, &[CELL, bank], &[]);
        Ok(Task { check, prepare, checkers: vec![(Proof::Pipeline(1), checker)] })
    }
}

/// The checker of a module with all searches and banks in it free.
fn connections(module: &str, encoder: &IntEncoder, groups: usize, (input, loaded): (Format, bool)) -> String {
    let (width, lift) = match encoder.kind {
        IntEncoderKind::Nearest { width, lift, .. } => (u64::from(width), lift),
        IntEncoderKind::Tree { width, .. } => (u64::from(width), 0),
    };
    let (lane, code) = (u64::from(input.width), u64::from(encoder.code_bits));
    let searches = groups * encoder.subspaces;
    let mut p = Pipeline::new(lane * (groups * encoder.features) as u64, code * searches as u64);
    let mut ports = Vec::new();
    for c in 0..encoder.subspaces {
        let (bank, row) = (format!("u_prototypes_{c}"), encoder.range(c).len() as u64 * width);
        p.input(&format!("word_{c}"), row);
        p.wire(&format!("asked_{c}"), code, None);
        ports.push((format!("{bank}.data"), format!("word_{c}")));
        ports.push((format!("{bank}.address"), format!("asked_{c}")));
        p.never(format!("(asked_{c} != address_0_{c})"));
        if loaded {
            ports.extend(p.joined(&bank, &[("read", "reading_0_0")]));
        }
    }
    if loaded {
        ports.extend(p.load_bus());
    }
    for (group, c) in (0..groups).flat_map(|group| (0..encoder.subspaces).map(move |c| (group, c))) {
        let (cell, row) = (format!("u_nearest_{group}_{c}"), encoder.range(c).len() as u64 * width);
        let mut vector = Vec::new();
        for f in encoder.range(c) {
            let low = (group * encoder.features + f) as u64 * lane;
            let bits = format!("in_data[{}:{low}]", low + lane - 1);
            let name = format!("{group}_{c}_{f}");
            if input.signed {
                p.signed(&format!("lane_{name}"), lane, &bits);
            } else {
                p.signed(&format!("lane_{name}"), lane + 1, &format!("{{1'b0, {bits}}}"));
            }
            p.signed(&format!("feature_{name}"), width, &format!("lane_{name} <<< {lift}"));
            vector.push(format!("feature_{name}"));
        }
        vector.reverse();
        for (port, bits, expected) in [
            ("in_valid", 1, "in_valid".to_owned()),
            ("in_data", row, format!("{{{}}}", vector.join(", "))),
            ("prototype", row, format!("word_{c}")),
        ] {
            let name = format!("got_{port}_{group}_{c}");
            p.wire(&name, bits, None);
            p.never(format!("({name} != {expected})"));
            ports.push((format!("{cell}.{port}"), name));
        }
        for (port, bits) in [("reading", 1), ("address", code), ("out_valid", 1), ("code", code)] {
            let name = format!("{port}_{group}_{c}");
            p.input(&name, bits);
            ports.push((format!("{cell}.{port}"), name));
        }
        let low = (group * encoder.subspaces + c) as u64 * code;
        p.never(format!("(out_data[{}:{low}] != code_{group}_{c})", low + code - 1));
    }
    p.never("(out_valid != out_valid_0_0)".to_owned());
    p.instance(module, "", &ports);
    p.text()
}
