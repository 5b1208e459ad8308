// GELU as ReLU minus a bump: x * Phi(x) = max(x, 0) - |x| * Phi(-|x|).
//
// Contract: one row of Lanes signed numbers a cycle; one cycle of latency for the bump's memory, and Cut more.
//   index = (|x| << IndexLeft) >> IndexRight          y = (max(x, 0) << Lift) - (index < 256 ? bump[index] : 0)
// File holds the 256 entries of the bump, in the output's fraction.
module tw_gelu #(
    parameter Lanes      = 2,
    parameter InWidth    = 8,
    parameter IndexLeft  = 1,
    parameter IndexRight = 0,
    parameter Lift       = 1,
    parameter BumpWidth  = 5,
    parameter OutWidth   = 9,
    parameter [0:0] Cut  = 1'b1,
    parameter File       = ""
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      in_valid,
    input  wire [ Lanes*InWidth-1:0] in_data,
    output wire                      out_valid,
    output reg  [Lanes*OutWidth-1:0] out_data
);

  localparam IndexWidth = InWidth + IndexLeft + 8;

  tw_valid #(
      .Steps(2),
      .Cuts ({Cut, 1'b1})
  ) u_valid (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(in_valid),
      .out_valid(out_valid)
  );

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes*OutWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [InWidth-1:0] x = in_data[i*InWidth+:InWidth];
      wire negative = x[InWidth-1];
      wire [InWidth-1:0] magnitude = negative ? {InWidth{1'b0}} - x : x;
      wire [IndexWidth-1:0] index = {8'd0, magnitude, {IndexLeft{1'b0}}} >> IndexRight;
      wire [BumpWidth-1:0] bump;
      reg near_q;
      reg [InWidth-1:0] positive_q;
      wire [OutWidth-1:0] lifted = {{(OutWidth - InWidth - Lift) {1'b0}}, positive_q, {Lift{1'b0}}};
      wire [OutWidth-1:0] dent = {{(OutWidth - BumpWidth) {1'b0}}, bump};
      wire [OutWidth-1:0] y = lifted - (near_q ? dent : {OutWidth{1'b0}});

      tw_rom #(
          .Words(256),
          .Width(BumpWidth),
          .AddressWidth(8),
          .File(File)
      ) u_bump (
          .clk(clk),
          .address(index[7:0]),
          .data(bump)
      );

      always @(posedge clk) begin
        near_q <= index[IndexWidth-1:8] == {(IndexWidth - 8) {1'b0}};
        positive_q <= negative ? {InWidth{1'b0}} : x;
      end
      tw_cut #(
          .Width(OutWidth),
          .Cut  (Cut)
      ) u_cut (
          .clk(clk),
          .in_data(y),
          .out_data(lanes[i*OutWidth+:OutWidth])
      );
    end
  endgenerate

endmodule
