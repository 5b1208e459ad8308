// Requantise: add half, shift right arithmetically, saturate.
//
// Contract: one row of Lanes numbers a cycle, Cut cycles of latency; InSigned = 0 reads the input as plain binary.
// out = clamp((in + 2^(Shift-1)) >>> Shift) to OutWidth signed bits; nothing is added when Shift is 0. OutWidth is at most
// InWidth + 1.
module tw_requantise #(
    parameter Lanes    = 2,
    parameter InWidth  = 12,
    parameter InSigned = 1,
    parameter Shift    = 3,
    parameter OutWidth = 8,
    parameter [0:0] Cut = 1'b1
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      in_valid,
    input  wire [ Lanes*InWidth-1:0] in_data,
    output wire                      out_valid,
    output reg  [Lanes*OutWidth-1:0] out_data
);

  // As wide as x + Half can be, and not wider: what lies above would have to be compared with the sign.
  localparam Width = InWidth + ((Shift > InWidth) ? 3 : (InSigned != 0) ? 1 : 2);
  localparam [Width-1:0] One = 1;
  localparam [Width-1:0] Half = (Shift > 0) ? One << (Shift - 1) : {Width{1'b0}};

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
  wire [Lanes*OutWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [InWidth-1:0] x = in_data[i*InWidth+:InWidth];
      wire signed [Width-1:0] sum = {{(Width - InWidth) {(InSigned != 0) && x[InWidth-1]}}, x} + Half;
      wire signed [Width-1:0] rounded = sum >>> Shift;
      wire negative = rounded[Width-1];
      wire fits = rounded[Width-1:OutWidth-1] == {(Width - OutWidth + 1) {negative}};
      wire [OutWidth-1:0] result;
      if (OutWidth > 1) begin : g_wide
        assign result = fits ? rounded[OutWidth-1:0] : {negative, {(OutWidth - 1) {!negative}}};
      end else begin : g_bit
        assign result = fits ? rounded[0] : negative;
      end
      tw_cut #(
          .Width(OutWidth),
          .Cut  (Cut)
      ) u_cut (
          .clk(clk),
          .in_data(result),
          .out_data(lanes[i*OutWidth+:OutWidth])
      );
    end
  endgenerate

endmodule
