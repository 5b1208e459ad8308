// Softmax of a row in base 2.
//
// Contract: one row of Lanes signed numbers a cycle, its softmax as many cycles later as Cuts has ones.
//   t_j = in_j with 7 fraction bits (rounded right by AlignRight, or left by AlignLeft)    m = max_j floor(t_j)
//   a_j = (pow2[fraction of t_j] << 6) >> (m - floor(t_j))
//   S   = sum(a_j)      b = bitlen(S)      index = 8 leading bits of S, 128 to 255
//   p_j = (a_j * recip[index - 128] + 2^(b-1)) >> b
// PowerFile holds 128 mantissas of 10 bits, 2^(f/128) * 512; RecipFile 128 reciprocals. The largest a_j has bit 15 set, so
// S is never below 2^15.
// Steps, each with a register behind it where Cuts has a one: 0 alignment, 1 mantissas and the largest whole part (a memory,
// whose register is always there), 2 shift, 3 sum, 4 index, 5 reciprocal (a memory too), 6 product, 7 rounding.
module tw_softmax #(
    parameter Lanes      = 3,
    parameter InWidth    = 12,
    parameter AlignRight = 2,
    parameter AlignLeft  = 0,
    parameter TWidth     = 12,
    parameter SumWidth   = 18,
    parameter RecipWidth = 12,
    parameter OutWidth   = 12,
    parameter [7:0] Cuts = 8'hff,
    parameter PowerFile  = "",
    parameter RecipFile  = ""
) (
    input  wire                      clk,
    input  wire                      rst_n,
    input  wire                      in_valid,
    input  wire [ Lanes*InWidth-1:0] in_data,
    output wire                      out_valid,
    output reg  [Lanes*OutWidth-1:0] out_data
);

  localparam Fraction = 7;
  localparam WholeWidth = TWidth - Fraction;
  localparam AlignWidth = TWidth + AlignRight + 1;
  localparam PowerWidth = 16;
  localparam BitsWidth = $clog2(SumWidth + 1);
  localparam ProductWidth = SumWidth + RecipWidth + 1;
  localparam [AlignWidth-1:0] One = 1;
  localparam [AlignWidth-1:0] Half = (AlignRight > 0) ? One << (AlignRight - 1) : {AlignWidth{1'b0}};

  wire [Lanes*WholeWidth-1:0] wholes;
  wire [Lanes*PowerWidth-1:0] powers;

  tw_valid #(
      .Steps(8),
      .Cuts (Cuts | 8'h22)
  ) u_valid (
      .clk(clk),
      .rst_n(rst_n),
      .in_valid(in_valid),
      .out_valid(out_valid)
  );

  // 1: the largest whole part
  reg signed [WholeWidth-1:0] highest;
  reg signed [WholeWidth-1:0] top;
  reg signed [WholeWidth-1:0] candidate;
  integer a;
  always @* begin
    highest = wholes[WholeWidth-1:0];
    candidate = wholes[WholeWidth-1:0];
    for (a = 1; a < Lanes; a = a + 1) begin
      candidate = wholes[a*WholeWidth+:WholeWidth];
      if (candidate > highest) highest = candidate;
    end
  end
  always @(posedge clk) top <= highest;

  // 3: the sum
  reg [SumWidth-1:0] total;
  wire [SumWidth-1:0] sum;
  integer b;
  always @* begin
    total = {SumWidth{1'b0}};
    for (b = 0; b < Lanes; b = b + 1) begin
      total = total + {{(SumWidth - PowerWidth) {1'b0}}, powers[b*PowerWidth+:PowerWidth]};
    end
  end
  tw_cut #(
      .Width(SumWidth),
      .Cut  (Cuts[3])
  ) u_sum (
      .clk(clk),
      .in_data(total),
      .out_data(sum)
  );

  // 4: its length and leading bits, the leading one itself left out
  reg [BitsWidth-1:0] length;
  reg [6:0] leading;
  wire [BitsWidth-1:0] bits4, bits6;
  reg [BitsWidth-1:0] bits5;
  wire [6:0] index;
  integer p;
  always @* begin
    length = 16;
    leading = sum[14:8];
    for (p = 16; p < SumWidth; p = p + 1) begin
      if (sum[p]) begin
        length = p[BitsWidth-1:0] + {{(BitsWidth - 1) {1'b0}}, 1'b1};
        leading = sum[p-1-:7];
      end
    end
  end
  wire [7:0] unused_low = sum[7:0];
  tw_cut #(
      .Width(BitsWidth + 7),
      .Cut  (Cuts[4])
  ) u_index (
      .clk(clk),
      .in_data({length, leading}),
      .out_data({bits4, index})
  );

  // 5: the reciprocal
  always @(posedge clk) bits5 <= bits4;
  wire [RecipWidth-1:0] recip;
  tw_rom #(
      .Words(128),
      .Width(RecipWidth),
      .AddressWidth(7),
      .File(RecipFile)
  ) u_recip (
      .clk(clk),
      .address(index),
      .data(recip)
  );

  // 6 and 7, for each lane: the product, rounded
  tw_cut #(
      .Width(BitsWidth),
      .Cut  (Cuts[6])
  ) u_bits (
      .clk(clk),
      .in_data(bits5),
      .out_data(bits6)
  );
  wire [ProductWidth-1:0] factor = {{(ProductWidth - RecipWidth) {1'b0}}, recip};
  wire [ProductWidth-1:0] unit = {{(ProductWidth - 1) {1'b0}}, 1'b1};
  wire [ProductWidth-1:0] doubled_half = unit << bits6;
  wire [ProductWidth-1:0] half = doubled_half >> 1;

  // Lanes are signals of their own; the row changes as one, which event-driven simulators need to be fast.
  wire [Lanes*OutWidth-1:0] lanes;
  always @* out_data = lanes;

  genvar i;
  generate
    for (i = 0; i < Lanes; i = i + 1) begin : g_lane
      wire [InWidth-1:0] x = in_data[i*InWidth+:InWidth];
      wire signed [AlignWidth-1:0] wide;
      wire signed [AlignWidth-1:0] aligned = $signed(wide + Half) >>> AlignRight;
      wire [TWidth-1:0] t0;
      reg signed [WholeWidth-1:0] whole1;
      wire [9:0] mantissa;
      wire [PowerWidth-1:0] scaled = {mantissa, 6'd0};
      wire [WholeWidth:0] down = {top[WholeWidth-1], top} - {whole1[WholeWidth-1], whole1};
      wire [PowerWidth-1:0] a2, a3, a4;
      reg [PowerWidth-1:0] a5;
      wire [ProductWidth-1:0] power = {{(ProductWidth - PowerWidth) {1'b0}}, a5};
      wire [ProductWidth-1:0] product;
      wire [ProductWidth-1:0] rounded = (product + half) >> bits6;
      wire [ProductWidth-OutWidth-1:0] unused_high = rounded[ProductWidth-1:OutWidth];
      wire [AlignRight:0] unused_sign = aligned[AlignWidth-1:TWidth];

      // The sum with half needs one bit more than the input; TWidth leaves it.
      assign wide = {{(AlignWidth - InWidth - AlignLeft) {x[InWidth-1]}}, x, {AlignLeft{1'b0}}};
      assign wholes[i*WholeWidth+:WholeWidth] = t0[TWidth-1:Fraction];

      tw_rom #(
          .Words(128),
          .Width(10),
          .AddressWidth(7),
          .File(PowerFile)
      ) u_power (
          .clk(clk),
          .address(t0[Fraction-1:0]),
          .data(mantissa)
      );

      tw_cut #(
          .Width(TWidth),
          .Cut  (Cuts[0])
      ) u_t (
          .clk(clk),
          .in_data(aligned[TWidth-1:0]),
          .out_data(t0)
      );
      always @(posedge clk) whole1 <= t0[TWidth-1:Fraction];
      tw_cut #(
          .Width(PowerWidth),
          .Cut  (Cuts[2])
      ) u_a2 (
          .clk(clk),
          .in_data(scaled >> down),
          .out_data(a2)
      );
      tw_cut #(
          .Width(PowerWidth),
          .Cut  (Cuts[3])
      ) u_a3 (
          .clk(clk),
          .in_data(a2),
          .out_data(a3)
      );
      tw_cut #(
          .Width(PowerWidth),
          .Cut  (Cuts[4])
      ) u_a4 (
          .clk(clk),
          .in_data(a3),
          .out_data(a4)
      );
      always @(posedge clk) a5 <= a4;
      tw_cut #(
          .Width(ProductWidth),
          .Cut  (Cuts[6])
      ) u_product (
          .clk(clk),
          .in_data(power * factor),
          .out_data(product)
      );
      tw_cut #(
          .Width(OutWidth),
          .Cut  (Cuts[7])
      ) u_result (
          .clk(clk),
          .in_data(rounded[OutWidth-1:0]),
          .out_data(lanes[i*OutWidth+:OutWidth])
      );
      assign powers[i*PowerWidth+:PowerWidth] = a2;
    end
  endgenerate

endmodule
