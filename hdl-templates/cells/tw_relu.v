// max(x, 0) of every lane.
//
// Contract: one row of Lanes signed numbers a cycle, Cut cycles of latency, the format unchanged.
module tw_relu #(
    parameter Lanes = 2,
    parameter Width = 8,
    parameter [0:0] Cut = 1'b1
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   in_valid,
    input  wire [Lanes*Width-1:0] in_data,
    output wire                   out_valid,
    output reg  [Lanes*Width-1:0] out_data
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

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes*Width-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [Width-1:0] x = in_data[i*Width+:Width];
      wire [Width-1:0] y = x[Width-1] ? {Width{1'b0}} : x;
      tw_cut #(
          .Width(Width),
          .Cut  (Cut)
      ) u_cut (
          .clk(clk),
          .in_data(y),
          .out_data(lanes[i*Width+:Width])
      );
    end
  endgenerate

endmodule
