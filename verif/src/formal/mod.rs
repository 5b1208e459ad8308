//! Proofs about the modules of one build, each at the size and with the parameters it has there.
//!
//! Two kinds. A pipeline is unrolled from any state for as many cycles as it is long, which settles all time. What keeps a
//! state, the handshakes, is proved by reachability, without a bound. Tables' contents are left free: a bank answers
//! whatever it likes, and the result must be the sum of the answers.

mod encoder;
mod lanes;
mod loading;
mod nearest;
mod pair;
mod pipeline;
pub(crate) mod prover;
mod streams;
mod table;
mod units;

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::PathBuf;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use rayon::prelude::*;
use tablewright_design::{Design, IntEncoderKind, IntTable, Node, NodeId, Op, StoredBank};
use tablewright_emit::{BuildDir, Names};
use tablewright_plan::{Elements, Plan};

use crate::Error;
use crate::certificate::{Check, Group, Outcome};
use crate::instances::{Instance, inside, instances};
use crate::tool::absolute;

use encoder::Contents;
use pair::Pair;
use prover::{Prover, Verdict};
use table::Tables;

/// Lanes of a table in one proof: with many at once the solver takes far longer than for as many in turn.
const LANES: usize = 32;

/// Name of the check that no path leads from valid to ready.
const INDEPENDENT: &str = "ready without valid";

/// How a checker is to be proved.
#[derive(Debug, Clone, Copy)]
enum Proof {
    /// Unrolled for so many cycles from any state.
    Pipeline(u64),
    /// By reachability.
    Reachability,
}

/// One property, ready to be proved.
struct Task {
    check: Check,
    prepare: String,
    /// All must be proved; none where the check is decided already.
    checkers: Vec<(Proof, String)>,
}

/// What the parts of a proof are made from.
struct Subject<'a> {
    design: &'a Design,
    plan: &'a Plan,
    names: Names,
    rtl: PathBuf,
    folder: PathBuf,
    core: Vec<Instance>,
}

/// Proves what can be proved of a build, each property within `limit`; with `only`, the properties whose name holds it.
/// `folder` is for the files in between.
pub fn prove(
    build: &BuildDir,
    design: &Design,
    plan: &Plan,
    folder: PathBuf,
    limit: Duration,
    only: Option<&str>,
    progress: &mut (dyn FnMut(&str) + Send),
) -> Result<Vec<Check>, Error> {
    let rtl = absolute(&build.rtl())?;
    let names = Names::new(&design.name);
    let core = inside(
        &instances(&read(&rtl, &names.core())?),
        &names.predictor(),
        &instances(&read(&rtl, &names.predictor())?),
    );
    let subject = Subject { design, plan, names, rtl: rtl.clone(), folder: folder.clone(), core };
    let prover = Prover { folder, rtl, limit };
    let mut unproved = BTreeSet::new();
    let mut tasks = vec![subject.streams()];
    tasks.extend(subject.loading()?);
    tasks.extend(subject.change());
    tasks.extend(subject.memories()?);
    tasks.extend(subject.searches()?);
    for (id, node) in design.iter() {
        let task = subject.node(id, node)?;
        if task.is_none() {
            unproved.insert(if plan.stage(id).directive.fold > 1 { "folded lookup" } else { node.op.kind() });
        }
        tasks.extend(task);
    }
    let asked = |name: &str| only.is_none_or(|part| name.contains(part));
    tasks.retain(|task| asked(&task.check.name));
    let told = Mutex::new(progress);
    let decided = |task: Task| {
        if let Ok(mut progress) = told.lock() {
            progress(&task.check.name);
        }
        decide(task, &prover)
    };
    let mut checks: Vec<Check> = tasks.into_par_iter().map(decided).collect::<Result<_, _>>()?;
    if asked(INDEPENDENT) {
        checks.push(subject.independent_ready(&prover)?);
    }
    if only.is_none() && !unproved.is_empty() {
        let kinds = unproved.into_iter().collect::<Vec<_>>().join(", ");
        let method = "not proved here";
        let scope = "gen/prim proves small sizes of history, residual, select, sum-rows and of the sequencers' collector; the \
                     rest, and these at full size, rest on the simulations alone";
        let check = Check::new(Group::Formal, "other stages", method, scope);
        checks.push(check.skipped(format!("no property for: {kinds}")));
    }
    Ok(checks)
}

fn decide(task: Task, prover: &Prover) -> Result<Check, Error> {
    let started = Instant::now();
    if task.checkers.is_empty() {
        return Ok(task.check);
    }
    let file: String =
        task.check.name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let mut verdict = Verdict::Proved;
    for (proof, checker) in &task.checkers {
        verdict = match *proof {
            Proof::Pipeline(cycles) => prover.pipeline(&file, &task.prepare, checker, cycles)?,
            Proof::Reachability => prover.reachability(&file, &task.prepare, checker)?,
        };
        if verdict != Verdict::Proved {
            break;
        }
    }
    let mut check = task.check;
    match verdict {
        Verdict::Proved => check.outcome = Outcome::Passed,
        Verdict::Refuted(how) => check = check.judged(Some(format!("refuted: {how}"))),
        Verdict::Undecided => {
            check.outcome = Outcome::Undecided;
            check.detail = Some(format!("no decision within {} s of processor time", prover.limit.as_secs()));
        }
    }
    check.seconds = started.elapsed().as_secs_f64();
    Ok(check)
}

fn read(rtl: &std::path::Path, module: &str) -> Result<String, Error> {
    let path = rtl.join(format!("{module}.v"));
    std::fs::read_to_string(&path).map_err(|source| Error::Io { path: path.display().to_string(), source })
}

impl Subject<'_> {
    /// A module with the parameters of an instance, in which cells of the type `free` are ports: the name that it gets, from `stem`,
    /// and the commands that read it.
    fn open_instance(
        &self,
        stem: &str,
        module: &str,
        parameters: &str,
        (free, flattened): (&str, bool),
    ) -> Result<(String, String), Error> {
        let (opened, around) = (format!("{stem}_opened"), format!("{stem}_around"));
        let path = self.folder.join(format!("{around}.v"));
        // Yosys gives a module its parameters when another one holds it.
        let text = format!(
            "`ifndef TW_MEM\n`define TW_MEM \"mem/\"\n`endif\nmodule {around};\n  {module} {parameters}u_cell ();\nendmodule\n"
        );
        std::fs::write(&path, text)
            .map_err(|source| Error::Io { path: path.display().to_string(), source })?;
        let files = self.files(module)?;
        // Where cells inside stay what they are until all is flattened, a signal between two of them has one name so far, and can be
        // cut; where they hold what is free they cannot stay.
        let flattened = if flattened { "flatten; " } else { "" };
        let prepare = format!(
            "read_verilog {files} {}; hierarchy -check -top {around}; proc; delete {around}; blackbox *{free}; hierarchy -auto-top; \
             rename -top {opened}; {flattened}expose -evert t:*{free}",
            path.display()
        );
        Ok((opened, prepare))
    }

    /// The property of one node's module, if there is one for its kind.
    fn node(&self, id: NodeId, node: &Node) -> Result<Option<Task>, Error> {
        Ok(match &node.op {
            Op::Scores { table, .. } | Op::Mix { table, .. }
                if self.plan.stage(id).directive.elements == Elements::Parallel =>
            {
                Some(self.pair(id, node, table)?)
            }
            // Which part is looked up is a state, and the proof begins in any.
            Op::Lookup { .. } if self.plan.stage(id).directive.fold > 1 => None,
            Op::Lookup { .. } | Op::ConstantScores { .. } | Op::Scores { .. } | Op::Mix { .. } => {
                Some(self.table(id, node, node.op.tables())?)
            }
            Op::Encode { .. } => self.encoder(id, node)?,
            Op::Requantise { .. } | Op::Relu | Op::Threshold { .. } | Op::Gelu { .. } => {
                self.lanes(id, node)?
            }
            Op::Norm { .. } | Op::Softmax { .. } => self.unit(id, node)?,
            _ => None,
        })
    }

    /// Instances of the banks of a table's module.
    fn banks(&self, module: &str) -> Result<Vec<Instance>, Error> {
        let all = instances(&read(&self.rtl, module)?);
        Ok(all.into_iter().filter(|i| ["tw_rom", "tw_bank"].contains(&i.module.as_str())).collect())
    }

    /// The banks of a node's tables with their instances in its module; `None` where these are not those of the design.
    fn stored(
        &self,
        id: NodeId,
        node: &Node,
        instances: &[Instance],
    ) -> Option<Vec<(StoredBank, Option<String>)>> {
        let layout = self.plan.stage(id).directive.layout(node);
        let mut names = instances.iter().map(|instance| instance.name.clone());
        let tables = node.op.tables().iter();
        let all = tables.flat_map(|table| (0..table.subspaces).map(move |c| table.bank(c, layout)));
        let named = all.map(|bank| {
            let name = if bank.width() > 0 { Some(names.next()?) } else { None };
            Some((bank, name))
        });
        let named: Option<Vec<_>> = named.collect();
        named.filter(|_| names.next().is_none())
    }

    /// Cycles from an address to what is made of the word there: as many as there are registers.
    fn registers(&self, id: NodeId) -> u64 {
        u64::from(self.plan.stage(id).directive.cuts.count_ones())
    }

    fn table(&self, id: NodeId, node: &Node, tables: &[IntTable]) -> Result<Task, Error> {
        let module = self.names.node(&node.name);
        let found = self.banks(&module)?;
        // A bank that is loaded has the register behind it in itself.
        let cut = found.iter().any(|i| i.parameters.get("Cut").is_some_and(|c| c.ends_with('1')));
        let answers = 1 + u64::from(cut);
        let held: Vec<String> = instances(&read(&self.rtl, &module)?)
            .into_iter()
            .filter(|i| i.module == encoder::HELD)
            .map(|i| i.name)
            .collect();
        let banks = self.stored(id, node, &found);
        let latency = self.registers(id);
        let lanes: usize = tables.iter().map(|t| t.outputs).sum();
        let expected: usize = tables.iter().map(|t| t.subspaces).sum();
        let check = Check::new(
            Group::Formal,
            &format!("table {}", node.name),
            &format!("unrolled {} cycles from any state, SAT", latency + 1),
            if self.design.loaded.is_some() {
                "every code, every content of banks and bias; accumulators stay in their bounds for every entry; banks are joined \
                 to the load bus and asked for valid codes; full size. What the banks do rests on the simulations"
            } else {
                "every code, every content of the banks, spread out as the design says; accumulators stay in their bounds for \
                 entries between the extremes of their columns; full size"
            },
        );
        let check = check
            .covering("lanes", lanes as u64)
            .covering("banks", expected as u64)
            .covering("depth", latency + 1);
        let Some(banks) = banks.filter(|_| latency >= answers && held.len() <= 1) else {
            let problem = format!("{module}.v has {} banks, which are not the design's", found.len());
            return Ok(broken(check, &problem));
        };
        let sum_width = node.value.format.width;
        let of = Tables {
            module: &module,
            side_by_side: tables,
            sum_width,
            latency,
            banks: &banks,
            answers,
            held_bias: held.first().map(String::as_str),
        };
        let mut free = vec![if self.design.loaded.is_some() { "tw_bank" } else { "tw_rom" }];
        free.extend((!held.is_empty()).then_some(encoder::HELD));
        Ok(Task {
            check,
            prepare: opened(&module, &self.files(&module)?, &free, &[]),
            checkers: in_turn(lanes)
                .map(|lanes| (Proof::Pipeline(latency + 1), table::checker(of, lanes)))
                .collect(),
        })
    }

    fn pair(&self, id: NodeId, node: &Node, table: &IntTable) -> Result<Task, Error> {
        let module = self.names.node(&node.name);
        let found = self.banks(&module)?;
        let banks = self.stored(id, node, &found);
        let [left, right] = [0, 1].map(|i| &self.design.node(node.inputs[i]).value);
        let right_at_once = self.plan.stage(node.inputs[1]).at_once();
        let code = u64::from(table.rows.ilog2() / 2);
        let group = code * table.subspaces as u64;
        let (collect, places) = if let Op::Mix { columns, .. } = &node.op {
            let mut column = 0;
            let mut next = || {
                column += 1;
                (column - 1) * group
            };
            (true, columns.iter().map(|&count| (0..count).map(|_| next()).collect()).collect())
        } else {
            let heads = (right.lanes / table.subspaces) as u64;
            let of_head = |head| (0..right.rows as u64).map(|key| (key * heads + head) * group).collect();
            (false, (0..heads).map(of_head).collect())
        };
        let pair = Pair {
            module: &module,
            table,
            sum_width: node.value.format.width,
            latency: self.registers(id),
            left_width: left.lanes as u64 * code,
            right_width: right_at_once * right.lanes as u64 * code,
            kept_width: (right.rows * right.lanes) as u64 * code,
            places,
            collect,
            delayed: self.plan.stage(id).delay > 0,
            banks: banks.as_deref().unwrap_or_default(),
        };
        let check = Check::new(
            Group::Formal,
            &format!("pair table {}", node.name),
            &format!("unrolled {} cycles from any state, SAT", pair.depth()),
            "every code, every content of the banks, spread out as the design says, and of the rows kept; accumulators in their \
             bounds; heads counted and elements in their places; banks that are loaded are joined to the load bus; full size. What keeps rows, delays them and takes heads apart is free: that part \
             rests on the simulations",
        )
        .covering("elements", pair.places.iter().map(|p| p.len() as u64).sum())
        .covering("banks", table.subspaces as u64)
        .covering("depth", pair.depth());
        if banks.is_none() || pair.latency == 0 {
            let problem = format!("{module}.v has {} banks, which are not the design's", found.len());
            return Ok(broken(check, &problem));
        }
        Ok(Task {
            check,
            prepare: opened(&module, &self.files(&module)?, &pair.free(), &pair.shown()),
            checkers: in_turn(pair.slots())
                .map(|slots| (Proof::Pipeline(pair.depth()), pair.checker(slots)))
                .collect(),
        })
    }

    fn encoder(&self, id: NodeId, node: &Node) -> Result<Option<Task>, Error> {
        let Op::Encode { encoder, groups } = &node.op else {
            return Ok(None);
        };
        // Rows that come at once are groups of one row.
        let groups = *groups * self.plan.stage(id).at_once() as usize;
        let name = format!("encoder {}", node.name);
        let input = self.design.node(node.inputs[0]).value.format;
        let IntEncoderKind::Tree { split, threshold, width, .. } = &encoder.kind else {
            return Ok(Some(self.nearest(id, node, (encoder, groups), input)?));
        };
        let module = self.names.node(&node.name);
        let latency = self.latency(id, node);
        let files = self.files(&module)?;
        let loaded = self.design.loaded.is_some();
        let check = Check::new(
            Group::Formal,
            &name,
            &format!("unrolled {} cycles from any state, SAT", latency + 1),
            if loaded {
                "every row of features, every choice of them and all thresholds that can be loaded; full size"
            } else {
                "every row of features, the thresholds of this build; full size"
            },
        )
        .covering("trees", (groups * encoder.subspaces) as u64)
        .covering("thresholds", threshold.len() as u64)
        .covering("depth", latency + 1);
        let (prepare, contents) = if loaded {
            let found =
                instances(&read(&self.rtl, &module)?).into_iter().filter(|i| i.module == encoder::HELD);
            let found: Vec<String> = found.map(|i| i.name).collect();
            if found != encoder::held(encoder.subspaces) {
                return Ok(Some(broken(check, &format!("{module}.v holds {}", found.join(", ")))));
            }
            (opened(&module, &files, &[encoder::HELD], &[]), Contents::Loaded(*width))
        } else {
            (format!("read_verilog {files}"), Contents::Constant(split, threshold))
        };
        let checker = encoder::checker(&module, encoder, contents, groups, input, latency);
        Ok(Some(Task { check, prepare, checkers: vec![(Proof::Pipeline(latency + 1), checker)] }))
    }

    /// Cycles from a row of the operand to the node's own.
    fn latency(&self, id: NodeId, node: &Node) -> u64 {
        self.plan.stage(id).first.saturating_sub(self.plan.stage(node.inputs[0]).first)
    }

    /// The files of a module and of all in it.
    fn files(&self, module: &str) -> Result<String, Error> {
        let mut all = vec![module.to_owned()];
        let mut next = 0;
        while next < all.len() {
            for inner in instances(&read(&self.rtl, &all[next])?) {
                if !all.contains(&inner.module) {
                    all.push(inner.module);
                }
            }
            next += 1;
        }
        Ok(each(&all, "", ".v"))
    }
}

/// A check that fails before a proof: the build is not what the plan says.
fn broken(check: Check, problem: &str) -> Task {
    settled(check.judged(Some(problem.to_owned())))
}

/// A check that needs no proof.
fn settled(check: Check) -> Task {
    Task { check, prepare: String::new(), checkers: Vec::new() }
}

/// Reads `files` and turns the cells `free` inside `module` into ports: what they are asked and what they answer. The
/// signals `shown` become ports as well.
fn opened(module: &str, files: &str, free: &[&str], shown: &[&str]) -> String {
    let (cells, boxes) = (each(free, "t:*", ""), each(free, "*", ""));
    let shown = each(shown, &format!("expose {module}/w:"), ";");
    format!(
        "read_verilog {files}; hierarchy -check -top {module}; blackbox {boxes}; hierarchy -check -top {module}; proc; flatten; \
         expose -evert {cells}; {shown} opt_clean"
    )
}

/// Each of these between two texts, with spaces.
fn each<T: AsRef<str>>(all: &[T], before: &str, after: &str) -> String {
    all.iter().map(|one| format!("{before}{}{after}", one.as_ref())).collect::<Vec<_>>().join(" ")
}

/// Parts of so many lanes, for proofs one after the other.
fn in_turn(lanes: usize) -> impl Iterator<Item = Range<usize>> {
    (0..lanes).step_by(LANES).map(move |first| first..(first + LANES).min(lanes))
}
