//! Cells that do the same to every lane of a row: requantise, `ReLU`, threshold, GELU.

use tablewright_design::{Format, GeluUnit, Node, NodeId, Op, Requantise};

use super::pipeline::{Pipeline, signed_constant};
use super::{Proof, Subject, Task, broken, read};
use crate::Error;
use crate::certificate::{Check, Group};
use crate::instances::instances;

/// Sizes of a cell's row, and its latency by the plan.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    /// Lanes.
    pub lanes: usize,
    /// Of what comes in.
    pub input: Format,
    /// Of what goes out.
    pub output: Format,
    /// Cycles.
    pub latency: u64,
}

impl Row {
    fn pipeline(&self) -> Pipeline {
        let lanes = self.lanes as u64;
        Pipeline::new(lanes * u64::from(self.input.width), lanes * u64::from(self.output.width))
    }

    /// Names lane `i` of the input as `x_i`, `wide` bits signed.
    fn lane(&self, p: &mut Pipeline, i: usize, wide: u64) -> String {
        let width = u64::from(self.input.width);
        let low = i as u64 * width;
        let bits = format!("in_data[{}:{low}]", low + width - 1);
        if self.input.signed {
            p.signed(&format!("lane_{i}"), width, &bits);
        } else {
            p.signed(&format!("lane_{i}"), width + 1, &format!("{{1'b0, {bits}}}"));
        }
        p.signed(&format!("x_{i}"), wide, &format!("lane_{i}"));
        format!("x_{i}")
    }

    /// Lane `i` of the output must be what `value` was `latency` cycles before.
    fn must_be(&self, p: &mut Pipeline, i: usize, value: &str, latency: u64) {
        let width = u64::from(self.output.width);
        let expected = p.delayed(&format!("expected_{i}"), width, value, latency);
        let low = i as u64 * width;
        p.never(format!("(out_data[{}:{low}] != {expected})", low + width - 1));
    }
}

impl Subject<'_> {
    /// The property of such a cell.
    pub(super) fn lanes(&self, id: NodeId, node: &Node) -> Result<Option<Task>, Error> {
        let Some(instance) = self.core.iter().find(|i| i.name == format!("u_{}", node.name)) else {
            return Ok(None);
        };
        let row = Row {
            lanes: node.value.lanes,
            input: self.design.node(node.inputs[0]).value.format,
            output: node.value.format,
            latency: self.latency(id, node),
        };
        let kind = node.op.kind();
        let check = |scope: &str| {
            Check::new(
                Group::Formal,
                &format!("{kind} {}", node.name),
                &format!("unrolled {} cycles from any state, SAT", row.latency + 1),
                scope,
            )
            .covering("lanes", row.lanes as u64)
            .covering("depth", row.latency + 1)
        };
        let module = &instance.module;
        let parameters = instance.parameter_text(&[]);
        let files = self.files(module)?;
        let cell = format!("read_verilog {files}");
        let (check, prepare, checker) = match &node.op {
            Op::Requantise { step } => {
                let scope = "every value of every lane; this instance's parameters, full size";
                (check(scope), cell, requantise(module, &parameters, row, *step))
            }
            Op::Relu => {
                let scope = "every value of every lane; this instance's parameters, full size";
                (check(scope), cell, relu(module, &parameters, row))
            }
            Op::Threshold { threshold: least, .. } => {
                let parameters = instance.parameter_text(&[("WarmUp", 0)]);
                let loaded = self.design.loaded.is_some();
                let of = if loaded { "every threshold loaded" } else { "this build's threshold" };
                let scope = format!(
                    "every logit of every lane, {of}; this instance's parameters, full size, but WarmUp 0: the zeros after a \
                     reset rest on the simulations, and on gen/prim at a small size"
                );
                let given = instance.ports.get("threshold").map(String::as_str);
                let Some(given) = given else {
                    return Ok(Some(broken(check(&scope), "its instance has no threshold")));
                };
                let given = (!loaded).then_some(given);
                (check(&scope), cell, threshold(module, &parameters, row, given, *least))
            }
            Op::Gelu { unit } => {
                let mut memories: Vec<String> = Vec::new();
                for inner in instances(&read(&self.rtl, module)?).iter().filter(|i| i.module == "tw_rom") {
                    memories.extend((0..row.lanes).map(|i| format!("g_lane[{i}].{}", inner.name)));
                }
                let check = check(
                    "every value of every lane, every content of the bump; this instance's parameters, full size",
                );
                if memories.len() != row.lanes {
                    return Ok(Some(broken(check, &format!("{module}.v has not one memory in each lane"))));
                }
                let (around, prepare) =
                    self.open_instance(&node.name, module, &parameters, ("tw_rom", false))?;
                (check, prepare, gelu(&around, row, unit, &memories))
            }
            _ => return Ok(None),
        };
        Ok(Some(Task { check, prepare, checkers: vec![(Proof::Pipeline(row.latency + 1), checker)] }))
    }
}

/// Add half, shift right, saturate: by cases on the exact quotient.
fn requantise(module: &str, parameters: &str, row: Row, step: Requantise) -> String {
    let wide = u64::from(row.input.width) + 3;
    let (least, largest) = (-(1_i64 << (step.width - 1)), (1_i64 << (step.width - 1)) - 1);
    let mut p = row.pipeline();
    p.instance(module, parameters, &[]);
    p.valid_after(row.latency);
    for i in 0..row.lanes {
        let x = row.lane(&mut p, i, wide);
        // Rounding half up: the quotient, and one more where the highest bit that is lost is set.
        let quotient = match step.shift {
            0 => x,
            shift => {
                p.signed(&format!("floor_{i}"), wide, &format!("{x} >>> {shift}"));
                p.signed(
                    &format!("rounded_{i}"),
                    wide,
                    &format!("floor_{i} + $signed({{1'b0, {x}[{}]}})", shift - 1),
                );
                format!("rounded_{i}")
            }
        };
        let width = u64::from(step.width);
        let (low, high) =
            (signed_constant(least, wide.max(width)), signed_constant(largest, wide.max(width)));
        p.signed(
            &format!("y_{i}"),
            wide.max(width),
            &format!("{quotient} < {low} ? {low} : ({quotient} > {high} ? {high} : {quotient})"),
        );
        row.must_be(&mut p, i, &format!("y_{i}[{}:0]", width - 1), row.latency);
    }
    p.text()
}

/// max(x, 0).
fn relu(module: &str, parameters: &str, row: Row) -> String {
    let wide = u64::from(row.input.width.max(row.output.width)) + 1;
    let mut p = row.pipeline();
    p.instance(module, parameters, &[]);
    p.valid_after(row.latency);
    for i in 0..row.lanes {
        let x = row.lane(&mut p, i, wide);
        p.signed(&format!("y_{i}"), wide, &format!("{x} > 0 ? {x} : 0"));
        row.must_be(&mut p, i, &format!("y_{i}[{}:0]", row.output.width - 1), row.latency);
    }
    p.text()
}

/// x at least the threshold, which is what the core hands over, or, where it is loaded, whatever it likes (none). The count of
/// the first rows after a reset is left at its end by the parameter `WarmUp`, which whoever calls sets to 0.
fn threshold(module: &str, parameters: &str, row: Row, given: Option<&str>, threshold: i64) -> String {
    let wide = u64::from(row.input.width) + 2;
    let mut p = row.pipeline();
    let width = u64::from(row.input.width) + 1;
    let least = if let Some(value) = given {
        p.wire("least", width, Some(value));
        signed_constant(threshold, wide)
    } else {
        p.input("least", width);
        p.signed("wide_least", wide, "$signed(least)");
        "wide_least".to_owned()
    };
    p.instance(module, parameters, &[("threshold".to_owned(), "least".to_owned())]);
    p.valid_after(row.latency);
    for i in 0..row.lanes {
        let x = row.lane(&mut p, i, wide);
        p.wire(&format!("y_{i}"), 1, Some(&format!("{x} >= {least}")));
        row.must_be(&mut p, i, &format!("y_{i}"), row.latency);
    }
    p.text()
}

/// max(x, 0) in the output's fraction, less the bump that the memory answers, which is free; and what it is asked.
/// `memories` are the names of the lanes' memories.
fn gelu(module: &str, row: Row, unit: &GeluUnit, memories: &[String]) -> String {
    let lift = u64::from(unit.lift);
    let left = unit.index_shift.min(0).unsigned_abs();
    let wide = u64::from(row.input.width.max(row.output.width)) + lift + u64::from(left) + 10;
    let mut p = row.pipeline();
    let mut ports = Vec::new();
    for (i, memory) in memories.iter().enumerate() {
        p.input(&format!("bump_{i}"), u64::from(unit.bump_width));
        p.wire(&format!("address_{i}"), 8, None);
        ports.push((format!("{memory}.address"), format!("address_{i}")));
        ports.push((format!("{memory}.data"), format!("bump_{i}")));
    }
    p.instance(module, "", &ports);
    p.valid_after(row.latency);
    for i in 0..row.lanes {
        let x = row.lane(&mut p, i, wide);
        p.signed(&format!("magnitude_{i}"), wide, &format!("{x} < 0 ? -{x} : {x}"));
        let index = if unit.index_shift < 0 {
            format!("magnitude_{i} <<< {left}")
        } else {
            format!("magnitude_{i} >>> {}", unit.index_shift)
        };
        p.signed(&format!("index_{i}"), wide, &index);
        p.wire(&format!("near_{i}"), 1, Some(&format!("index_{i} < 256")));
        p.never(format!("(near_{i} && address_{i} != index_{i}[7:0])"));
        // The memory answers a cycle after it is asked.
        let near = p.delayed(&format!("near_{i}_then"), 1, &format!("near_{i}"), 1);
        p.signed(&format!("ramp_{i}"), wide, &format!("{x} > 0 ? {x} <<< {lift} : 0"));
        let ramp = p.delayed(&format!("ramp_{i}_then"), wide, &format!("ramp_{i}"), 1);
        p.wire(&format!("y_{i}"), wide, Some(&format!("{ramp} - ({near} ? bump_{i} : 0)")));
        row.must_be(&mut p, i, &format!("y_{i}[{}:0]", row.output.width - 1), row.latency - 1);
    }
    p.text()
}
