// Layer normalisation of a row, without an affine part (that is folded into the next tables).
//
// Contract: one row of Lanes signed numbers a cycle. Of the result the lanes whose bit in Kept is set come out, Outputs of
// them, the lowest first, as many cycles later as Cuts has ones.
//   S = sum(x)     V = Lanes * (Lanes * sum(x^2) - S^2) + Eps      which is the sum of (Lanes * x_i - S)^2, plus Eps
//   e = ceil(bitlen(V) / 2)             index = 8 leading bits of V / 4^e, 64 to 255
//   y_i = ((Lanes * x_i - S) * gain[index - 64] + 2^(e-1)) >>> e
// File holds the 192 gains, sqrt(Lanes) / sqrt((index + 1/2) / 256) in the output's fraction. y fits OutWidth bits by
// construction: |Lanes * x_i - S| < sqrt(V), and the gain's error is known.
// Steps, each with a register behind it where Cuts has a one: 0 squares, 1 sums, 2 spread, 3 V, 4 index, 5 gain (a memory,
// whose register is always there), 6 product, 7 rounding.
module tw_layer_norm #(
    parameter Lanes = 4,
    parameter InWidth = 8,
    parameter CentredWidth = 11,
    parameter VarianceWidth = 21,
    parameter GainWidth = 10,
    parameter OutWidth = 8,
    parameter Outputs = 4,
    parameter [Lanes-1:0] Kept = {Lanes{1'b1}},
    parameter [VarianceWidth-1:0] Eps = 1,
    parameter [7:0] Cuts = 8'hff,
    parameter File = ""
) (
    input  wire                        clk,
    input  wire                        rst_n,
    input  wire                        in_valid,
    input  wire [   Lanes*InWidth-1:0] in_data,
    output wire                        out_valid,
    output reg  [Outputs*OutWidth-1:0] out_data
);

  localparam SquareWidth = 2 * InWidth - 1;
  localparam SpreadWidth = VarianceWidth + 1;
  localparam Pairs = (VarianceWidth + 1) / 2;
  localparam PairedWidth = 2 * Pairs;
  localparam ExponentWidth = $clog2(Pairs + 1);
  localparam FullWidth = CentredWidth + GainWidth + 1;
  localparam ProductWidth = (FullWidth > Pairs + 2) ? FullWidth : Pairs + 2;
  localparam [63:0] FactorWide = Lanes;
  localparam [CentredWidth-1:0] Factor = FactorWide[CentredWidth-1:0];
  localparam [SpreadWidth-1:0] WideFactor = FactorWide[SpreadWidth-1:0];

  // Kept lanes below a lane: its place in the result.
  function integer place_of;
    input integer lane;
    integer k;
    begin
      place_of = 0;
      for (k = 0; k < lane; k = k + 1) if (Kept[k]) place_of = place_of + 1;
    end
  endfunction

  tw_valid #(
      .Steps(8),
      .Cuts (Cuts | 8'h20)
  ) u_valid (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(in_valid),
      .out_valid(out_valid)
  );

  // 0: the squares
  wire [Lanes*InWidth-1:0] row;
  wire [Lanes*SquareWidth-1:0] squares_d;
  wire [Lanes*SquareWidth-1:0] squares;
  tw_cut #(
      .Width(Lanes * InWidth),
      .Cut  (Cuts[0])
  ) u_row (
      .clk(clk),
      .in_data(in_data),
      .out_data(row)
  );
  tw_cut #(
      .Width(Lanes * SquareWidth),
      .Cut  (Cuts[0])
  ) u_squares (
      .clk(clk),
      .in_data(squares_d),
      .out_data(squares)
  );

  // 1: their sum, and that of the row
  wire [Lanes*CentredWidth-1:0] extended;
  reg [CentredWidth-1:0] sum_d;
  reg [SpreadWidth-1:0] energy_d;
  wire [CentredWidth-1:0] sum;
  wire [SpreadWidth-1:0] energy;
  integer a;
  always @* begin
    sum_d = {CentredWidth{1'b0}};
    energy_d = {SpreadWidth{1'b0}};
    for (a = 0; a < Lanes; a = a + 1) begin
      sum_d = sum_d + extended[a*CentredWidth+:CentredWidth];
      energy_d = energy_d + {{(SpreadWidth - SquareWidth) {1'b0}}, squares[a*SquareWidth+:SquareWidth]};
    end
  end
  tw_cut #(
      .Width(CentredWidth + SpreadWidth),
      .Cut  (Cuts[1])
  ) u_sums (
      .clk(clk),
      .in_data({sum_d, energy_d}),
      .out_data({sum, energy})
  );

  // 2: how far the row is spread around its mean, times Lanes
  wire signed [SpreadWidth-1:0] wide_sum;
  wire [SpreadWidth-1:0] spread_d = WideFactor * energy - $unsigned(wide_sum * wide_sum);
  wire [SpreadWidth-1:0] spread;
  generate
    if (SpreadWidth > CentredWidth) begin : g_extended_sum
      assign wide_sum = {{(SpreadWidth - CentredWidth) {sum[CentredWidth-1]}}, sum};
    end else begin : g_sum
      assign wide_sum = sum[SpreadWidth-1:0];
    end
  endgenerate
  tw_cut #(
      .Width(SpreadWidth),
      .Cut  (Cuts[2])
  ) u_spread (
      .clk(clk),
      .in_data(spread_d),
      .out_data(spread)
  );

  // 3: the variance, times Lanes^3
  wire [SpreadWidth-1:0] variance_d = WideFactor * spread + {1'b0, Eps};
  wire [VarianceWidth-1:0] variance;
  wire unused_carry = variance_d[SpreadWidth-1];
  tw_cut #(
      .Width(VarianceWidth),
      .Cut  (Cuts[3])
  ) u_variance (
      .clk(clk),
      .in_data(variance_d[VarianceWidth-1:0]),
      .out_data(variance)
  );

  // 4: its exponent and leading bits
  wire [PairedWidth+7:0] padded = {{(PairedWidth - VarianceWidth) {1'b0}}, variance, 8'd0};
  reg [ExponentWidth-1:0] leading;
  reg [7:0] top;
  wire [ExponentWidth-1:0] exponent4, exponent6;
  reg [ExponentWidth-1:0] exponent5;
  wire [7:0] index;
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
  tw_cut #(
      .Width(ExponentWidth + 8),
      .Cut  (Cuts[4])
  ) u_index (
      .clk(clk),
      .in_data({leading, top}),
      .out_data({exponent4, index})
  );

  // 5: the gain
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
  always @(posedge clk) exponent5 <= exponent4;
  wire signed [ProductWidth-1:0] signed_gain = {{(ProductWidth - GainWidth) {1'b0}}, gain};

  // 6 and 7, for each lane that is kept: the product, rounded
  tw_cut #(
      .Width(ExponentWidth),
      .Cut  (Cuts[6])
  ) u_exponent (
      .clk(clk),
      .in_data(exponent5),
      .out_data(exponent6)
  );
  wire signed [ProductWidth-1:0] one = {{(ProductWidth - 1) {1'b0}}, 1'b1};
  wire signed [ProductWidth-1:0] doubled_half = one << exponent6;
  wire signed [ProductWidth-1:0] half = doubled_half >>> 1;

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Outputs*OutWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [InWidth-1:0] x = in_data[i*InWidth+:InWidth];
      wire [InWidth-1:0] x0 = row[i*InWidth+:InWidth];
      wire signed [SquareWidth-1:0] wide = {{(InWidth - 1) {x[InWidth-1]}}, x};
      assign squares_d[i*SquareWidth+:SquareWidth] = wide * wide;
      assign extended[i*CentredWidth+:CentredWidth] = {{(CentredWidth - InWidth) {x0[InWidth-1]}}, x0};

      if (Kept[i]) begin : g_kept
        localparam Place = place_of(i);
        wire [CentredWidth-1:0] x1;
        wire [CentredWidth-1:0] c2, c3, c4;
        reg [CentredWidth-1:0] c5;
        wire signed [ProductWidth-1:0] c = {{(ProductWidth - CentredWidth) {c5[CentredWidth-1]}}, c5};
        wire signed [ProductWidth-1:0] product_d = c * signed_gain;
        wire signed [ProductWidth-1:0] product;
        wire signed [ProductWidth-1:0] rounded = (product + half) >>> exponent6;
        wire [ProductWidth-OutWidth-1:0] unused_sign = rounded[ProductWidth-1:OutWidth];
        tw_cut #(
            .Width(CentredWidth),
            .Cut  (Cuts[1])
        ) u_x1 (
            .clk(clk),
            .in_data(extended[i*CentredWidth+:CentredWidth]),
            .out_data(x1)
        );
        tw_cut #(
            .Width(CentredWidth),
            .Cut  (Cuts[2])
        ) u_c2 (
            .clk(clk),
            .in_data(Factor * x1 - sum),
            .out_data(c2)
        );
        tw_cut #(
            .Width(CentredWidth),
            .Cut  (Cuts[3])
        ) u_c3 (
            .clk(clk),
            .in_data(c2),
            .out_data(c3)
        );
        tw_cut #(
            .Width(CentredWidth),
            .Cut  (Cuts[4])
        ) u_c4 (
            .clk(clk),
            .in_data(c3),
            .out_data(c4)
        );
        always @(posedge clk) c5 <= c4;
        tw_cut #(
            .Width(ProductWidth),
            .Cut  (Cuts[6])
        ) u_product (
            .clk(clk),
            .in_data(product_d),
            .out_data(product)
        );
        tw_cut #(
            .Width(OutWidth),
            .Cut  (Cuts[7])
        ) u_result (
            .clk(clk),
            .in_data(rounded[OutWidth-1:0]),
            .out_data(lanes[Place*OutWidth+:OutWidth])
        );
      end
    end
  endgenerate

endmodule
