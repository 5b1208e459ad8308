// Softmax of a row in base 2.
//
// Contract: one row of Lanes signed numbers a cycle, eight cycles of latency.
//   t_j = in_j with 7 fraction bits (rounded right by AlignRight, or left by AlignLeft)    m = max_j floor(t_j)
//   a_j = (pow2[fraction of t_j] << 6) >> (m - floor(t_j))
//   S   = sum(a_j)      b = bitlen(S)      index = 8 leading bits of S, 128 to 255
//   p_j = (a_j * recip[index - 128] + 2^(b-1)) >> b
// PowerFile holds 128 mantissas of 10 bits, 2^(f/128) * 512; RecipFile 128 reciprocals. The largest a_j has bit 15 set, so
// S is never below 2^15.
module tw_softmax #(
    parameter Lanes      = 3,
    parameter InWidth    = 12,
    parameter AlignRight = 2,
    parameter AlignLeft  = 0,
    parameter TWidth     = 12,
    parameter SumWidth   = 18,
    parameter RecipWidth = 12,
    parameter OutWidth   = 12,
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

  reg [6:0] valid_q;
  reg final_valid;
  wire [Lanes*WholeWidth-1:0] wholes;
  wire [Lanes*PowerWidth-1:0] powers;

  assign out_valid = final_valid;
  always @(posedge clk) begin
    if (!rst_n) {final_valid, valid_q} <= 8'd0;
    else {final_valid, valid_q} <= {valid_q, in_valid};
  end

  // 2: the largest whole part
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

  // 4: the sum
  reg [SumWidth-1:0] total;
  reg [SumWidth-1:0] sum;
  integer b;
  always @* begin
    total = {SumWidth{1'b0}};
    for (b = 0; b < Lanes; b = b + 1) begin
      total = total + {{(SumWidth - PowerWidth) {1'b0}}, powers[b*PowerWidth+:PowerWidth]};
    end
  end
  always @(posedge clk) sum <= total;

  // 5: its length and leading bits, the leading one itself left out
  reg [BitsWidth-1:0] length;
  reg [BitsWidth-1:0] bits5, bits6, bits7;
  reg [6:0] leading;
  reg [6:0] index;
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
  always @(posedge clk) begin
    bits5 <= length;
    bits6 <= bits5;
    bits7 <= bits6;
    index <= leading;
  end

  // 6: the reciprocal
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
  wire [ProductWidth-1:0] factor = {{(ProductWidth - RecipWidth) {1'b0}}, recip};
  wire [ProductWidth-1:0] unit = {{(ProductWidth - 1) {1'b0}}, 1'b1};
  wire [ProductWidth-1:0] doubled_half = unit << bits7;
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
      reg [TWidth-1:0] t1;
      reg signed [WholeWidth-1:0] whole2;
      wire [9:0] mantissa;
      wire [PowerWidth-1:0] scaled = {mantissa, 6'd0};
      wire [WholeWidth:0] down = {top[WholeWidth-1], top} - {whole2[WholeWidth-1], whole2};
      reg [PowerWidth-1:0] a3, a4, a5, a6;
      wire [ProductWidth-1:0] power = {{(ProductWidth - PowerWidth) {1'b0}}, a6};
      reg [ProductWidth-1:0] product;
      wire [ProductWidth-1:0] rounded = (product + half) >> bits7;
      wire [ProductWidth-OutWidth-1:0] unused_high = rounded[ProductWidth-1:OutWidth];
      wire [AlignRight:0] unused_sign = aligned[AlignWidth-1:TWidth];
      reg [OutWidth-1:0] weight;

      // The sum with half needs one bit more than the input; TWidth leaves it.
      assign wide = {{(AlignWidth - InWidth - AlignLeft) {x[InWidth-1]}}, x, {AlignLeft{1'b0}}};
      assign wholes[i*WholeWidth+:WholeWidth] = t1[TWidth-1:Fraction];

      tw_rom #(
          .Words(128),
          .Width(10),
          .AddressWidth(7),
          .File(PowerFile)
      ) u_power (
          .clk(clk),
          .address(t1[Fraction-1:0]),
          .data(mantissa)
      );

      always @(posedge clk) begin
        t1 <= aligned[TWidth-1:0];
        whole2 <= t1[TWidth-1:Fraction];
        a3 <= scaled >> down;
        a4 <= a3;
        a5 <= a4;
        a6 <= a5;
        product <= power * factor;
        weight <= rounded[OutWidth-1:0];
      end
      assign powers[i*PowerWidth+:PowerWidth] = a3;
      assign lanes[i*OutWidth+:OutWidth] = weight;
    end
  endgenerate

endmodule
