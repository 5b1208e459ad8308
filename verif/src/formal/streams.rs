//! The handshakes of a core: its admission and its queue, with everything in between left free.

use std::time::Instant;

use crate::Error;
use crate::certificate::{Check, Group, Outcome};
use crate::instances::Instance;

use super::prover::{Prover, TOP};
use super::{INDEPENDENT, Proof, Subject, Task, broken};

impl Subject<'_> {
    /// The handshakes of both streams.
    pub(super) fn streams(&self) -> Task {
        let check = Check::new(
            Group::Formal,
            "streams",
            "property directed reachability (ABC pdr), any state at power-up, no bound on time",
            "offered bitmaps stay, nothing is valid or ready in reset, at most `queue` windows inside, `interval` cycles \
             between acceptances, the queue never overfull or read empty; admission and queue with their own counters, \
             the datapath between them free to answer at any time, rows narrowed to 1 bit",
        )
        .covering("queue", self.plan.queue)
        .covering("interval", self.plan.interval);
        let find = |port: &str, signal: &str| {
            self.core.iter().find(|i| i.ports.get(port).is_some_and(|s| s == signal))
        };
        // Where tables are loaded, a change of them holds admission back.
        let swap = self.core.iter().find(|i| i.module == "tw_swap");
        let mut check = check;
        if swap.is_some() {
            check.scope += "; admission held back at any time, and no change of tables in between";
        }
        let ready = if swap.is_some() { "window_ready" } else { "s_axis_tready" };
        let ends = find("in_ready", ready).zip(find("out_valid", "m_axis_tvalid"));
        let Some((window, fifo)) = ends else {
            return broken(check, &format!("no single cell drives {ready} and none m_axis_tvalid"));
        };
        let checker = checker(window, fifo, swap.is_some(), self.plan.queue, self.plan.interval);
        match checker {
            None => {
                broken(check, "admission and queue have not the parameters or connections they are known by")
            }
            Some(checker) => Task {
                check,
                prepare: format!("read_verilog {}.v {}.v", window.module, fifo.module),
                checkers: vec![(Proof::Reachability, checker)],
            },
        }
    }

    /// In the whole core no combinational path leads from `s_axis_tvalid` to `s_axis_tready`.
    pub(super) fn independent_ready(&self, prover: &Prover) -> Result<Check, Error> {
        let started = Instant::now();
        let core = self.names.core();
        let check = Check::new(
            Group::Formal,
            INDEPENDENT,
            "cone of s_axis_tready, up to flip-flops and memories (Yosys)",
            "the whole core: s_axis_tready depends on no input but rst_n within a cycle",
        );
        // What is in them is of no concern here, and there is much of it.
        let memories = if self.design.loaded.is_some() { "blackbox *tw_ram; " } else { "" };
        let script = format!(
            "read_verilog tw_*.v; hierarchy -check -top {core}; {memories}proc; flatten; opt_clean; memory_dff; memory_collect; cd \
             {core}; select -set cone w:s_axis_tready %ci*:-$dff,$sdff,$dffe,$sdffe,$sdffce,$mem_v2,$mem; select \
             -assert-count 1 w:rst_n @cone %i; select -assert-none i:* w:rst_n %d @cone %i"
        );
        let said = prover.yosys("ready", &script);
        let mut check = match said {
            Ok(Some(_)) => check.judged(None),
            Ok(None) => {
                let mut check = check
                    .skipped(format!("no decision within {} s of processor time", prover.limit.as_secs()));
                check.outcome = Outcome::Undecided;
                check
            }
            Err(Error::Tool { output, .. }) if output.contains("Assertion failed") => {
                check.judged(Some(output))
            }
            Err(other) => return Err(other),
        };
        check.seconds = started.elapsed().as_secs_f64();
        Ok(check)
    }
}

/// The checker of both ends together. Between them stands a datapath that gives back each window it took, at any time
/// and in any pattern: more than any latency allows.
///
/// Never: a bitmap that changes or goes before it is taken; ready or valid in reset; more windows inside than `queue`;
/// two acceptances less than `interval` cycles apart; a bitmap into a full queue, or out of an empty one. Nothing when an
/// instance has not the parameters it is known by.
///
/// Where tables are loaded, admission is held back at any time. The reset of the predictor in a change of them is left out; what
/// is said here holds between two of these, and [`swap_checker`] shows that nobody is inside in one.
pub(crate) fn checker(
    window: &Instance,
    fifo: &Instance,
    loaded: bool,
    queue: u64,
    interval: u64,
) -> Option<String> {
    let row = [("RowWidth", 1), ("History", 2)];
    let depth = fifo.number("Depth")?;
    window.number("Interval")?;
    window.number("Places")?;
    let inside = u64::from((queue + 2).ilog2()) + 1;
    let gap = u64::from((interval + 2).ilog2()) + 1;
    let (inside_high, gap_high) = (inside - 1, gap - 1);
    let window_parameters = window.parameter_text(&row);
    let fifo_parameters = fifo.parameter_text(&[("Width", 1)]);
    let joined = |of: &Instance, port: &str, to: &str| of.ports.get(port).is_some_and(|is| is == to);
    let (reset, offered) =
        if loaded { ("run_rst_n", "s_axis_tvalid && !hold") } else { ("rst_n", "s_axis_tvalid") };
    // What follows is joined as the core is.
    let right = joined(window, "in_valid", offered) && joined(window, "rst_n", reset);
    if !(right && joined(fifo, "rst_n", "rst_n")) {
        return None;
    }
    let hold = if loaded { "want" } else { "1'b0" };
    let (window, fifo) = (&window.module, &fifo.module);

    Some(format!(
        "module {TOP} (input wire clk, input wire reset_n, input wire s_valid, input wire other_valid,
  input wire [1:0] s_data, input wire m_ready, input wire emit, input wire bitmap, input wire want,
  output wire bad);
  // The first cycle is a reset, whatever comes after it.
  reg started = 1'b0;
  always @(posedge clk) started <= 1'b1;
  wire rst_n = reset_n && started;

  wire hold = {hold};
  wire window_ready, s_ready, m_valid, m_data, taken;
  wire accept = s_valid && s_ready;
  reg [{inside_high}:0] between;
  wire out = emit && between != 0;
  {window} {window_parameters}admission (.clk(clk), .rst_n(rst_n), .in_valid(s_valid && !hold), .in_ready(window_ready),
    .in_data(s_data), .taken(taken), .out_valid(), .out_data());
  {fifo} {fifo_parameters}queue (.clk(clk), .rst_n(rst_n), .in_valid(out), .in_data(bitmap), .out_valid(m_valid),
    .out_ready(m_ready), .out_data(m_data), .taken(taken));
  always @(posedge clk) begin
    if (!rst_n) between <= 0;
    else between <= between + accept - out;
  end

  // As the consumer sees them.
  reg [{inside_high}:0] waiting, total;
  reg [{gap_high}:0] since;
  reg held, held_data, running;
  always @(posedge clk) begin
    running <= rst_n;
    if (!rst_n) begin
      waiting <= 0;
      total <= 0;
      since <= {interval};
      held <= 0;
    end else begin
      waiting <= waiting + out - (m_valid && m_ready);
      total <= total + accept - (m_valid && m_ready);
      since <= accept ? 1 : (since < {interval} ? since + 1 : since);
      held <= m_valid && !m_ready;
    end
    held_data <= m_data;
  end
  assign s_ready = window_ready && !hold;
  wire unstable = rst_n && running && held && (!m_valid || m_data != held_data);
  wire in_reset = !rst_n && (s_ready || m_valid);
  wire crowded = running && total > {queue};
  wire early = accept && running && since < {interval};
  wire overfull = running && out && waiting == {depth};
  wire unasked = running && m_valid && waiting == 0;
  assign bad = started && (unstable || in_reset || crowded || early || overfull || unasked);
endmodule
"
    ))
}

/// The checker of a change of tables, around which at most Places windows are, that come while they may and leave whenever they
/// like; changes are asked for at any time.
///
/// Never: a change while a window is inside, or one comes, or without a reset of the predictor, or one that does not come when
/// all have left; a window that may come between asking and the change, or before there are tables; another set without a change;
/// words taken meanwhile; somebody held back for nothing. Nothing when it is joined otherwise than it is known.
pub(crate) fn swap_checker(swap: &Instance) -> Option<String> {
    let places = swap.number("Places")?;
    let high = u64::from((places + 1).ilog2());
    let joined = |port: &str, to: &str| swap.ports.get(port).is_some_and(|is| is == to);
    let own = ["taken", "run_rst_n", "hold", "active", "busy", "swapped", "loaded", "want", "rst_n"];
    if !joined("admitted", "s_axis_tvalid && s_axis_tready") || !own.iter().all(|port| joined(port, port)) {
        return None;
    }
    let (parameters, module) = (swap.parameter_text(&[]), &swap.module);
    Some(format!(
        "module {TOP} (input wire clk, input wire reset_n, input wire want, input wire loaded, input wire comes,
  input wire leaves, output wire bad);
  reg started = 1'b0;
  always @(posedge clk) started <= 1'b1;
  wire rst_n = reset_n && started;

  wire hold, busy, run_rst_n, swapped, active, valid;
  reg [{high}:0] inside;
  wire may = run_rst_n && !hold;
  wire admitted = comes && may && inside < {places};
  wire taken = leaves && inside != 0;
  {module} {parameters}swap (.clk(clk), .rst_n(rst_n), .loaded(loaded), .want(want), .admitted(admitted), .taken(taken),
    .hold(hold), .busy(busy), .run_rst_n(run_rst_n), .swapped(swapped), .active(active), .valid(valid));
  reg running, asked, before, changed, had;
  reg [1:0] late;
  always @(posedge clk) begin
    running <= rst_n;
    inside <= rst_n ? inside + admitted - taken : 0;
    asked <= rst_n && !swapped && (asked || (want && loaded));
    before <= active;
    had <= rst_n && (had || swapped);
    changed <= rst_n && swapped;
    late <= (rst_n && asked && !swapped && inside == 0) ? late + (late != 3) : 0;
  end
  wire disturbed = swapped && (inside != 0 || run_rst_n || may || !busy);
  wire entered = may && (asked || !had);
  wire unasked = swapped && !asked;
  wire other_set = changed ? (active == before || !valid) : active != before;
  wire late_change = late == 3;
  wire loaded_over = asked && !busy;
  wire for_nothing = hold && had && !asked && !swapped;
  wire reset_for_nothing = !run_rst_n && had && !swapped;
  assign bad = running && rst_n
    && (disturbed || entered || unasked || other_set || late_change || loaded_over || for_nothing || reset_for_nothing);
endmodule
"
    ))
}
