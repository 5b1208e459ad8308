// One bit a lane: is the logit at least the threshold?
//
// Contract: one row of Lanes signed numbers a cycle, Cut cycles of latency. `threshold` stands still and has one bit more than a logit, so that
// "never" can be said. A sigmoid before the comparison is folded into the threshold. The first WarmUp rows after a reset
// are answered with zeros: so many accesses are missing from the history.
module tw_threshold #(
    parameter Lanes = 4,
    parameter Width = 8,
    parameter WarmUp = 0,
    parameter [0:0] Cut = 1'b1
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   in_valid,
    input  wire [Lanes*Width-1:0] in_data,
    input  wire [        Width:0] threshold,
    output wire                   out_valid,
    output reg  [      Lanes-1:0] out_data
);

  tw_valid #(
      .Steps(1),
      .Cuts (Cut)
  ) u_valid (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(in_valid),
      .out_valid(out_valid)
  );

  wire missing;
  generate
    if (WarmUp > 0) begin : g_warm_up
      localparam CountWidth = $clog2(WarmUp + 1);
      localparam [31:0] AllWide = WarmUp;
      localparam [CountWidth-1:0] All = AllWide[CountWidth-1:0];
      localparam [CountWidth-1:0] One = 1;
      reg [CountWidth-1:0] rows_left;
      assign missing = rows_left != {CountWidth{1'b0}};
      always @(posedge clk) begin
        if (!rst_n) rows_left <= All;
        else if (in_valid && missing) rows_left <= rows_left - One;
      end
    end else begin : g_always
      assign missing = 1'b0;
    end
  endgenerate

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire signed [Width:0] x = {in_data[i*Width+Width-1], in_data[i*Width+:Width]};
      wire predicted = !missing && (x >= $signed(threshold));
      tw_cut #(
          .Width(1),
          .Cut  (Cut)
      ) u_cut (
          .clk(clk),
          .in_data(predicted),
          .out_data(lanes[i])
      );
    end
  endgenerate

endmodule
