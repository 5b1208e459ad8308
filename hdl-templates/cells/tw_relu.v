// max(x, 0) of every lane.
//
// Contract: one row of Lanes signed numbers a cycle, one cycle of latency, the format unchanged.
module tw_relu #(
    parameter Lanes = 2,
    parameter Width = 8
) (
    input  wire                   clk,
    input  wire                   rst_n,
    input  wire                   in_valid,
    input  wire [Lanes*Width-1:0] in_data,
    output reg                    out_valid,
    output reg  [Lanes*Width-1:0] out_data
);

  always @(posedge clk) begin
    if (!rst_n) out_valid <= 1'b0;
    else out_valid <= in_valid;
  end

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes*Width-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [Width-1:0] x = in_data[i*Width+:Width];
      reg [Width-1:0] y;
      always @(posedge clk) y <= x[Width-1] ? {Width{1'b0}} : x;
      assign lanes[i*Width+:Width] = y;
    end
  endgenerate

endmodule
