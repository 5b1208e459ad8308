// Layer normalisation of a row, without an affine part (that is folded into the next tables).
//
// Contract: one row of Lanes signed numbers a cycle, eight cycles of latency.
//   c_i = Lanes * x_i - sum(x)            V = sum(c_i^2) + Eps
//   e   = ceil(bitlen(V) / 2)             index = 8 leading bits of V / 4^e, 64 to 255
//   y_i = (c_i * gain[index - 64] + 2^(e-1)) >>> e
// File holds the 192 gains, sqrt(Lanes) / sqrt((index + 1/2) / 256) in the output's fraction. y fits OutWidth bits by
// construction: |c_i| < sqrt(V), and the gain's error is known.
module tw_layer_norm #(
    parameter Lanes = 4,
    parameter InWidth = 8,
    parameter CentredWidth = 11,
    parameter VarianceWidth = 21,
    parameter GainWidth = 10,
    parameter OutWidth = 8,
    parameter [VarianceWidth-1:0] Eps = 1,
    parameter File = ""
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      in_valid,
    input  wire [ Lanes*InWidth-1:0] in_data,
    output wire                      out_valid,
    output reg  [Lanes*OutWidth-1:0] out_data
);

  localparam SquareWidth = 2 * CentredWidth - 1;
  localparam Pairs = (VarianceWidth + 1) / 2;
  localparam PairedWidth = 2 * Pairs;
  localparam ExponentWidth = $clog2(Pairs + 1);
  localparam FullWidth = CentredWidth + GainWidth + 1;
  localparam ProductWidth = (FullWidth > Pairs + 2) ? FullWidth : Pairs + 2;
  localparam [31:0] FactorWide = Lanes;
  localparam [CentredWidth-1:0] Factor = FactorWide[CentredWidth-1:0];

  reg [6:0] valid_q;
  reg final_valid;
  wire [Lanes*CentredWidth-1:0] extended;
  wire [Lanes*SquareWidth-1:0] squares;

  assign out_valid = final_valid;
  always @(posedge clk) begin
    if (!rst_n) {final_valid, valid_q} <= 8'd0;
    else {final_valid, valid_q} <= {valid_q, in_valid};
  end

  // 1: the sum of the row
  reg [CentredWidth-1:0] total;
  reg [CentredWidth-1:0] sum;
  integer a;
  always @* begin
    total = {CentredWidth{1'b0}};
    for (a = 0; a < Lanes; a = a + 1) total = total + extended[a*CentredWidth+:CentredWidth];
  end
  always @(posedge clk) sum <= total;

  // 4: the variance
  reg [VarianceWidth-1:0] energy;
  reg [VarianceWidth-1:0] variance;
  integer b;
  always @* begin
    energy = Eps;
    for (b = 0; b < Lanes; b = b + 1) begin
      energy = energy + {{(VarianceWidth - SquareWidth) {1'b0}}, squares[b*SquareWidth+:SquareWidth]};
    end
  end
  always @(posedge clk) variance <= energy;

  // 5: its exponent and leading bits
  wire [PairedWidth+7:0] padded = {{(PairedWidth - VarianceWidth) {1'b0}}, variance, 8'd0};
  reg [ExponentWidth-1:0] leading;
  reg [ExponentWidth-1:0] exponent5, exponent6, exponent7;
  reg [7:0] top;
  reg [7:0] index;
  integer p;
  always @* begin
    leading = {ExponentWidth{1'b0}};
    top = 8'd64;
    for (p = 0; p < Pairs; p = p + 1) begin
      if (padded[2*p+8+:2] != 2'd0) begin
        leading = p[ExponentWidth-1:0] + {{(ExponentWidth - 1) {1'b0}}, 1'b1};
        top = padded[2*p+2+:8];
      end
    end
  end
  always @(posedge clk) begin
    exponent5 <= leading;
    exponent6 <= exponent5;
    exponent7 <= exponent6;
    index <= top;
  end

  // 6: the gain
  wire [1:0] upper = index[7:6] - 2'd1;
  wire [GainWidth-1:0] gain;
  tw_rom #(
      .Words(192),
      .Width(GainWidth),
      .AddressWidth(8),
      .File(File)
  ) u_gain (
      .clk(clk),
      .address({upper, index[5:0]}),
      .data(gain)
  );

  wire signed [ProductWidth-1:0] signed_gain = {{(ProductWidth - GainWidth) {1'b0}}, gain};
  wire signed [ProductWidth-1:0] one = {{(ProductWidth - 1) {1'b0}}, 1'b1};
  wire signed [ProductWidth-1:0] doubled_half = one << exponent7;
  wire signed [ProductWidth-1:0] half = doubled_half >>> 1;

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes*OutWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [InWidth-1:0] x = in_data[i*InWidth+:InWidth];
      reg [CentredWidth-1:0] x1;
      reg signed [CentredWidth-1:0] c2, c3, c4, c5, c6;
      wire signed [SquareWidth-1:0] wide = {{(CentredWidth - 1) {c2[CentredWidth-1]}}, c2};
      reg [SquareWidth-1:0] square;
      wire signed [ProductWidth-1:0] c = {{(ProductWidth - CentredWidth) {c6[CentredWidth-1]}}, c6};
      reg signed [ProductWidth-1:0] product;
      wire signed [ProductWidth-1:0] rounded = (product + half) >>> exponent7;
      wire [ProductWidth-OutWidth-1:0] unused_sign = rounded[ProductWidth-1:OutWidth];
      reg [OutWidth-1:0] y;
      assign extended[i*CentredWidth+:CentredWidth] = {{(CentredWidth - InWidth) {x[InWidth-1]}}, x};
      always @(posedge clk) begin
        x1 <= extended[i*CentredWidth+:CentredWidth];
        c2 <= Factor * x1 - sum;
        square <= wide * wide;
        c3 <= c2;
        c4 <= c3;
        c5 <= c4;
        c6 <= c5;
        product <= c * signed_gain;
        y <= rounded[OutWidth-1:0];
      end
      assign squares[i*SquareWidth+:SquareWidth] = square;
      assign lanes[i*OutWidth+:OutWidth] = y;
    end
  endgenerate

endmodule
