// Requantise: add half, shift right arithmetically, saturate.
//
// Contract: one row of Lanes numbers a cycle, one cycle of latency; InSigned = 0 reads the input as plain binary.
// out = clamp((in + 2^(Shift-1)) >>> Shift) to OutWidth signed bits; nothing is added when Shift is 0. OutWidth is at most
// InWidth + 1.
module tw_requantise #(
    parameter Lanes    = 2,
    parameter InWidth  = 12,
    parameter InSigned = 1,
    parameter Shift    = 3,
    parameter OutWidth = 8
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      in_valid,
    input  wire [ Lanes*InWidth-1:0] in_data,
    output reg                       out_valid,
    output reg  [Lanes*OutWidth-1:0] out_data
);

  localparam Width = InWidth + 3;
  localparam [Width-1:0] One = 1;
  localparam [Width-1:0] Half = (Shift > 0) ? One << (Shift - 1) : {Width{1'b0}};

  always @(posedge clk) begin
    if (!rst_n) out_valid <= 1'b0;
    else out_valid <= in_valid;
  end

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes*OutWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [InWidth-1:0] x = in_data[i*InWidth+:InWidth];
      wire signed [Width-1:0] sum = {{3{(InSigned != 0) && x[InWidth-1]}}, x} + Half;
      wire signed [Width-1:0] rounded = sum >>> Shift;
      wire negative = rounded[Width-1];
      wire fits = rounded[Width-1:OutWidth-1] == {(Width - OutWidth + 1) {negative}};
      reg [OutWidth-1:0] result;
      if (OutWidth > 1) begin : g_wide
        always @(posedge clk) result <= fits ? rounded[OutWidth-1:0] : {negative, {(OutWidth - 1) {!negative}}};
      end else begin : g_bit
        always @(posedge clk) result <= fits ? rounded[0] : negative;
      end
      assign lanes[i*OutWidth+:OutWidth] = result;
    end
  endgenerate

endmodule
