//! The handshakes of a core: its admission and its queue, with everything in between left free.

use crate::instances::Instance;

use super::prover::TOP;

/// The checker of both ends together. Between them stands a datapath that gives back each window it took, at any time
/// and in any pattern: more than any latency allows.
///
/// Never: a bitmap that changes or goes before it is taken; ready or valid in reset; more windows inside than `queue`;
/// two acceptances less than `interval` cycles apart; a bitmap into a full queue, or out of an empty one. Nothing when an
/// instance has not the parameters it is known by.
pub(crate) fn checker(window: &Instance, fifo: &Instance, queue: u64, interval: u64) -> Option<String> {
    let row = [("RowWidth", 1), ("History", 2)];
    let depth = fifo.number("Depth")?;
    window.number("Interval")?;
    window.number("Places")?;
    let inside = u64::from((queue + 2).ilog2()) + 1;
    let gap = u64::from((interval + 2).ilog2()) + 1;
    let (inside_high, gap_high) = (inside - 1, gap - 1);
    let window_parameters = window.parameter_text(&row);
    let fifo_parameters = fifo.parameter_text(&[("Width", 1)]);
    let (window, fifo) = (&window.module, &fifo.module);

    Some(format!(
        "module {TOP} (input wire clk, input wire reset_n, input wire s_valid, input wire other_valid,
  input wire [1:0] s_data, input wire m_ready, input wire emit, input wire bitmap, output wire bad);
  // The first cycle is a reset, whatever comes after it.
  reg started = 1'b0;
  always @(posedge clk) started <= 1'b1;
  wire rst_n = reset_n && started;

  wire s_ready, m_valid, m_data, taken;
  wire accept = s_valid && s_ready;
  reg [{inside_high}:0] between;
  wire out = emit && between != 0;
  {window} {window_parameters}admission (.clk(clk), .rst_n(rst_n), .in_valid(s_valid), .in_ready(s_ready),
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
