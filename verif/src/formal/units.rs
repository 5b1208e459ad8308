//! Units that take a row whole: layer normalisation and softmax, each step against the formula of its contract.
//!
//! A unit is cut at the signals between its steps. Each of them is then a port twice: what the step behind it takes, which is free,
//! and what the step in front of it makes, which must be the formula of what that one took, as many cycles before as it has
//! registers. Since every signal follows from those before it, all steps together make the contract's result of each row. Memories
//! are free: they answer whatever they like, and are asked what they should be.

use std::fmt::Write;

use tablewright_design::{Node, NodeId, NormUnit, Op, SoftmaxUnit};

use super::lanes::Row;
use super::pipeline::Pipeline;
use super::{Proof, Subject, Task, each};
use crate::Error;
use crate::certificate::{Check, Group};

impl Subject<'_> {
    /// A layer normalisation or a softmax.
    pub(super) fn unit(&self, id: NodeId, node: &Node) -> Result<Option<Task>, Error> {
        let Some(instance) = self.core.iter().find(|i| i.name == format!("u_{}", node.name)) else {
            return Ok(None);
        };
        let input = self.design.node(node.inputs[0]).value;
        let row = Row {
            lanes: input.lanes,
            input: input.format,
            output: node.value.format,
            latency: self.latency(id, node),
        };
        let (module, prepare) = self.open_instance(
            &node.name,
            &instance.module,
            &instance.parameter_text(&[]),
            ("tw_rom", false),
        )?;
        let cuts = self.plan.stage(id).directive.cuts as u8;
        let cut = match &node.op {
            Op::Norm { unit, kept } => norm(&module, row, unit, kept, cuts),
            Op::Softmax { unit } => softmax(&module, row, unit, cuts),
            _ => return Ok(None),
        };
        let check = Check::new(
            Group::Formal,
            &format!("{} {}", node.op.kind(), node.name),
            &format!("each step by itself, its operands free; unrolled {} cycles from any state, SAT", row.latency + 1),
            "every row, every content of its memories; this instance's parameters, full size. Sums modulo their widths, which the \
             bounds of the design prove wide enough",
        )
        .covering("lanes", input.lanes as u64)
        .covering("signals cut", cut.signals.len() as u64)
        .covering("depth", row.latency + 1);
        let prepare = format!("{prepare}; {}", each(&cut.signals, &format!("expose -cut {module}/w:"), ";"));
        // No step has more than one register.
        let checkers = vec![(Proof::Pipeline(2), cut.steps), (Proof::Pipeline(row.latency + 1), cut.valid)];
        Ok(Some(Task { check, prepare, checkers }))
    }
}

/// Checkers of a unit that is cut.
struct Cut {
    /// Of its steps, each with one register at most.
    steps: String,
    /// Of the valid bit, through all of them.
    valid: String,
    /// Patterns of the signals to cut, for `expose -cut`.
    signals: Vec<String>,
}

/// A unit being cut: names of signals in the checker are those inside the cell, lane numbers behind.
struct Steps {
    p: Pipeline,
    valid: Pipeline,
    cuts: u8,
    ports: Vec<(String, String)>,
    signals: Vec<String>,
    /// Comparisons so far.
    wanted: usize,
}

impl Steps {
    fn new(row: Row, lanes: usize, outputs: usize, cuts: u8) -> Self {
        let width = |lanes: usize, width: u32| lanes as u64 * u64::from(width);
        let p = || Pipeline::new(width(lanes, row.input.width), width(outputs, row.output.width));
        Self { p: p(), valid: p(), cuts, ports: Vec::new(), signals: Vec::new(), wanted: 0 }
    }

    fn registers(&self, step: u32) -> u64 {
        u64::from(self.cuts >> step & 1)
    }

    /// Cuts the signal `inside`. The step in front of it makes `value` in so many cycles; `name` is what the next takes.
    fn made(&mut self, name: &str, inside: &str, width: u64, value: &str, cycles: u64) {
        self.p.input(name, width);
        let made = format!("{name}_made");
        self.p.wire(&made, width, None);
        self.ports.push((format!("{inside}.i"), name.to_owned()));
        self.ports.push((inside.to_owned(), made.clone()));
        self.signals.push(glob(inside));
        self.must_be(&made, width, value, cycles);
    }

    /// A memory that is asked `address` and answers `name`.
    fn memory(&mut self, name: &str, inside: &str, width: u64, (address, bits): (&str, u64)) {
        self.p.input(name, width);
        let asked = format!("{name}_asked");
        self.p.wire(&asked, bits, None);
        self.ports.push((format!("{inside}.data"), name.to_owned()));
        self.ports.push((format!("{inside}.address"), asked.clone()));
        self.p.never(format!("({asked} != {address})"));
    }

    /// `what` must be what `value` was so many cycles before.
    fn must_be(&mut self, what: &str, width: u64, value: &str, cycles: u64) {
        let name = format!("wanted_{}", self.wanted);
        self.wanted += 1;
        self.p.wire(&name, width, Some(value));
        let then = self.p.delayed(&name, width, &name, cycles);
        self.p.never(format!("({what} != {then})"));
    }

    fn finish(mut self, module: &str, latency: u64) -> Cut {
        self.p.instance(module, "", &self.ports);
        self.valid.instance(module, "", &[]);
        self.valid.valid_after(latency);
        self.signals.sort();
        self.signals.dedup();
        Cut { steps: self.p.text(), valid: self.valid.text(), signals: self.signals }
    }
}

/// A pattern for a name: every lane's, as brackets mean something else in patterns.
fn glob(inside: &str) -> String {
    let mut all = String::new();
    let mut rest = inside;
    while let Some((before, after)) = rest.split_once('[') {
        let _ = write!(all, "{before}*");
        rest = after.split_once(']').map_or("", |(_, after)| after);
    }
    all + rest
}

/// Bits `count` from `low` on of a signal.
fn part(name: &str, low: u64, count: u64) -> String {
    format!("{name}[{}:{low}]", low + count - 1)
}

/// A layer normalisation of rows of `unit.lanes` numbers, of which `kept` come out; `cuts` are the registers of `module`.
fn norm(module: &str, row: Row, unit: &NormUnit, kept: &[usize], cuts: u8) -> Cut {
    let (width, out) = (u64::from(row.input.width), u64::from(row.output.width));
    let (centred, variance) = (u64::from(unit.centred_width), u64::from(unit.variance_width));
    let (square, spread, gain) = (2 * width - 1, variance + 1, u64::from(unit.rsqrt_width));
    let pairs = variance.div_ceil(2);
    let product = (centred + gain + 1).max(pairs + 2);
    let exponent_bits = u64::from((pairs + 1).next_power_of_two().ilog2());
    let lanes = unit.lanes as u64;
    let mut s = Steps::new(row, unit.lanes, kept.len(), cuts);

    let [row0, sums, spreads, variances, index, products, results] =
        [0, 1, 2, 3, 4, 6, 7].map(|step| s.registers(step));
    s.made("row", "row", lanes * width, "in_data", row0);
    for i in 0..lanes {
        s.p.signed(&format!("wide_{i}"), square, &format!("$signed({})", part("in_data", i * width, width)));
    }
    let squares: Vec<String> = (0..lanes).rev().map(|i| format!("square_{i}")).collect();
    for i in 0..lanes {
        s.p.wire(&format!("square_{i}"), square, Some(&format!("wide_{i} * wide_{i}")));
    }
    s.made("squares", "squares", lanes * square, &format!("{{{}}}", squares.join(", ")), row0);

    let (mut sum, mut energy) = (format!("{centred}'d0"), format!("{spread}'d0"));
    for i in 0..lanes {
        s.p.signed(&format!("x_{i}"), centred, &format!("$signed({})", part("row", i * width, width)));
        s.p.wire(&format!("sum_{i}"), centred, Some(&format!("{sum} + $unsigned(x_{i})")));
        s.p.wire(&format!("own_{i}"), spread, Some(&part("squares", i * square, square)));
        s.p.wire(&format!("energy_{i}"), spread, Some(&format!("{energy} + own_{i}")));
        (sum, energy) = (format!("sum_{i}"), format!("energy_{i}"));
    }
    s.made("sum", "sum", centred, &sum, sums);
    s.made("energy", "energy", spread, &energy, sums);

    s.p.signed("wide_sum", spread, "$signed(sum)");
    s.made(
        "spread",
        "spread",
        spread,
        &format!("{spread}'d{lanes} * energy - $unsigned(wide_sum * wide_sum)"),
        spreads,
    );
    s.p.wire("biased", spread, Some(&format!("{spread}'d{lanes} * spread + {spread}'d{}", unit.eps)));
    s.made("variance", "variance", variance, &part("biased", 0, variance), variances);

    // The exponent is the number of pairs of bits up to the highest that is set, the index the eight bits from there down.
    s.p.wire("padded", 2 * pairs + 8, Some("{variance, 8'd0}"));
    let (mut exponent, mut leading) = (format!("{exponent_bits}'d0"), "8'd64".to_owned());
    for pair in 0..pairs {
        let some = format!("{} != 0", part("padded", 2 * pair + 8, 2));
        exponent = format!("({some} ? {exponent_bits}'d{} : {exponent})", pair + 1);
        leading = format!("({some} ? {} : {leading})", part("padded", 2 * pair + 2, 8));
    }
    s.made("exponent4", "exponent4", exponent_bits, &exponent, index);
    s.made("index", "index", 8, &leading, index);

    s.p.wire("address", 8, Some("index - 8'd64"));
    s.memory("gain", "u_gain", gain, ("address", 8));
    s.made("exponent5", "exponent5", exponent_bits, "exponent4", 1);
    s.made("exponent6", "exponent6", exponent_bits, "exponent5", products);
    s.p.signed("factor", product, &format!("{{{}'d0, gain}}", product - gain));
    s.p.signed("twice", product, &format!("{product}'sd1 << exponent6"));
    for (place, &i) in kept.iter().enumerate() {
        let inside = |name: &str| format!("g_lane[{i}].g_kept.{name}");
        let name = |name: &str| format!("{name}_{i}");
        s.made(&name("x1"), &inside("x1"), centred, &name("x"), sums);
        s.made(&name("c2"), &inside("c2"), centred, &format!("{centred}'d{lanes} * x1_{i} - sum"), spreads);
        s.made(&name("c3"), &inside("c3"), centred, &name("c2"), variances);
        s.made(&name("c4"), &inside("c4"), centred, &name("c3"), index);
        s.made(&name("c5"), &inside("c5"), centred, &name("c4"), 1);
        s.p.signed(&name("c"), product, &format!("$signed(c5_{i})"));
        s.made(&name("product"), &inside("product"), product, &format!("c_{i} * factor"), products);
        s.p.signed(
            &name("rounded"),
            product,
            &format!("$signed($signed(product_{i}) + (twice >>> 1)) >>> exponent6"),
        );
        s.must_be(&part("out_data", place as u64 * out, out), out, &part(&name("rounded"), 0, out), results);
    }
    s.finish(module, row.latency)
}

/// A softmax of rows; `cuts` are the registers of `module`.
fn softmax(module: &str, row: Row, unit: &SoftmaxUnit, cuts: u8) -> Cut {
    let (width, out) = (u64::from(row.input.width), u64::from(row.output.width));
    let (t, sum_width, recip) =
        (u64::from(unit.exponent_width), u64::from(unit.sum_width), u64::from(unit.recip_width));
    let fraction = u64::from(SoftmaxUnit::FRACTION_BITS);
    let mantissa = u64::from(SoftmaxUnit::MANTISSA_BITS);
    let power = mantissa + u64::from(SoftmaxUnit::GUARD_BITS);
    let (whole, product) = (t - fraction, sum_width + recip + 1);
    let aligned = t + u64::from(unit.align.max(0).unsigned_abs()) + 1;
    let length_bits = u64::from((sum_width + 1).next_power_of_two().ilog2());
    let lanes = row.lanes as u64;
    let mut s = Steps::new(row, row.lanes, row.lanes, cuts);
    let [align, shift, sums, index, products, results] = [0, 2, 3, 4, 6, 7].map(|step| s.registers(step));

    for i in 0..lanes {
        s.p.signed(&format!("x_{i}"), aligned, &format!("$signed({})", part("in_data", i * width, width)));
        let value = match unit.align {
            0 => format!("x_{i}"),
            right if right > 0 => format!("(x_{i} + {aligned}'sd{}) >>> {right}", 1_i64 << (right - 1)),
            left => format!("x_{i} <<< {}", -left),
        };
        s.p.signed(&format!("aligned_{i}"), aligned, &value);
        s.made(
            &format!("t0_{i}"),
            &format!("g_lane[{i}].t0"),
            t,
            &part(&format!("aligned_{i}"), 0, t),
            align,
        );
        let address = part(&format!("t0_{i}"), 0, fraction);
        s.memory(&format!("mantissa_{i}"), &format!("g_lane[{i}].u_power"), mantissa, (&address, fraction));
        s.p.signed(&format!("whole_{i}"), whole, &part(&format!("t0_{i}"), fraction, whole));
    }
    let mut highest = "whole_0".to_owned();
    for i in 1..lanes {
        s.p.signed(&format!("highest_{i}"), whole, &format!("whole_{i} > {highest} ? whole_{i} : {highest}"));
        highest = format!("highest_{i}");
    }
    s.made("top", "top", whole, &highest, 1);

    let mut total = format!("{sum_width}'d0");
    for i in 0..lanes {
        let inside = |name: &str| format!("g_lane[{i}].{name}");
        let name = |name: &str| format!("{name}_{i}");
        s.made(&name("whole1"), &inside("whole1"), whole, &name("whole"), 1);
        s.p.wire(&name("down"), whole + 1, Some(&format!("$signed(top) - $signed(whole1_{i})")));
        let scaled = format!("{{mantissa_{i}, {}'d0}} >> down_{i}", power - mantissa);
        s.made(&name("a2"), &inside("a2"), power, &scaled, shift);
        s.p.wire(&name("addend"), sum_width, Some(&name("a2")));
        s.p.wire(&name("total"), sum_width, Some(&format!("{total} + addend_{i}")));
        total = name("total");
        s.made(&name("a3"), &inside("a3"), power, &name("a2"), sums);
        s.made(&name("a4"), &inside("a4"), power, &name("a3"), index);
        s.made(&name("a5"), &inside("a5"), power, &name("a4"), 1);
    }
    s.made("sum", "sum", sum_width, &total, sums);

    // The length is the place of the highest bit that is set, one more; no sum is below 2^15.
    let (mut length, mut leading) =
        (format!("{length_bits}'d{power}"), part("sum", power - 1 - fraction, fraction));
    for bit in power..sum_width {
        length = format!("(sum[{bit}] ? {length_bits}'d{} : {length})", bit + 1);
        leading = format!("(sum[{bit}] ? {} : {leading})", part("sum", bit - fraction, fraction));
    }
    s.made("bits4", "bits4", length_bits, &length, index);
    s.made("index", "index", fraction, &leading, index);
    s.memory("recip", "u_recip", recip, ("index", fraction));
    s.made("bits5", "bits5", length_bits, "bits4", 1);
    s.made("bits6", "bits6", length_bits, "bits5", products);

    s.p.wire("factor", product, Some("recip"));
    s.p.wire("twice", product, Some(&format!("{product}'d1 << bits6")));
    for i in 0..lanes {
        let name = |name: &str| format!("{name}_{i}");
        s.p.wire(&name("power"), product, Some(&name("a5")));
        let value = format!("power_{i} * factor");
        s.made(&name("product"), &format!("g_lane[{i}].product"), product, &value, products);
        s.p.wire(&name("rounded"), product, Some(&format!("(product_{i} + (twice >> 1)) >> bits6")));
        s.must_be(&part("out_data", i * out, out), out, &part(&name("rounded"), 0, out), results);
    }
    s.finish(module, row.latency)
}
